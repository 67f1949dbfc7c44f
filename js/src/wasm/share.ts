/** The iterations of a dispatch, shared out to workers in portions of about 10 ms. */

const PORTION_MS = 10;

/** Runs `begin` to `end` on one of the workers; gives the milliseconds that it took. */
export type Call = (worker: number, begin: number, end: number) => Promise<number>;

/**
 * Runs every iteration once; `proceed` throws where it is to end. Gives the milliseconds of all
 * workers together. `pace` is how long an iteration took before, or 0.
 */
export async function share(
  count: number,
  workers: number,
  pace: number,
  call: Call,
  proceed: () => void,
): Promise<number> {
  let taken = 0;
  let spent = 0;
  const single = pace > 0 && pace * count < PORTION_MS / 10;
  const least = Math.max(1, Math.floor(count / 256));
  const first = pace > 0 ? PORTION_MS / pace : count / 256;
  const work = async (worker: number): Promise<void> => {
    let size = first;
    while (taken < count) {
      proceed();
      const begin = taken;
      const most = Math.max(1, Math.ceil((count - begin) / workers));
      const portion = Math.max(least, Math.min(Math.floor(size), most));
      const end = single ? count : Math.min(count, begin + portion);
      taken = end;
      const took = await call(worker, begin, end);
      spent += took;
      size = (end - begin) * Math.min(4, PORTION_MS / Math.max(took, 1e-3));
    }
  };
  const needed = single ? 1 : Math.min(workers, count);
  const all = Array.from({ length: needed }, (_, worker) => work(worker));
  await Promise.allSettled(all); // nobody computes any more, also where it failed
  await Promise.all(all);
  return spent;
}
