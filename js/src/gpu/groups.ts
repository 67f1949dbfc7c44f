/** Bind groups of a kernel by the buffers that they bind, the last ones that were used. */
import { Recent } from "../recent.ts";

const KEPT = 64;
const numbers = new WeakMap<GPUBuffer, number>();
let last = 0;

/** A number that no other buffer has or had. */
function numberOf(buffer: GPUBuffer): number {
  const found = numbers.get(buffer) ?? (last += 1);
  numbers.set(buffer, found);
  return found;
}

export class Groups {
  readonly #kept = new Recent<GPUBindGroup>(KEPT, () => undefined);

  /** The group that binds these in their order, from `make` where it is new. */
  of(buffers: readonly GPUBuffer[], make: () => GPUBindGroup): GPUBindGroup {
    const key = buffers.map(numberOf).join();
    const found = this.#kept.get(key);
    if (found !== undefined) return found;
    const made = make();
    this.#kept.set(key, made);
    return made;
  }
}
