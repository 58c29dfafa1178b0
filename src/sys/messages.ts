/**
 * The door to standard error, where fence's own messages go.
 *
 * Runs:     host and sandbox.
 * Promises: once the program is about to start nothing of ours refers to the descriptors 0 to 2 that it shares: at its
 *           exit Node would reset the modes of a terminal there, under the program's hands.
 */
import { writeSync } from "node:fs";
import type { Addon } from "./addon.ts";
import { systemError } from "./errno.ts";

const stdio = [0, 1, 2] as const;
const none = -1;

export class Messages {
  #fd = 2;

  /** Where messages go now; -1: nowhere. */
  get descriptor(): number {
    return this.#fd;
  }

  /** Synchronous, and to the descriptor itself: process.stderr costs the bootstrap a millisecond. */
  write(text: string): void {
    if (this.#fd === none) return;
    try {
      writeSync(this.#fd, text);
    } catch {
      // A closed or full standard error: there is nobody to tell.
    }
  }

  /**
   * Gives the standard descriptors up but for a copy of standard error, to which messages go from now on. `pidfd` takes
   * their places: nothing can be read from or written to it, and there may be no /dev/null.
   */
  leaveStdio(addon: Addon, pidfd: number): void {
    this.#fd = Math.max(none, addon.duplicateAboveStdio(this.#fd));
    for (const fd of stdio) {
      const result = addon.duplicateOnto(pidfd, fd);
      if (result < 0) throw systemError("FENCE_EXEC_PLAN", "cannot give a standard descriptor up", "dup2", result, {});
    }
  }
}
