/**
 * Builds the C parts: the stub with the C compiler, the N-API addon with node-gyp.
 *
 * Runs:     on the build machine.
 * Promises: needs no network: the addon's headers come from the npm package of the Node that is packed.
 */
import { copyFileSync, globSync, mkdirSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { addonPackage, addonPrebuild, nodeGyp, nodePackage, root, stub } from "./paths.ts";
import { run } from "./run.ts";

export function buildAddon(): void {
  run(process.execPath, [nodeGyp, "rebuild", "--silent", `--nodedir=${nodePackage}`], { cwd: addonPackage });
  mkdirSync(dirname(addonPrebuild), { recursive: true });
  // Processes that have loaded the old one would crash if it changed beneath them: a rename leaves it to them.
  const fresh = `${addonPrebuild}.${process.pid}`;
  copyFileSync(`${addonPackage}/build/Release/landlock_napi.node`, fresh);
  renameSync(fresh, addonPrebuild);
}

export const strictFlags = [
  ..."-std=gnu11 -Wall -Wextra -Werror -Wconversion -Wshadow -Wvla -Wmissing-prototypes -fanalyzer".split(" "),
];

/** No libc: freestanding, no stack protector; no loader either: static-PIE without relocations. */
export const stubFlags = [
  ..."-Os -ffreestanding -nostdlib -fPIE -static-pie -fno-stack-protector -fvisibility=hidden".split(" "),
  ..."-fcf-protection=none -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns".split(" "),
  ..."-Wl,-e,fence_start -Wl,--build-id=none -Wl,-z,noseparate-code -s".split(" "),
];

/** Relative to the project's root. */
export function stubSources(): readonly string[] {
  return globSync("native/stub/*.c", { cwd: root }).sort();
}

export function buildStub(): void {
  run("cc", [...strictFlags, ...stubFlags, "-o", stub, ...stubSources()], { cwd: root });
  const relocations = run("readelf", ["--relocs", "--wide", stub]);
  if (!relocations.includes("There are no relocations")) {
    throw new Error(`the stub needs relocations, which nobody would make:\n${relocations}`);
  }
}

if (import.meta.main) buildAddon();
