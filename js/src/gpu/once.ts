/** Values that exist once per page or worker, however often a bundle is evaluated there. */

export function oncePerPage<T>(name: string, make: () => T): T {
  const holder = globalThis as unknown as Record<symbol, T | undefined>;
  return (holder[Symbol.for(name)] ??= make());
}
