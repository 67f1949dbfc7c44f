import { describe, expect, it } from "vitest";
import {
  bytesOf,
  failureOf,
  GpuFailure,
  outsideMessage,
  parseRequests,
  type Program,
  unpackFrame,
} from "../src/protocol.ts";
import { packFrame } from "./frames.ts";

describe("frames", () => {
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
  const access = "x[i] in line 1 reads outside its extent 5\n    1 | y = x[i]\n            ^^^^";
  const program = { name: "f", accesses: [access] } as unknown as Program;

  it("says the index before the line of the source", () => {
    expect(outsideMessage(program, 0, -3)).toBe(
      "'f': x[i] in line 1 reads outside its extent 5: the index is -3\n" +
        "    1 | y = x[i]\n            ^^^^",
    );
  });

  it("is nothing for an access that the program does not have", () => {
    expect(outsideMessage(program, 1, 0)).toBeUndefined();
  });
});

describe("parseRequests", () => {
  it("refuses what is no request", () => {
    expect(() => parseRequests('{"kind": "reboot"}')).toThrow("unknown message from the kernel");
  });

  it("takes a request", () => {
    expect(parseRequests('{"kind": "ping", "id": 3}')).toEqual([{ kind: "ping", id: 3 }]);
  });

  it("takes a list, and refuses it for one that is no request", () => {
    const list = '[{"kind": "free", "id": 3, "buffers": []}, {"kind": "ping", "id": 4}]';

    expect(parseRequests(list).map(({ id }) => id)).toEqual([3, 4]);
    expect(() => parseRequests('[{"kind": "ping", "id": 4}, {"kind": "reboot"}]')).toThrow("unknown");
  });
});

describe("failureOf", () => {
  it("keeps a failure and wraps anything else", () => {
    const failure = { kind: "limit", message: "too much" } as const;

    expect(failureOf(new GpuFailure(failure))).toBe(failure);
    expect(failureOf(new TypeError("no"))).toEqual({ kind: "internal", message: "no" });
  });
});
