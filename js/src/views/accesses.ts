// One workgroup's way through memory, played: what each invocation reaches, moment by moment.

import { element } from "../ui/dom.ts";
import { idFields, kernelChoice } from "../ui/ids.ts";
import { picture } from "../ui/picture.ts";
import type { PictureContext } from "../ui/picture.ts";
import { board } from "../ui/board.ts";
import type { Grid, Moment as Reached } from "../ui/board.ts";
import { player } from "../ui/player.ts";
import { territory } from "../ui/territory.ts";
import type { Territory } from "../ui/territory.ts";

interface Moment extends Reached {
  readonly kind: string;
  readonly place: string;
  readonly words: string;
}

interface Playback {
  readonly kernels: readonly string[];
  readonly kernel: number;
  readonly workgroups: readonly [number, number, number];
  readonly workgroup: readonly [number, number, number];
  readonly size: readonly [number, number, number];
  readonly grids: readonly Grid[];
  readonly moments: readonly Moment[];
  readonly territories: readonly Territory[];
  readonly whole: boolean;
  readonly line: number;
  readonly bank: number;
  readonly banks: number;
}

export default picture<Playback>("accesses", "memory accesses", draw);

function draw({ el, value, again, announce, signal }: PictureContext<Playback>): void {
  const { grids, moments } = value;
  const invocations = value.size.reduce((product, each) => product * each, 1);
  const boards = grids.map((grid, n) => board(grid, n, moments, { invocations, ...value }));
  const words = element("p", { class: "wb-moment" });
  const show = (at: number): void => {
    const now = moments[at];
    if (now === undefined) return;
    for (const each of boards) each.draw(at);
    words.textContent = sentence(value, at);
    words.classList.toggle("wb-caution", now.slow);
  };
  const controls = player({
    count: moments.length,
    label: "moment",
    marks: moments.flatMap(({ kind }, at) => (kind === "barrier" ? [at] : [])),
    show,
    rest: (at) => { announce(sentence(value, at)); },
    signal,
  });
  el.append(
    choices(value, again),
    element("div", { class: "wb-boards" },
      ...boards.map((each) => each.el),
      ...owned(value, again)),
    words,
    controls,
    element("p", { class: "wb-foot" }, legend(value)),
  );
}

function sentence({ moments, grids }: Playback, at: number): string {
  const now = moments[at];
  if (now === undefined) return "";
  const name = grids[now.grid]?.name;
  const what = name === undefined ? "barrier: all invocations wait" : `${now.kind} ${name}`;
  const cost = now.words === "" ? "" : `: ${now.words}`;
  return `${String(at + 1)} of ${String(moments.length)}: ${what} ${now.place}${cost}`;
}

function legend({ line, banks, whole, moments }: Playback): string {
  const cut = whole ? "" : ` Only the first ${String(moments.length)} moments are kept.`;
  return (
    "Colours tell invocations apart, and workgroups where they are named; frames are cache lines " +
    `of ${String(line)} bytes, dashed where fewer would do; crosses mark the busiest of ` +
    `${String(banks)} banks (modelled).${cut}`
  );
}

/** Who writes what; a press on an element shows its workgroup. */
function owned(value: Playback, again: PictureContext<Playback>["again"]): HTMLElement[] {
  const { kernel, workgroups, territories } = value;
  const [x, y] = workgroups;
  const [i, j, k] = value.workgroup;
  return territories.map((each) =>
    territory(each, i + x * (j + y * k), (number) => {
      const rest = Math.floor(number / x);
      again({ kernel, workgroup: [number % x, rest % y, Math.floor(rest / y)] });
    }),
  );
}

/** Which kernel and which workgroup. */
function choices(value: Playback, again: PictureContext<Playback>["again"]): HTMLElement {
  const kernel = kernelChoice(value.kernels, value.kernel, (number) => {
    again({ kernel: number });
  });
  const workgroup = idFields("workgroup", value.workgroups, value.workgroup, (id) => {
    again({ kernel: value.kernel, workgroup: id });
  });
  return element("div", { class: "wb-controls" }, kernel, workgroup);
}
