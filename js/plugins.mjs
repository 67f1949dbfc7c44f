// The two kinds of import that only this project has, for esbuild and for Vite (which runs the tests):
//   import worker from "worker:./gpu/worker.ts"   the text of that file, bundled to run by itself
//   import views from "views:./views"             the default exports of every file in that folder
// What they mean to the type checker is written in src/virtual.d.ts.
import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import esbuild from "esbuild";

/** The source of a module whose default export is the text of `path`, bundled on its own. */
async function workerModule(path, minify) {
  const built = await esbuild.build({
    entryPoints: [path],
    bundle: true,
    format: "iife",
    target: "es2022",
    minify,
    write: false,
    logLevel: "silent",
    plugins: [bundled({ minify })], // a worker may start workers
  });
  return `export default ${JSON.stringify(built.outputFiles[0].text)};`;
}

/** The source of a module whose default export lists the views of `folder`, in order of name. */
async function viewsModule(folder) {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".ts")).sort();
  const imports = names.map((name, i) => {
    return `import view${i} from ${JSON.stringify(join(folder, name))};`;
  });
  const list = names.map((_, i) => `view${i}`).join(", ");
  return [...imports, `export default [${list}];`].join("\n");
}

const load = {
  worker: (path, minify) => workerModule(path, minify),
  views: (path) => viewsModule(path),
};

/** The plugin for esbuild; `minify` is for the text of workers. */
export function bundled({ minify }) {
  return {
    name: "workbench",
    setup(build) {
      build.onResolve({ filter: /^(worker|views):/ }, ({ path, resolveDir }) => {
        const [kind, file] = path.split(":", 2);
        return { path: resolve(resolveDir, file), namespace: kind };
      });
      for (const kind of ["worker", "views"]) {
        build.onLoad({ filter: /.*/, namespace: kind }, async ({ path }) => ({
          contents: await load[kind](path, minify),
          loader: "js",
          resolveDir: dirname(path),
        }));
      }
    },
  };
}

/** The same for Vite. */
export function tested() {
  return {
    name: "workbench",
    resolveId(source, importer) {
      const [kind, file] = source.split(":", 2);
      if (!(kind in load) || importer === undefined) return null;
      return `\0${kind}:${resolve(dirname(importer), file)}`;
    },
    load(id) {
      const [kind, path] = id.replace("\0", "").split(":", 2);
      return id.startsWith("\0") && kind in load ? load[kind](path, false) : null;
    },
  };
}
