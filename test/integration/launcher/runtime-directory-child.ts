/**
 * A process that makes directories for sockets.
 *
 * Runs:     in a child process of the runtime directory's tests; the argument says how it ends.
 */
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import addon from "landlock-napi/addon";
import { RuntimeDirectory, sweepRuntimeDirectories } from "../../../src/launcher/runtime-directory.ts";

const options = { environment: process.env, uid: process.geteuid?.() ?? 0 };
const [way, rounds] = process.argv.slice(2);

if (way === "race") {
  let lost = 0;
  for (let round = 0; round < Number(rounds); round++) {
    const directory = RuntimeDirectory.make(addon, options);
    sweepRuntimeDirectories(addon, options);
    if (!existsSync(directory.path)) lost++;
    directory.close();
  }
  process.send?.(`lost ${lost}`);
} else {
  const directory = RuntimeDirectory.make(addon, options);
  const server = createServer().listen(directory.socket("socket"), () => process.send?.("made"));
  process.once("message", () => {
    if (way === "exit") process.exit(3);
    if (way === "throw") throw new Error("as planned");
    server.close();
    process.disconnect?.();
  });
}
