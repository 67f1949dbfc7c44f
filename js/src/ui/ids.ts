// Fields for an (x, y, z) id; axes of extent 1 have none.

import { element } from "./dom.ts";

type Id = readonly [number, number, number];

/** A field for each axis along which there is a choice; `change` gets the whole id. */
export function idFields(
  label: string,
  extents: Id,
  start: Id,
  change: (id: readonly number[]) => void,
): HTMLElement {
  const id: number[] = [...start];
  const fields = extents.map((extent, axis) => {
    const field = element("input", {
      type: "number", min: 0, max: extent - 1, value: start[axis] ?? 0, class: "wb-choice",
      "aria-label": `${label} ${"xyz".charAt(axis)}`, hidden: extent === 1,
    });
    field.addEventListener("change", () => {
      id[axis] = Math.trunc(Number(field.value));
      change(id);
    });
    return field;
  });
  const alone = extents.every((extent) => extent === 1);
  return element("span", { class: "wb-ids" }, alone ? null : `${label} `, ...fields);
}
