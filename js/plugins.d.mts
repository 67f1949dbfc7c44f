import type { Plugin as EsbuildPlugin } from "esbuild";
import type { Plugin } from "vitest/config";

export function bundled(options: { readonly minify: boolean }): EsbuildPlugin;
export function tested(): Plugin;
