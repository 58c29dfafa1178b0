/**
 * What the launcher reports on --status-fd: one JSON object a line.
 *
 * Runs:     host.
 * Promises: a report that cannot be written before the program starts is an error; later nobody is left to tell.
 * Source:   docs/run.md
 */
import { writeSync } from "node:fs";
import { version } from "../base/build.ts";
import type { FenceError } from "../base/errors.ts";
import type { Json } from "../plan/schema.ts";
import { nodeError } from "../sys/errno.ts";
import type { SandboxEnd } from "../sys/front.ts";

export class LaunchReport {
  readonly #fd: number | null;
  readonly #given: number | null;
  #hasStarted = false;

  /** `given` is the number by which the user knows the descriptor; both null: nobody asked. */
  constructor(fd: number | null, given: number | null) {
    this.#fd = fd;
    this.#given = given;
  }

  starting(): void {
    this.#write({ event: "starting", version });
  }

  /** Everything holds; the program starts next. */
  ready(what: { readonly [key: string]: Json }): void {
    this.#write({ event: "ready", ...what });
    this.#hasStarted = true;
  }

  verified(checks: Json): void {
    this.#write({ event: "verified", checks });
  }

  failed(error: FenceError): void {
    const { step = null, syscall = null, path = null, errno = null, hint = null } = error.details;
    const { code, exitStatus: exit, message } = error;
    this.#hasStarted = true; // the failure itself counts for more than that it could not be reported
    this.#write({ event: "failed", code, exit, message, step, syscall, path, errno, hint });
  }

  ended({ exit, signal }: SandboxEnd, bridges: Json): void {
    this.#write({ event: "ended", exit, signal, bridges });
  }

  #write(event: Json): void {
    if (this.#fd === null) return;
    try {
      const line = Buffer.from(`${JSON.stringify(event)}\n`);
      for (let written = 0; written < line.length; ) written += writeSync(this.#fd, line, written);
    } catch (error) {
      if (this.#hasStarted) return;
      throw nodeError("FENCE_STATUS", `cannot write to status descriptor ${this.#given}`, error, { step: "report" });
    }
  }
}
