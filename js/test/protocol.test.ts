import { describe, expect, it } from "vitest";
import {
  bytesOf,
  failureOf,
  GpuFailure,
  outsideMessage,
  PROGRAM_FORMAT,
  type Program,
  unpackFrame,
} from "../src/protocol.ts";
import { parseRequests } from "../src/requests.ts";
import { packFrame } from "./frames.ts";

const SOUND: readonly object[] = [
  { kind: "compile", id: 1, engine: "gpu", key: "k", program: { version: PROGRAM_FORMAT } },
  { kind: "alloc", id: 1, engine: "wasm", buffer: 1, bytes: 4 },
  { kind: "write", id: 1, engine: "gpu", buffer: 1, offset: 0, bytes: 4 },
  {
    kind: "run", id: 1, engine: "gpu", key: "k", buffers: { a: 1 }, scalars: [3],
    timed: true, traced: false, deadline_ms: 1.5,
  },
  { kind: "read", id: 1, engine: "gpu", buffer: 1, offset: 0, bytes: 4 },
  { kind: "free", id: 1, engine: "gpu", buffers: [1, 2] },
  { kind: "ping", id: 1 },
  { kind: "cancel", id: 0, through: 3 },
];
const ODD: readonly unknown[] = [null, true, -1, 1.5, 2 ** 60, "", "constructor", [], {}, [null]];

/** Numbers from 0 to 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The object with one of its values left out or of another type. */
function changed(sound: object, random: () => number): object {
  const entries = Object.entries(sound) as [string, unknown][];
  const place = Math.floor(random() * entries.length);
  const odd = ODD[Math.floor(random() * ODD.length)];
  const kept = entries.filter((_, n) => n !== place);
  if (random() < 0.2) return Object.fromEntries(kept);
  return Object.fromEntries([...kept, [entries[place]?.[0] ?? "", odd]]);
}

describe("frames", () => {
  it("refuses one without a header", () => {
    for (let bytes = 0; bytes < 16; bytes += 1) {
      expect(() => unpackFrame(new ArrayBuffer(bytes))).toThrow(GpuFailure);
    }
  });

  it("give back what was packed, beyond 4 GiB too", () => {
    const offset = 2 ** 33 + 8;
    const frame = unpackFrame(packFrame(7, offset, new Uint8Array([1, 2, 3])));

    expect(frame).toEqual({ id: 7, offset, payload: new Uint8Array([1, 2, 3]) });
  });
});

describe("bytesOf", () => {
  const plan = { name: "b", dtype: "f32", shape: [3, 5] } as const;

  it("is four an element", () => {
    expect(bytesOf({ ...plan, role: "temporary" }, 0)).toBe(60);
  });

  it("rounds an odd number of halves up to words", () => {
    expect(bytesOf({ ...plan, dtype: "f16", role: "input" }, 0)).toBe(32);
  });

  it("is never nothing", () => {
    expect(bytesOf({ ...plan, shape: [0, 5], role: "output" }, 0)).toBe(4);
  });

  it("pads scalars to 16", () => {
    expect(bytesOf({ ...plan, role: "scalars" }, 5)).toBe(32);
  });
});

describe("outsideMessage", () => {
  const text = "x[i] in line 1 reads outside its extent 5\n    1 | y = x[i]\n            ^^^^";
  const best = { text: "max(...) in line 1 runs over nothing", indices: [], finds: true };
  const read = { text, indices: ["i", "k"], finds: false };
  const program = { name: "f", accesses: [read, best] } as unknown as Program;
  const status = (...words: number[]): number[] => [...new Uint32Array(words)];

  it("says the index and those around it before the line of the source", () => {
    expect(outsideMessage(program, status(1, ~0, 0, -3, 7, -1, 9))).toBe(
      "'f': x[i] in line 1 reads outside its extent 5: the index is -3 at i = 7, k = -1\n" +
        "    1 | y = x[i]\n            ^^^^",
    );
  });

  it("says no index of what was not found", () => {
    const said = "'f': max(...) in line 1 runs over nothing";
    expect(outsideMessage(program, status(1, ~1, 0, -1))).toBe(said);
  });

  it("is nothing where nothing is reported, and for an access that is not the program's", () => {
    expect(outsideMessage(program, status(0, 0, 0, 0))).toBeUndefined();
    expect(outsideMessage(program, status(1, ~2, 0, 0))).toBeUndefined();
  });
});

describe("parseRequests", () => {
  it("refuses what is no request", () => {
    expect(() => parseRequests('{"kind": "reboot"}')).toThrow("no request of kind reboot");
  });

  it("throws a failure and nothing else, whatever comes", () => {
    const random = randomFrom(7);
    let refused = 0;
    for (let n = 0; n < 5000; n += 1) {
      const sound = SOUND[Math.floor(random() * SOUND.length)] ?? {};
      const text = JSON.stringify(changed(sound, random));
      const cut = random() < 0.3 ? text.slice(0, Math.floor(random() * text.length)) : text;
      try {
        parseRequests(cut);
      } catch (cause) {
        expect(cause).toBeInstanceOf(GpuFailure);
        refused += 1;
      }
    }

    expect(refused).toBeGreaterThan(1000);
  });

  it.each(SOUND)("takes a request of each kind", (request) => {
    expect(parseRequests(JSON.stringify(request))).toEqual([request]);
  });

  it("takes a request", () => {
    expect(parseRequests('{"kind": "ping", "id": 3}')).toEqual([{ kind: "ping", id: 3 }]);
  });

  it("takes a list, and refuses it for one that is no request", () => {
    const list = '[{"kind": "free", "id": 3, "engine": "gpu", "buffers": []}, {"kind": "ping", "id": 4}]';

    expect(parseRequests(list).map(({ id }) => id)).toEqual([3, 4]);
    expect(() => parseRequests('[{"kind": "ping", "id": 4}, {"kind": "reboot"}]')).toThrow("no request of kind");
  });
});

describe("failureOf", () => {
  it("keeps a failure and wraps anything else", () => {
    const failure = { kind: "limit", message: "too much" } as const;

    expect(failureOf(new GpuFailure(failure))).toBe(failure);
    expect(failureOf(new TypeError("no"))).toEqual({ kind: "internal", message: "no" });
  });
});
