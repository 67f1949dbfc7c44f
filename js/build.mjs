// Bundles src/index.ts into the one file that the Python package ships.
//   node build.mjs [--development] [--digest=TEXT]
// --development keeps names and adds a source map; --digest is written into the first line, where
// hatch_build.py finds it again and sees whether the bundle belongs to the sources.
// Not here: type checking (npm run types) and the hosting of pages.
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";
import { bundled } from "./plugins.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const outfile = join(here, "..", "workbench", "widget", "static", "workbench.js");
const known = /^--(development|digest=\w+)$/;
const unknown = process.argv.slice(2).filter((option) => !known.test(option));
if (unknown.length > 0) {
  console.error(`unknown option ${unknown[0]}; known are --development and --digest=TEXT`);
  process.exit(2);
}
const development = process.argv.includes("--development");
const digest = process.argv.find((option) => option.startsWith("--digest="))?.slice(9) ?? "none";

await mkdir(dirname(outfile), { recursive: true });
const { metafile } = await esbuild.build({
  entryPoints: [join(here, "src", "index.ts")],
  outfile,
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  minify: !development,
  sourcemap: development ? "inline" : false,
  legalComments: "none",
  banner: { js: `/* sources ${digest} */` },
  metafile: true,
  logLevel: "warning",
  plugins: [bundled({ minify: !development })],
});
const [output] = Object.values(metafile.outputs);
console.log(`workbench.js: ${Math.round(output.bytes / 1000)} kB`);
