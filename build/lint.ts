/**
 * Runs the formatter and linter, Biome, with the options given.
 *
 * Runs:     on the build machine (npm run check, npm run format).
 * Source:   the binary's own package: npm 11 refuses a lock file for Biome's wrapper when a registry lacks the binary of
 *           any other platform
 */
import { spawnSync } from "node:child_process";
import { root } from "./paths.ts";

const biome = `${root}/node_modules/@biomejs/cli-linux-${process.arch}/biome`;
const { status, error } = spawnSync(biome, ["check", ...process.argv.slice(2), "."], { cwd: root, stdio: "inherit" });
if (error !== undefined) throw new Error(`cannot run ${biome}: ${error.message}`);
process.exitCode = status ?? 1;
