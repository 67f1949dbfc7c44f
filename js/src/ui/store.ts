// A value that tells those who listen when it changes.

export interface Store<T> {
  readonly get: () => T;
  readonly set: (value: T) => void;
  /** Calls back now and after every change, until the signal ends. */
  readonly follow: (listener: (value: T) => void, signal: AbortSignal) => void;
}

export function store<T>(initial: T): Store<T> {
  const listeners = new Set<(value: T) => void>();
  let value = initial;
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener(next);
    },
    follow(listener, signal) {
      if (signal.aborted) return;
      listeners.add(listener);
      signal.addEventListener("abort", () => listeners.delete(listener));
      listener(value);
    },
  };
}
