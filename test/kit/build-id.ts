/**
 * Which build is tested.
 *
 * Runs:     in tests.
 */
import { spawnSync } from "node:child_process";
import { fence } from "./sandbox.ts";

/** As the executable itself says it. */
export function fenceBuildId(): string {
  return JSON.parse(spawnSync(fence, ["--version", "--json"], { encoding: "utf8" }).stdout).buildId;
}
