/**
 * Looks at what bubblewrap has mounted, when all is mounted and before anything in the sandbox runs.
 *
 * Runs:     host, in the launcher.
 * Promises: bubblewrap goes on only when every mount is what was planned; else its sandbox is killed where it waits.
 * Source:   bwrap(1): operations are carried out in order, and --ro-bind-data reads to the end of its file; pipe(7)
 */
import { openSync, readFileSync, readSync } from "node:fs";
import { bug, FenceError } from "../base/errors.ts";
import type { HostMount } from "../base/host.ts";
import { misplacedMount } from "../plan/mount-proof.ts";
import type { MountStep, PlannedMount } from "../plan/mounts.ts";
import type { Addon } from "../sys/addon.ts";
import { nodeError, systemError } from "../sys/errno.ts";
import { parseMounts } from "../sys/host-view.ts";
import { Gate } from "./gate.ts";
import type { Sandbox } from "./sandbox.ts";

const step = "check-mounts";
/** A process and some namespaces. */
const infoBytes = 4096;
/** For who was killed to be gone. */
const pauseMs = 5;
const mostLooks = 400;

/** Made before bubblewrap starts: what it inherits is given to it here. */
export class MountCheck {
  /** bubblewrap reads it last, when all else is mounted, and waits for its end. */
  readonly #gate: Gate;
  readonly #gateFd: number;
  readonly #infoFd: number;
  /** A pipe in which bubblewrap says which process is to become the sandbox's first, before that process runs. */
  readonly #info: number;
  readonly #addon: Addon;

  /** Throws FENCE_LAUNCH. */
  constructor(addon: Addon, sandbox: Pick<Sandbox, "giveAway">) {
    using opened = new DisposableStack(); // closes what is open when something fails
    this.#addon = addon;
    const info = openPipe(addon);
    this.#info = info.read;
    opened.defer(() => addon.closeDescriptor(info.read));
    this.#infoFd = sandbox.giveAway(info.write);
    const gate = openPipe(addon);
    opened.defer(() => addon.closeDescriptor(gate.read));
    this.#gate = opened.adopt(new Gate(addon, gate.write), (open) => open.open());
    this.#gateFd = sandbox.giveAway(openBlocking(gate.read));
    opened.move();
    addon.closeDescriptor(gate.read);
  }

  /** bubblewrap's arguments for `mounts`, which `argumentsOf` knows for each. */
  arguments(mounts: readonly PlannedMount[], argumentsOf: (step: MountStep) => readonly string[]): readonly string[] {
    const isSeal = ({ step: { kind }, phase }: PlannedMount) => kind === "remount-read-only" && phase === "bootstrap";
    const seals = mounts.filter(isSeal);
    return [
      ...["--info-fd", String(this.#infoFd)],
      ...mounts.filter((mount) => !isSeal(mount)).flatMap((mount) => argumentsOf(mount.step)),
      ...seals.flatMap(({ step: { to } }) => ["--ro-bind-data", String(this.#gateFd), `${to}/mounted`]),
      ...seals.flatMap((mount) => argumentsOf(mount.step)),
    ];
  }

  /**
   * Settles when bubblewrap may go on, or has ended: `ended` settles then, too. Throws FENCE_MOUNTS when something else was
   * mounted, FENCE_LAUNCH when nobody can tell: the gate is still closed then, see abandon().
   */
  async pass(mounts: readonly PlannedMount[], ended: Promise<unknown>): Promise<void> {
    const first = await Promise.race([this.#gate.reached(), ended.then(() => "ended" as const)]);
    if (first === "ended") await this.#endOrphans();
    if (first === true) {
      const pid = processIn(this.#info);
      try {
        refuseMisplaced(mounts, pid);
      } catch (error) {
        kill(pid);
        throw error;
      }
    }
    this.#gate.open();
  }

  /** Nothing in the sandbox is to run, after a failure: who waits at the gate is ended before close() opens it. */
  async abandon(): Promise<void> {
    try {
      await this.#endOrphans();
    } catch {
      // Who cannot be found has no plan, or nobody left to tell that it is carried out: it does not start the program.
    }
  }

  /** A bubblewrap that waits goes on: it is dead, or all is well. */
  close(): void {
    this.#gate.open();
    this.#addon.closeDescriptor(this.#info);
  }

  /**
   * bubblewrap binds its child to itself only when its work is done: killed before, it leaves it behind, which nobody has told
   * the number of yet. Each of them holds the gate, and can make no other process once it is killed.
   */
  async #endOrphans(): Promise<void> {
    for (let looks = 0; looks < mostLooks && this.#gate.isHeld; looks++) {
      for (const pid of this.#gate.holders) kill(pid);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** It is read when all of it is there: each piece on its way would wake this process while bubblewrap needs the processor. */
function processIn(info: number): number {
  const room = Buffer.alloc(infoBytes);
  const length = readInfo(info, room);
  const [, pid] = /"child-pid": (\d+)/.exec(room.toString("latin1", 0, length)) ?? [];
  if (pid === undefined) throw bug("bubblewrap does not say which process it has made");
  return Number(pid);
}

function readInfo(info: number, room: Buffer): number {
  try {
    return readSync(info, room);
  } catch (error) {
    throw nodeError("FENCE_LAUNCH", "cannot read what bubblewrap says of its sandbox", error, { step });
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it is gone, or it is a bubblewrap of root's, which ends with its child
  }
}

function refuseMisplaced(mounts: readonly PlannedMount[], pid: number): void {
  const sandbox = mountsOf(pid);
  if (sandbox === null) return; // it has ended
  const host = mountsOf("self") ?? [];
  const wrong = misplacedMount({ steps: mounts.map((mount) => mount.step), sandbox, host });
  if (wrong !== null) throw replaced(wrong);
}

/** What the kernel says of a process that has ended, or ends. */
const endedCodes: readonly unknown[] = ["EINVAL", "ENOENT", "ESRCH"];

/** null: there is no such process any more. */
function mountsOf(pid: number | "self"): readonly HostMount[] | null {
  try {
    return parseMounts(readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
  } catch (error) {
    if (pid !== "self" && endedCodes.includes((error as NodeJS.ErrnoException).code)) return null;
    const whose = pid === "self" ? "on the host" : "in the sandbox";
    throw nodeError("FENCE_LAUNCH", `cannot look at what is mounted ${whose}`, error, { step });
  }
}

function replaced(path: string): FenceError {
  return new FenceError("FENCE_MOUNTS", `what is mounted at ${path} in the sandbox is not what was planned`, {
    step,
    path,
    hint: "another process replaces it, or a directory above it: end sandboxes that may write there, and start again",
  });
}

function openPipe(addon: Addon): { readonly read: number; readonly write: number } {
  const ends = new Int32Array(2);
  const result = addon.pipe(ends);
  if (result < 0) throw systemError("FENCE_LAUNCH", "cannot make a pipe", "pipe2", result, { step });
  const [read = -1, write = -1] = ends;
  return { read, write };
}

/** bubblewrap takes a pipe that is empty for one that is broken, unless reading it waits: pipes of ours do not. */
function openBlocking(read: number): number {
  const path = `/proc/self/fd/${read}`;
  try {
    return openSync(path, "r");
  } catch (error) {
    throw nodeError("FENCE_LAUNCH", "cannot make a pipe that waits", error, { step, path });
  }
}
