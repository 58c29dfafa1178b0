/**
 * Loads the whole addon: the prebuilt one of the package, else the one that `npm run rebuild` made.
 *
 * Runs:     in Node, where the package is installed.
 * Promises: a prebuilt addon that is there but does not load is an error, never passed over.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const prebuild = `prebuilds/${process.platform}-${process.arch}/landlock_napi.node`;
const build = "build/Release/landlock_napi.node";

function addonPath() {
  const paths = [prebuild, build].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error(`landlock-napi is not built for ${process.platform}-${process.arch}: no ${paths.join(" and no ")}`);
  }
  return found;
}

export default createRequire(import.meta.url)(addonPath());
