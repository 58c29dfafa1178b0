/**
 * What --debug and --monitor say, on standard error or in a file of the user's.
 *
 * Runs:     host.
 * Promises: nothing is said that was not asked for; what cannot be written is lost, the program goes on.
 * Source:   docs/run.md
 */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { resolve } from "node:path/posix";
import { nodeError } from "../sys/errno.ts";
import type { Messages } from "../sys/messages.ts";
import type { LaunchRequest } from "./request.ts";

export class LaunchLog {
  readonly #messages: Pick<Messages, "write">;
  readonly #request: Pick<LaunchRequest, "debug" | "monitor">;
  #file: number | null = null;

  /** Throws FENCE_LAUNCH when the file cannot be opened. */
  constructor(
    messages: Pick<Messages, "write">,
    request: Pick<LaunchRequest, "debug" | "monitor" | "logFile">,
    directory: string,
  ) {
    this.#messages = messages;
    this.#request = request;
    if (request.logFile === null) return;
    const path = resolve(directory, request.logFile);
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    try {
      this.#file = openSync(path, flags, 0o600);
    } catch (error) {
      throw nodeError("FENCE_LAUNCH", `cannot open the log file ${path}`, error, { step: "log-file", path });
    }
  }

  get isDebugging(): boolean {
    return this.#request.debug;
  }

  /** What is done. */
  debug(text: string): void {
    if (this.#request.debug) this.#write(`fence: debug: ${text}\n`);
  }

  /** What was denied, as it happens. */
  denied(text: string): void {
    if (this.#request.monitor || this.#request.debug) this.#write(`fence: denied: ${text}\n`);
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #write(text: string): void {
    if (this.#file === null) {
      this.#messages.write(text);
      return;
    }
    try {
      writeSync(this.#file, text);
    } catch {
      // A full disk is no reason to end the program.
    }
  }
}
