// What the page is told of a live kernel: the page's side of workbench/widget/live.py.

import type { Program } from "../protocol.ts";

interface Scalar {
  readonly name: string;
  readonly dtype: string;
}

export interface Slider extends Scalar {
  readonly kind: "slider";
  readonly low: number;
  readonly high: number;
  readonly start: number;
}

export interface Follower extends Scalar {
  readonly kind: "follower";
  readonly follows: "time" | "frame" | "pointer.x" | "pointer.y" | "pointer.down";
}

export interface Fixed extends Scalar {
  readonly kind: "fixed";
  readonly value: number;
}

/** One for each scalar of the program, in its order. */
export type Control = Slider | Follower | Fixed;

export interface Picture {
  /** The output that is drawn. */
  readonly output: string;
  readonly drawn: "image" | "line" | "number";
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The values of the darkest and the lightest colour; null: those of each frame. */
  readonly range: readonly [number, number] | null;
}

export interface Plan {
  readonly title: string;
  /** Names the kernel process whose buffers the inputs are. */
  readonly token: string;
  readonly program: Program;
  /** The handles of the inputs by name. */
  readonly inputs: Readonly<Record<string, number>>;
  readonly controls: readonly Control[];
  /** For outputs that are a parameter's next values: the input that they become. */
  readonly feedback: Readonly<Record<string, string>>;
  readonly steps: number;
  readonly picture: Picture;
}

/** What moves a live kernel between two frames. */
export interface Settings {
  /** The values of the sliders, by name. */
  readonly sliders: Readonly<Record<string, number>>;
  /** Column and row of the picture, and whether a button is down. */
  readonly pointer: { readonly x: number; readonly y: number; readonly down: boolean };
  readonly playing: boolean;
  /** Grows with every wish to start anew. */
  readonly restarts: number;
}

/** What is said about a live kernel now and then, within the page. */
export interface LiveReport {
  readonly frames: number;
  /** Frames of the last second. */
  readonly rate: number;
  /** Milliseconds of JavaScript a frame, of the last second. */
  readonly busy: number;
  /** The value of a picture that is a number. */
  readonly value?: number;
  /** Why it ended, if it did. */
  readonly failure?: string;
}

/** Pixels of the picture: columns and rows. */
export function sizeOf({ drawn, shape }: Picture): readonly [number, number] {
  switch (drawn) {
    case "image":
      return [shape[1] ?? 1, shape[0] ?? 1];
    case "line":
      return [640, 240];
    case "number":
      return [1, 1];
    default:
      return drawn satisfies never;
  }
}

const bits = new DataView(new ArrayBuffer(4));

/** The 32 bits of a scalar as the uniform block wants them. */
export function wordOf(value: number, dtype: string): number {
  if (dtype.startsWith("f")) bits.setFloat32(0, value);
  else if (dtype === "bool") bits.setUint32(0, value ? 1 : 0);
  else bits.setInt32(0, Math.trunc(value));
  return bits.getUint32(0);
}

/** Seconds of playing so far, and the number of the frame. */
export interface Moment {
  readonly seconds: number;
  readonly frame: number;
}

function followed(
  follows: Follower["follows"],
  { pointer }: Settings,
  { seconds, frame }: Moment,
): number {
  switch (follows) {
    case "time": return seconds;
    case "frame": return frame;
    case "pointer.x": return pointer.x;
    case "pointer.y": return pointer.y;
    case "pointer.down": return pointer.down ? 1 : 0;
    default: return follows satisfies never;
  }
}

/** The value of a scalar at a frame. */
export function valueOf(
  control: Control,
  settings: Settings,
  moment: Moment,
): number {
  switch (control.kind) {
    case "slider":
      return settings.sliders[control.name] ?? control.start;
    case "fixed":
      return control.value;
    case "follower":
      return followed(control.follows, settings, moment);
    default:
      return control satisfies never;
  }
}
