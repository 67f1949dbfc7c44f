/**
 * Which parts of the one memory of all modules are taken: first fit, neighbours become one.
 *
 * The twin of `workbench/runtime/wasm_memory.py`. Touches no memory.
 */
import { GpuFailure } from "../protocol.ts";

/** Bytes of a page, by which memory grows. */
export const PAGE = 65536;
/** What 32-bit addresses reach: 4 GiB. */
export const MOST_PAGES = 65536;
/** Bytes; compiled code relies on it. */
const ALIGNMENT = 64;

interface Space {
  readonly start: number;
  readonly stop: number;
}

export class Spaces {
  /** Behind everything that was ever taken; nothing lies at 0. */
  #end = ALIGNMENT;
  #taken = 0;
  /** In order; no two of them touch. */
  #free: Space[] = [];

  /** The address of so many bytes. Throws GpuFailure where they do not fit. */
  take(bytes: number): number {
    const size = rounded(bytes);
    const fitting = this.#free.find(({ start, stop }) => stop - start >= size);
    const start = fitting?.start ?? this.#last();
    if (start + size > MOST_PAGES * PAGE) {
      const message =
        `a buffer of ${bytes} bytes: wasm reaches 4 GiB of memory, of which ` +
        `${this.#taken} bytes are taken`;
      throw new GpuFailure({ kind: "out-of-memory", message });
    }
    this.#end = Math.max(this.#end, start + size);
    this.#free = this.#free.flatMap((space) => {
      if (space.start !== start) return [space];
      return space.stop > start + size ? [{ start: start + size, stop: space.stop }] : [];
    });
    this.#taken += size;
    return start;
  }

  /** Bytes that were taken are free again. */
  give(start: number, bytes: number): void {
    const size = rounded(bytes);
    this.#taken -= size;
    const spaces = [...this.#free, { start, stop: start + size }];
    const joined: Space[] = [];
    for (const space of spaces.sort((a, b) => a.start - b.start)) {
      const before = joined.at(-1);
      if (before?.stop === space.start) {
        joined[joined.length - 1] = { start: before.start, stop: space.stop };
      } else joined.push(space);
    }
    this.#free = joined;
  }

  /** Where what fits nowhere starts: in the last free part, if that is at the end. */
  #last(): number {
    const last = this.#free.at(-1);
    return last?.stop === this.#end ? last.start : this.#end;
  }
}

function rounded(bytes: number): number {
  return Math.ceil(Math.max(bytes, 1) / ALIGNMENT) * ALIGNMENT;
}
