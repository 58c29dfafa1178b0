/**
 * Loads a part of the executable's scripts, which each role reads only as far as it needs them.
 *
 * Runs:     host and sandbox, in the packed executable.
 * Source:   https://nodejs.org/api/single-executable-applications.html, assets; build/sea.ts, build/training.ts
 */
import { getRawAsset } from "node:sea";
import { Script } from "node:vm";
import { Messages } from "./sys/messages.ts";

/** The folder in which the build waits for the bytecode of what was called; empty in the product. */
declare const FENCE_TRAINING: string;

type Wrapper = (exports: object, require: typeof process.getBuiltinModule, module: { exports: object }) => void;

/** What the part `name` exports. */
export function loadPart<Part>(name: "launch" | "commands" | "set-up" | "relays"): Part {
  // esbuild has written ASCII, which costs less to read as Latin-1.
  const script = new Script(Buffer.from(getRawAsset(`${name}.cjs`)).toString("latin1"), {
    filename: `${name}.cjs`,
    cachedData: Buffer.from(getRawAsset(`${name}.cache`)),
  });
  // It works without, but slower: the build is wrong.
  if (script.cachedDataRejected === true) new Messages().write(`fence: the code cache of ${name}.cjs was rejected\n`);
  if (FENCE_TRAINING !== "") process.on("exit", () => keepBytecode(name, script));
  const module = { exports: {} };
  const wrapper: Wrapper = script.runInThisContext();
  wrapper(module.exports, process.getBuiltinModule, module);
  return module.exports as Part;
}

function keepBytecode(name: string, script: Script): void {
  const { renameSync, writeFileSync } = process.getBuiltinModule("node:fs");
  const path = `${FENCE_TRAINING}/${name}.cache`;
  writeFileSync(`${path}.unfinished`, script.createCachedData());
  renameSync(`${path}.unfinished`, path);
}
