/**
 * Waits for the whole text of standard input, with nothing else to wait for, and prints it as JSON.
 *
 * Runs:     in tests, as a process of its own.
 */
import { writeSync } from "node:fs";
import { addonPrebuild } from "../../../build/paths.ts";
import { Reading } from "../../../src/launcher/reading.ts";
import { loadAddon } from "../../../src/sys/addon.ts";

const lines: string[] = [];
const reading = new Reading(loadAddon(addonPrebuild), 0);
reading.lines = (line) => void lines.push(line);
process.once("exit", () => writeSync(1, "end\n"));
setImmediate(() => {
  reading.whole().then((text) => writeSync(1, `${JSON.stringify({ text, lines })}\n`));
  writeSync(1, "waiting\n");
});
