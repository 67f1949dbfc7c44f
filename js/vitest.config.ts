// Unit tests of the page's code, in Node; a test that draws asks for jsdom in its first line:
// // @vitest-environment jsdom
import { defineConfig } from "vitest/config";
import { tested } from "./plugins.mjs";

export default defineConfig({
  plugins: [tested()],
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    restoreMocks: true,
  },
});
