/** The frames of one write, between the socket that brings them and the GPU that takes them. */
import { type Frame, GpuFailure } from "../protocol.ts";

export interface Arrival {
  readonly push: (frame: Frame) => void;
  /** The next frame; waits for it. Rejects with GpuFailure when the connection ends. */
  readonly next: () => Promise<Frame>;
}

export function arrival(signal: AbortSignal): Arrival {
  const frames: Frame[] = [];
  let wake: (() => void) | undefined;
  signal.addEventListener("abort", () => wake?.());

  function push(frame: Frame): void {
    frames.push(frame);
    wake?.();
  }

  async function next(): Promise<Frame> {
    for (;;) {
      const frame = frames.shift();
      if (frame !== undefined) return frame;
      if (signal.aborted) throw new GpuFailure({ kind: "lost", message: "disconnected" });
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  return { push, next };
}
