/** Modules and memories of WebAssembly, without any of their users. */
import { PAGE } from "./spaces.ts";

/** A module of a vector, a filled memory and an atomic load: what compiled code needs. */
const NEEDED = Uint8Array.from([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 9, 2, 96, 1, 127, 0, 96, 0, 1, 123, 3, 3, 2, 0, 1, 5, 4, 1, 1,
  1, 1, 10, 24, 2, 11, 0, 32, 0, 65, 0, 65, 0, 252, 11, 0, 11, 10, 0, 65, 0, 254, 16, 2, 0, 253,
  17, 11,
]);

/** Whether this browser runs what is compiled here. */
export function supported(): boolean {
  return typeof WebAssembly === "object" && WebAssembly.validate(NEEDED);
}

/** How the import of a shared memory begins in a module, up to the byte that says so. */
const SHARED_IMPORT = new TextEncoder().encode("\tworkbench\u0006memory\u0002\u0003");

/** The same module for a memory that is not shared; it has a maximum all the same. */
export function unshared(module: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const start = module.findIndex((_, at) =>
    SHARED_IMPORT.every((byte, n) => module[at + n] === byte),
  );
  const made = module.slice();
  if (start >= 0) made[start + SHARED_IMPORT.length - 1] = 1;
  return made;
}

/** Grows a memory until it holds so many bytes; throws RangeError where it cannot. */
export function reach(memory: WebAssembly.Memory, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE);
  if (missing > 0) memory.grow(missing);
}
