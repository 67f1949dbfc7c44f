import { expect, it } from "vitest";
import { Recent } from "../src/recent.ts";

it("drops the value that was not used for longest", () => {
  const dropped: string[] = [];
  const recent = new Recent<number>(2, (value, key) => dropped.push(`${key}${value}`));
  recent.set("a", 1);
  recent.set("b", 2);
  recent.get("a");
  recent.set("c", 3);

  expect(dropped).toEqual(["b2"]);
  expect([recent.get("a"), recent.get("b"), recent.get("c")]).toEqual([1, undefined, 3]);
  recent.delete("a");
  recent.clear();

  expect(dropped).toEqual(["b2", "c3"]);
});
