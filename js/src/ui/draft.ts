// A text on its way into the kernel process: compiled once typing pauses, run once it is left.
// Pure but for its timers; nothing here draws.

import type { Failure } from "../model.ts";

/** Milliseconds without a key until a text is sent. */
export const pause = 300;
/** Milliseconds until it is said that no answer came. */
export const patience = 2000;

export type Phase =
  /** Taken; `run` once it was run as well. */
  | { readonly kind: "taken"; readonly run: boolean }
  | { readonly kind: "typing" }
  | { readonly kind: "sent"; readonly run: boolean }
  /** Sent, and the kernel is busy or gone. */
  | { readonly kind: "silent" }
  | { readonly kind: "refused"; readonly failure: Failure };

export interface DraftOptions {
  readonly text: () => string;
  /** Gives a text to Python, to be run as well where it is released; says why not. */
  readonly send: (text: string, release: boolean) => Promise<Failure | null>;
  readonly changed: (phase: Phase) => void;
  readonly signal: AbortSignal;
}

export interface Draft {
  readonly phase: () => Phase;
  /** Somebody types. */
  readonly typed: () => void;
  /** Sends what is not sent, and has it run. */
  readonly leave: () => void;
  /** The text is one that Python gave. */
  readonly given: () => void;
}

const taken: Phase = { kind: "taken", run: true };

export function draft(options: DraftOptions): Draft {
  const { changed, signal } = options;
  let phase: Phase = taken;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const become = (now: Phase): void => {
    phase = now;
    if (!signal.aborted) changed(now);
  };
  const sender = sending(options, become);
  const go = (release: boolean): void => {
    clearTimeout(timer);
    sender.go(release);
  };
  signal.addEventListener("abort", () => { clearTimeout(timer); });
  return {
    phase: () => phase,
    typed() {
      clearTimeout(timer);
      timer = setTimeout(() => { go(false); }, pause);
      become({ kind: "typing" });
    },
    leave() {
      const resting = phase.kind === "refused" || (phase.kind === "taken" && phase.run);
      if (!resting) go(true);
    },
    given() {
      clearTimeout(timer);
      sender.forget();
      become(taken);
    },
  };
}

/** Sends one text at a time; of those that are to go meanwhile, the last one. */
function sending({ text, send }: DraftOptions, become: (phase: Phase) => void) {
  let busy = false;
  let next: "none" | "compile" | "run" = "none";
  const go = (release: boolean): void => {
    if (busy) {
      next = release || next === "run" ? "run" : "compile";
      return;
    }
    busy = true;
    const sent = text();
    become({ kind: "sent", run: release });
    const slow = setTimeout(() => { become({ kind: "silent" }); }, patience);
    const done = (answered: () => void): void => {
      clearTimeout(slow);
      busy = false;
      answered();
    };
    send(sent, release).then(
      (failure) => { done(() => { heard(sent, release, failure); }); },
      () => {
        done(() => {
          next = "none";
          become({ kind: "silent" });
        });
      },
    );
  };
  const heard = (sent: string, release: boolean, failure: Failure | null): void => {
    const waiting = next;
    next = "none";
    const same = sent === text();
    if (waiting !== "none" && !(same && failure !== null)) go(waiting === "run");
    else if (!same) become({ kind: "typing" });
    else become(failure === null ? { kind: "taken", run: release } : { kind: "refused", failure });
  };
  return { go, forget: () => { next = "none"; } };
}
