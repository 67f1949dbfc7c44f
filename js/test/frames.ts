import { frameOf, head } from "../src/protocol.ts";

/** A binary frame as it crosses. */
export function packFrame(id: number, offset: number, payload: Uint8Array): ArrayBuffer {
  const frame = frameOf(payload);
  head(frame, id, offset);
  return frame.buffer;
}
