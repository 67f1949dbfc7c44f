/**
 * What carries frames between a page and a kernel process: a websocket, or a port to somebody who
 * passes them on. Nothing here knows what the frames say.
 */

export type Received = string | ArrayBuffer;

export interface Line {
  /** Sends a text or binary frame, which is the caller's again at once; dropped where it ended. */
  readonly send: (frame: string | Uint8Array<ArrayBuffer>) => void;
  /** Ends it; a websocket tells the other side the code and the reason. */
  readonly close: (code?: number, reason?: string) => void;
  /** The code that it was closed with, 0 where there is none. */
  readonly closed: Promise<number>;
}

/** Throws where the browser refuses the address outright, as an unencrypted one of a https page. */
export function socketLine(address: string, heard: (frame: Received) => void): Line {
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }: MessageEvent<Received>) => { heard(data); });
  const closed = new Promise<number>((resolve) => {
    socket.addEventListener("close", ({ code }) => { resolve(code); });
  });
  return {
    send: (frame) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame);
    },
    close: (code, reason) => { socket.close(code, reason); },
    closed,
  };
}

/** What goes over a port besides frames: the page begins, and either side ends. */
export type Sign = { readonly kind: "open" } | { readonly kind: "close"; readonly code?: number };

/** A line through a port: whoever holds the other end passes frames and signs on. */
export function portLine(port: MessagePort, heard: (frame: Received) => void): Line {
  let end: (code: number) => void = () => undefined;
  const closed = new Promise<number>((resolve) => { end = resolve; });
  port.onmessage = ({ data }: MessageEvent<Received | Sign>) => {
    if (typeof data === "string" || data instanceof ArrayBuffer) heard(data);
    else if (data.kind === "close") end(data.code ?? 0);
  };
  port.postMessage({ kind: "open" } satisfies Sign);
  return {
    send: (frame) => {
      if (typeof frame === "string") {
        port.postMessage(frame);
        return;
      }
      const copy = frame.slice().buffer;
      port.postMessage(copy, [copy]);
    },
    close: () => {
      port.postMessage({ kind: "close" } satisfies Sign);
      end(0);
    },
    closed,
  };
}
