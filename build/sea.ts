/**
 * Makes the Node SEA: bundles the TypeScript, strips the pinned Node, injects the one into the other.
 *
 * Runs:     on the build machine, under the same Node that is packed: else V8 rejects the code cache.
 * Promises: the SEA takes no options from NODE_OPTIONS or the command line.
 * Source:   https://nodejs.org/api/single-executable-applications.html
 */
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { filterBytes, filterNames } from "../src/seccomp/filters.ts";
import { cacheAllFunctions } from "./code-cache.ts";
import { patchNode } from "./node-patch.ts";
import { bundle, packedNode, parts, postject, root, sea, strippedNode } from "./paths.ts";
import { run } from "./run.ts";

export interface BuildIdentity {
  /** 16 bytes in hexadecimal: ties the bundle to the stub it is packed with. */
  readonly buildId: string;
  readonly version: string;
}

export async function makeBundle(identity: BuildIdentity): Promise<void> {
  await build({
    entryPoints: [`${root}/src/main.ts`],
    outfile: bundle,
    bundle: true,
    platform: "node",
    target: "node26",
    format: "cjs",
    // jsonc-parser's "main" is UMD, which no bundler can follow.
    mainFields: ["module", "main"],
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    define: {
      FENCE_BUILD_ID: JSON.stringify(identity.buildId),
      FENCE_VERSION: JSON.stringify(identity.version),
      FENCE_FILTERS: JSON.stringify(filters()),
    },
    logLevel: "warning",
  });
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

export function makeSea(): void {
  const blob = `${parts}/sea.blob`;
  const config = `${parts}/sea.json`;
  writeFileSync(
    config,
    JSON.stringify({
      main: bundle,
      output: blob,
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      useSnapshot: false,
      execArgvExtension: "none",
      // Any process of the user could make the set-up and the bridges open a debugger's port.
      execArgv: ["--disable-sigusr1"],
    }),
  );
  run(packedNode, ["--experimental-sea-config", config]);
  cacheAllFunctions(blob, bundle);
  writeFileSync(sea, readFileSync(strippedNode), { mode: 0o755 });
  // Its command, not its function: what it warns of is only worth reading when it fails.
  run(packedNode, [postject, sea, "NODE_SEA_BLOB", blob, "--sentinel-fuse", fuse]);
}
