/**
 * Builds the N-API addon with node-gyp against exactly the Node that is packed.
 *
 * Runs:     on the build machine.
 * Promises: needs no network: the headers come from the same npm package as the Node binary.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { addonPackage, addonPrebuild, nodeGyp, nodePackage } from "./paths.ts";
import { run } from "./run.ts";

export function buildAddon(): void {
  run(process.execPath, [nodeGyp, "rebuild", "--silent", `--nodedir=${nodePackage}`], { cwd: addonPackage });
  mkdirSync(dirname(addonPrebuild), { recursive: true });
  copyFileSync(`${addonPackage}/build/Release/landlock_napi.node`, addonPrebuild);
}

if (import.meta.main) buildAddon();
