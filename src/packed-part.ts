/**
 * Loads a part of the executable's scripts, which each role reads only as far as it needs them.
 *
 * Runs:     host and sandbox, in the packed executable.
 * Source:   https://nodejs.org/api/single-executable-applications.html, assets; build/sea.ts
 */
import { getAsset, getRawAsset } from "node:sea";
import { compileFunction } from "node:vm";
import { Messages } from "./sys/messages.ts";

/** As Node wraps a CommonJS module. */
const parameters = ["exports", "require", "module"];

/** What the part `name` exports. */
export function loadPart<Part>(name: "host" | "roles"): Part {
  const compiled = compileFunction(getAsset(`${name}.cjs`, "utf8"), parameters, {
    filename: `${name}.cjs`,
    cachedData: Buffer.from(getRawAsset(`${name}.cache`)),
  });
  // It works without, but slower: the build is wrong.
  if (compiled.cachedDataRejected === true) new Messages().write(`fence: the code cache of ${name}.cjs was rejected\n`);
  const module = { exports: {} };
  compiled(module.exports, process.getBuiltinModule, module);
  return module.exports as Part;
}
