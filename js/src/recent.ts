/** Values by key, the last ones that were used. */

/** So many prepared programs an engine keeps; a kernel process relies on fewer. */
export const KEPT_PROGRAMS = 256;

export class Recent<Value> {
  readonly #most: number;
  readonly #drop: (value: Value, key: string) => void;
  /** The one not used for longest comes first. */
  readonly #values = new Map<string, Value>();

  /** Keeps `most` values; `drop` is given each that has to go. */
  constructor(most: number, drop: (value: Value, key: string) => void) {
    this.#most = most;
    this.#drop = drop;
  }

  /** The value of a key, which is used with that. */
  get(key: string): Value | undefined {
    const found = this.#values.get(key);
    if (found !== undefined) this.set(key, found);
    return found;
  }

  set(key: string, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    for (const [oldest, dropped] of this.#values) {
      if (this.#values.size <= this.#most) break;
      this.#values.delete(oldest);
      this.#drop(dropped, oldest);
    }
  }

  /** Forgets a value that needs no `drop`. */
  delete(key: string): void {
    this.#values.delete(key);
  }

  /** Drops everything. */
  clear(): void {
    for (const [key, value] of this.#values) this.#drop(value, key);
    this.#values.clear();
  }
}
