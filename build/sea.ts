/**
 * Makes the Node SEA: bundles the TypeScript, strips the pinned Node, injects the one into the other.
 *
 * Runs:     on the build machine, under the same Node that is packed: else V8 rejects the code cache.
 * Promises: the SEA takes no options from NODE_OPTIONS or the command line.
 * Source:   https://nodejs.org/api/single-executable-applications.html
 */
import { readFileSync, writeFileSync } from "node:fs";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { filterBytes, filterNames } from "../src/seccomp/filters.ts";
import { cacheAllFunctions } from "./code-cache.ts";
import { patchNode } from "./node-patch.ts";
import {
  bundle,
  type PartName,
  packedNode,
  partBundle,
  partNames,
  postject,
  root,
  strippedNode,
  training,
  trainingBundle,
} from "./paths.ts";
import { run } from "./run.ts";

export interface BuildIdentity {
  /** 16 bytes in hexadecimal: ties the bundle to the stub it is packed with. */
  readonly buildId: string;
  readonly version: string;
}

/** What picks the role, and what each does: a role starts the faster for what it does not read. */
export async function makeBundles(identity: BuildIdentity): Promise<void> {
  await makeBundle(identity, { entry: "main.ts", outfile: bundle });
  await makeBundle(identity, { entry: "main.ts", outfile: trainingBundle, training });
  for (const name of partNames)
    await makeBundle(identity, { entry: `${name}.ts`, outfile: partBundle(name), ...wrapped });
}

/** A part is a script whose value is a function: only the bytecode of scripts can be taken after they have run. */
const wrapped = { banner: { js: "(function(exports,require,module){" }, footer: { js: "})" } } as const;

interface BundleFiles extends Pick<BuildOptions, "banner" | "footer"> {
  readonly entry: string;
  readonly outfile: string;
  /** Where it is to write what it has learnt. */
  readonly training?: string;
}

async function makeBundle(
  identity: BuildIdentity,
  { entry, outfile, training = "", ...around }: BundleFiles,
): Promise<void> {
  await build({
    entryPoints: [`${root}/src/${entry}`],
    outfile,
    ...around,
    bundle: true,
    plugins: [partsFromExecutable, shaken("jsonc-parser", ["createScanner", "parseTree", "printParseErrorCode"])],
    platform: "node",
    target: "node26",
    format: "cjs",
    // Neither part is a module that could import: a library of Node that is loaded on demand is required.
    supported: { "dynamic-import": false },
    // jsonc-parser's "main" is UMD, which no bundler can follow.
    mainFields: ["module", "main"],
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    define: {
      FENCE_BUILD_ID: JSON.stringify(identity.buildId),
      FENCE_VERSION: JSON.stringify(identity.version),
      FENCE_FILTERS: JSON.stringify(filters()),
      FENCE_TRAINING: JSON.stringify(training),
    },
    logLevel: "warning",
  });
}

const partsFromExecutable: Plugin = {
  name: "parts-from-executable",
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`^\\./(${partNames.join("|")})\\.ts$`) }, ({ path, kind }) =>
      kind === "dynamic-import" ? { path: `${root}/src/packed-${path.slice(2)}` } : null,
    );
  },
};

/**
 * esbuild keeps all of a library that is loaded on demand, and runs it: 3 ms of jsonc-parser's are for the formatter alone. So
 * what is used of it is bundled beforehand; any other name is an error of the build.
 */
function shaken(library: string, names: readonly string[]): Plugin {
  const unused: Plugin = {
    name: "without side effects",
    setup(inner) {
      inner.onResolve({ filter: /./ }, async ({ path, pluginData, kind, ...rest }) => {
        if (pluginData === "asked") return null;
        const found = await inner.resolve(path, { ...rest, kind, pluginData: "asked" });
        return { ...found, sideEffects: false };
      });
    },
  };
  return {
    name: `only what is used of ${library}`,
    setup(outer) {
      outer.onLoad({ filter: new RegExp(`/node_modules/${library}/`) }, async () => {
        const { outputFiles } = await build({
          stdin: { contents: `export { ${names.join(", ")} } from "${library}";`, resolveDir: root },
          ...{ bundle: true, format: "esm", write: false, mainFields: ["module"], plugins: [unused] },
        });
        return { contents: outputFiles[0]?.text ?? "" };
      });
    },
  };
}

/** As src/seccomp/filters.ts reads them. */
function filters(): string {
  const architecture = process.arch === "arm64" ? "arm64" : "x64";
  return filterNames.map((name) => Buffer.from(filterBytes(name, architecture)).toString("base64")).join(",");
}

export function stripNode(): void {
  run("strip", ["-o", strippedNode, packedNode]);
  patchNode(strippedNode);
}

const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

export interface SeaParts {
  /** What picks the role. */
  readonly main: string;
  /** The code cache of each part. */
  readonly caches: Readonly<Record<PartName, string>>;
  readonly output: string;
}

export function makeSea({ main, caches, output }: SeaParts): void {
  const blob = `${output}.blob`;
  const config = `${output}.json`;
  const assets = Object.fromEntries(
    partNames.flatMap((name) => [
      [`${name}.cjs`, partBundle(name)],
      [`${name}.cache`, caches[name]],
    ]),
  );
  writeFileSync(
    config,
    JSON.stringify({
      main,
      output: blob,
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      useSnapshot: false,
      execArgvExtension: "none",
      assets,
      // Any process of the user could make the set-up and the bridges open a debugger's port. A launch allocates 3 MB in all:
      // collecting them, as V8 would after 1 MB, takes longer than the memory is worth. Nothing here keeps V8's four
      // threads busy, and each takes its time to start.
      execArgv: ["--disable-sigusr1", "--min-semi-space-size=4", "--v8-pool-size=1"],
    }),
  );
  run(packedNode, ["--experimental-sea-config", config]);
  cacheAllFunctions(blob, main);
  writeFileSync(output, readFileSync(strippedNode), { mode: 0o755 });
  // Its command, not its function: what it warns of is only worth reading when it fails.
  run(packedNode, [postject, output, "NODE_SEA_BLOB", blob, "--sentinel-fuse", fuse]);
}
