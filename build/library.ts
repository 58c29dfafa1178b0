/**
 * Makes the library: one module for Node, and its declarations.
 *
 * Runs:     on the build machine.
 * Promises: the library and the executable of one build know each other by its id.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { build } from "esbuild";
import { library, root } from "./paths.ts";
import { run } from "./run.ts";
import type { BuildIdentity } from "./sea.ts";

const entry = `${root}/src/library/library.ts`;
/** The oldest that `engines` of package.json names. */
const target = "node20";

export async function makeLibrary(identity: BuildIdentity): Promise<void> {
  const folder = dirname(library);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await build({
    ...{ entryPoints: [entry], outfile: library, bundle: true, platform: "node", format: "esm", target },
    define: {
      FENCE_BUILD_ID: JSON.stringify(identity.buildId),
      FENCE_VERSION: JSON.stringify(identity.version),
    },
    keepNames: true, // of errors: they are printed
    legalComments: "none",
    logLevel: "warning",
  });
  run(process.execPath, [
    `${root}/node_modules/typescript/bin/tsc`,
    "--project",
    `${root}/build/library.tsconfig.json`,
  ]);
  for (const path of globSync("types/**/*.d.ts", { cwd: folder })) nameEmitted(`${folder}/${path}`);
  writeFileSync(`${folder}/index.d.ts`, 'export * from "./types/library/library.js";\n');
}

/** tsc leaves the names of the sources in declarations: `./a.ts` would have to be found as `./a.d.ts`. */
function nameEmitted(declarations: string): void {
  const text = readFileSync(declarations, "utf8");
  writeFileSync(declarations, text.replace(/(from "\.[^"]*)\.ts"/g, '$1.js"'));
}
