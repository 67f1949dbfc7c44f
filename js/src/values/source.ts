// Where the numbers of a view come from, piece by piece.

import type { WidgetModel } from "../model.ts";

/** `count` elements from `start` on, in C order, as the bytes a device holds. */
export interface Piece {
  readonly of: "values" | "reference";
  readonly start: number;
  readonly count: number;
}

export type Source = (piece: Piece) => Promise<ArrayBuffer>;

function answered(content: unknown, { of, start }: Piece): boolean {
  if (typeof content !== "object" || content === null) return false;
  const message = content as Readonly<Record<string, unknown>>;
  return message["kind"] === "piece" && message["of"] === of && message["start"] === start;
}

/** A copy of a buffer that came with a message. */
function bytesOf(buffer: unknown): ArrayBuffer {
  if (!ArrayBuffer.isView(buffer)) return new ArrayBuffer(0);
  const copy = new Uint8Array(buffer.byteLength);
  copy.set(new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength));
  return copy.buffer;
}

/** Asks Python, which keeps what the array held when it was shown. */
export function pythonSource(model: WidgetModel, signal: AbortSignal): Source {
  return (piece) =>
    new Promise((resolve) => {
      const listener = (content: unknown, buffers: readonly unknown[]): void => {
        if (!answered(content, piece)) return;
        model.off("msg:custom", listener);
        resolve(bytesOf(buffers[0]));
      };
      model.on("msg:custom", listener);
      signal.addEventListener("abort", () => { model.off("msg:custom", listener); });
      model.send({ kind: "piece", ...piece });
    });
}
