// Reads what a kernel process asks for: every field is checked before anything is done with it.

import { malformed, PROGRAM_FORMAT, type Request } from "./protocol.ts";

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isNumber: Check = (value) => typeof value === "number";
const isYesOrNo: Check = (value) => typeof value === "boolean";
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isRecord: Check = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const areCounts: Check = (value) => Array.isArray(value) && value.every(isCount);
const isEngine: Check = (value) => value === "gpu" || value === "wasm";
const isProgram: Check = (value) =>
  isRecord(value) && Reflect.get(value as object, "version") === PROGRAM_FORMAT;
const isTable: Check = (value) => isRecord(value) && areCounts(Object.values(value as object));

/** What the fields of each kind of request have to be. */
const FIELDS: Readonly<Record<Request["kind"], Readonly<Record<string, Check>>>> = {
  compile: { engine: isEngine, key: isText, program: isProgram },
  alloc: { engine: isEngine, buffer: isCount, bytes: isCount },
  write: {
    engine: isEngine,
    buffer: isCount,
    offset: isCount,
    bytes: isCount,
    content: (value) => value === undefined || isText(value),
  },
  run: {
    engine: isEngine,
    key: isText,
    buffers: isTable,
    scalars: areCounts,
    timed: isYesOrNo,
    traced: isYesOrNo,
    deadline_ms: isNumber,
  },
  read: { engine: isEngine, buffer: isCount, offset: isCount, bytes: isCount },
  free: { engine: isEngine, buffers: areCounts },
  ping: {},
  cancel: { through: isCount },
};

/** The fields of each kind, and the number that all have. */
const CHECKS: ReadonlyMap<string, readonly (readonly [string, Check])[]> = new Map(
  Object.entries(FIELDS).map(([kind, fields]) => [
    kind, [["id", isCount], ...Object.entries(fields)],
  ]),
);

/** The requests in a text frame, one or a list. Throws GpuFailure for whatever is none. */
export function parseRequests(text: string): readonly Request[] {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    throw malformed(text.slice(0, 80));
  }
  return (Array.isArray(message) ? message : [message]).map(checked);
}

function shown(message: unknown): string {
  return JSON.stringify(message).slice(0, 80);
}

function checked(message: unknown): Request {
  if (!isRecord(message)) throw malformed(shown(message));
  const request = message as Readonly<Record<string, unknown>>;
  const kind = String(request["kind"]);
  const checks = CHECKS.get(kind);
  if (checks === undefined) throw malformed(`no request of kind ${kind}`);
  for (const [name, check] of checks) {
    if (!check(request[name])) throw malformed(`${name} of ${shown(message)}`);
  }
  return message as Request;
}
