// Choosing a kernel, and an (x, y, z) id; axes of extent 1 have no field.

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

/** A list of the kernels of a program, from which one is chosen by its number. */
export function kernelChoice(
  names: readonly string[],
  chosen: number,
  change: (kernel: number) => void,
): HTMLElement {
  const list = element("select", { class: "wb-choice", "aria-label": "kernel" });
  names.forEach((name, n) => {
    list.append(element("option", { value: n, selected: n === chosen }, name));
  });
  list.addEventListener("change", () => { change(Number(list.value)); });
  return list;
}
