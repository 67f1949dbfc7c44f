/**
 * The notebook's own channel as the last way to a kernel process: slow, and deaf while a cell runs.
 *
 * A widget's messages reach every page that shows its notebook, so each says which page it is of
 * or for. The Python twin is `workbench/widget/comm.py`.
 */
import type { Received, Sign } from "./gpu/line.ts";
import type { WidgetModel } from "./model.ts";

interface CommMessage {
  readonly page: string;
  readonly kind: "text" | "bytes" | "close";
  readonly text?: string;
  readonly code?: number;
}

function copied(view: ArrayBufferView): ArrayBuffer {
  const bytes = new Uint8Array(view.byteLength);
  bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  return bytes.buffer;
}

/** A port whose frames go through a widget until `signal` aborts. */
export function commPort(model: WidgetModel, signal: AbortSignal): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const page = crypto.randomUUID();
  port1.onmessage = ({ data }: MessageEvent<Received | Sign>) => {
    if (typeof data === "string") model.send({ page, kind: "text", text: data });
    else if (data instanceof ArrayBuffer) model.send({ page, kind: "bytes" }, undefined, [data]);
    else model.send({ page, kind: data.kind });
  };
  const heard = (content: unknown, buffers: readonly unknown[]): void => {
    const message = content as CommMessage;
    if (message.page !== page) return;
    const [bytes] = buffers;
    if (message.kind === "text") port1.postMessage(message.text);
    else if (message.kind === "close") {
      port1.postMessage({ kind: "close", code: message.code ?? 0 } satisfies Sign);
    }
    else if (ArrayBuffer.isView(bytes)) {
      const copy = copied(bytes);
      port1.postMessage(copy, [copy]);
    }
  };
  model.on("msg:custom", heard);
  signal.addEventListener("abort", () => {
    model.off("msg:custom", heard);
    port1.close();
  });
  return port2;
}
