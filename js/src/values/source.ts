// Where the numbers of a view come from, piece by piece.

import type { WidgetModel } from "../model.ts";
import type { LocalReport } from "../local.ts";
import { askLocal } from "../page.ts";
import { elementBytes, type ValuesState } from "./numbers.ts";

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

/**
 * Reads the buffer that this page's GPU holds; what it does not hold any more, for the page was
 * reloaded or the array freed, and the reference are the `other` source's.
 */
export function pageSource(state: ValuesState, other: Source, signal: AbortSignal): Source {
  const { page, dtype } = state;
  if (page === null) return other;
  const size = elementBytes(dtype);
  return (piece) => {
    if (piece.of !== "values") return other(piece);
    const order = {
      kind: "read",
      key: page.token,
      handle: page.handle,
      // A range of a buffer starts and ends at whole words.
      offset: Math.floor((piece.start * size) / 4) * 4,
      bytes: 0,
    } as const;
    const skipped = piece.start * size - order.offset;
    const bytes = Math.ceil((skipped + piece.count * size) / 4) * 4;
    return new Promise((resolve) => {
      const answered = new AbortController();
      const heard = (said: LocalReport): void => {
        answered.abort();
        if (said.kind !== "piece") resolve(other(piece));
        else resolve(said.bytes.slice(skipped, skipped + piece.count * size));
      };
      askLocal({ ...order, bytes }, heard, { signal: AbortSignal.any([signal, answered.signal]) });
    });
  };
}
