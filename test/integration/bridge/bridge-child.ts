/**
 * `fence bridge` without the executable: its arguments are the bridges.
 *
 * Runs:     in a child process of the bridge tests.
 */
import addon from "landlock-napi/addon";
import { FenceError } from "../../../src/base/errors.ts";
import { runBridge } from "../../../src/bridge/run-bridge.ts";

try {
  process.exitCode = await runBridge(process.argv.slice(2), addon, (text) => process.stdout.write(text));
} catch (error) {
  if (!(error instanceof FenceError)) throw error;
  process.stderr.write(`${error.code} ${error.message}\n`);
  process.exitCode = error.exitStatus;
}
