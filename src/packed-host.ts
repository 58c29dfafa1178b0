/**
 * Loads the host's commands from the executable, where the bundle has this file in the place of host.ts.
 *
 * Runs:     host, in the packed executable.
 * Promises: the bootstrap reads none of it.
 * Source:   https://nodejs.org/api/single-executable-applications.html, assets; build/sea.ts
 */
import { getAsset, getRawAsset } from "node:sea";
import { compileFunction } from "node:vm";
import type * as Host from "./host.ts";
import { Messages } from "./sys/messages.ts";

/** As Node wraps a CommonJS module. */
const parameters = ["exports", "require", "module"];

function load(): typeof Host {
  const compiled = compileFunction(getAsset("host.cjs", "utf8"), parameters, {
    filename: "host.cjs",
    cachedData: Buffer.from(getRawAsset("host.cache")),
  });
  // It works without, but slower: the build is wrong.
  if (compiled.cachedDataRejected === true)
    new Messages().write("fence: the code cache of the host's part was rejected\n");
  const module = { exports: {} };
  compiled(module.exports, process.getBuiltinModule, module);
  return module.exports as typeof Host;
}

export const { runHostCommand, runLaunch, runService } = load();
