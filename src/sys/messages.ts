/**
 * The door to standard error, where fence's own messages go.
 *
 * Runs:     host and sandbox.
 * Promises: once the program is about to start nothing of ours refers to the descriptors 0 to 2 that it shares: at its
 *           exit Node would reset the modes of a terminal there, under the program's hands.
 */
import { writeSync } from "node:fs";
import type { FenceError } from "../base/errors.ts";
import type { Addon } from "./addon.ts";
import { systemError } from "./errno.ts";

const stdio = [0, 1, 2] as const;
/** No descriptor. */
const closed = -1;

export class Messages {
  #fd = 2;

  /** Where messages go now. */
  get descriptor(): number {
    return this.#fd;
  }

  /** Synchronous, and to the descriptor itself: process.stderr costs the bootstrap a millisecond. */
  write(text: string): void {
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
    const copy = addon.duplicateAboveStdio(this.#fd);
    if (copy < 0) throw cannotLeave("fcntl", copy); // or what is still to fail would fail without a word
    for (const fd of stdio) {
      const result = addon.duplicateOnto(pidfd, fd);
      if (result < 0) throw cannotLeave("dup2", result);
    }
    this.#fd = copy;
  }

  /**
   * Nothing more is said. Whoever reads standard error to its end does not wait for Node's own; after leaveStdio(), and
   * before the process ends that the user waits for.
   */
  close(addon: Addon): void {
    if (!stdio.some((fd) => fd === this.#fd)) addon.closeDescriptor(this.#fd);
    this.#fd = closed;
  }
}

function cannotLeave(syscall: string, result: number): FenceError {
  return systemError("FENCE_EXEC_PLAN", "cannot give a standard descriptor up", syscall, result, { step: "hand-over" });
}
