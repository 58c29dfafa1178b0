/**
 * A sandbox with bridges to and from the host, whose host ends are in a process of their own.
 *
 * Runs:     in end-to-end tests.
 * Promises: nothing of it outlives the test.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { HostBridgeRequest } from "../../src/launcher/bridge-ends.ts";
import { probe } from "./probe.ts";
import { fence, folder, type Json } from "./sandbox.ts";

export interface HostEndsTask {
  readonly uid: number;
  readonly fence: string;
  readonly probe: string;
  readonly request: HostBridgeRequest;
  readonly program: readonly string[];
  readonly bwrap: readonly string[];
  /** Its ends stay open when the sandbox has ended. */
  readonly lingers: boolean;
  /** Otherwise the directory goes as soon as the sandbox is set up. */
  readonly keepsDirectory: boolean;
  /** Of the plan. */
  readonly moreBridges?: readonly { readonly listen: string; readonly connect: string }[];
}

/** somebody: a user without an account. Not nobody, who has the number that stands for every user unknown in a namespace. */
export type User = "root" | "somebody";
const somebody = 4711;

export const noBridges: HostBridgeRequest = { httpProxy: null, socksProxy: null, localPorts: [], publish: [] };

const childPath = fileURLToPath(new URL("host-ends-child.ts", import.meta.url));

export class HostEnds {
  readonly #child: ChildProcess;
  readonly #messages: Json[] = [];
  #wake: () => void = () => {};
  #hasEnded = false;
  /** Settles when the launcher has ended. */
  readonly gone: Promise<void>;

  constructor(
    user: User,
    {
      request = {},
      program,
      bwrap = [],
      runtime = runtimeFolder(user),
      moreBridges = [],
      lingers = false,
      keepsDirectory = false,
    }: HostEndsOptions,
  ) {
    const isRoot = process.geteuid?.() === 0;
    const uid = isRoot && user === "somebody" ? somebody : (process.geteuid?.() ?? 0);
    const action = program.map(String);
    const task: HostEndsTask = {
      ...{ uid, fence, probe, bwrap, moreBridges, lingers, keepsDirectory },
      request: { ...noBridges, ...request },
      program: ["/probe", ...action],
    };
    this.#child = fork(childPath, [JSON.stringify(task)], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      env: { ...process.env, XDG_RUNTIME_DIR: runtime },
      ...(isRoot && user === "somebody" && { uid, gid: uid }),
    });
    onTestFinished(() => void this.#child.kill("SIGKILL"));
    this.#child.on("message", (message) => this.#heard(message));
    this.gone = once(this.#child, "exit").then(() => {
      this.#hasEnded = true;
      this.#wake();
    });
  }

  #heard(message: Json): void {
    this.#messages.push(message);
    this.#wake();
  }

  /** The next message of this kind. */
  async next(kind: "open" | "settled" | "line" | "ended"): Promise<Json> {
    for (;;) {
      const at = this.#messages.findIndex((message) => message.kind === kind);
      if (at !== -1) return this.#messages.splice(at, 1)[0];
      if (this.#hasEnded) throw new Error(`the launcher has ended without ${kind}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** What the program's probe printed, as JSON. */
  async printed(): Promise<Json> {
    return JSON.parse((await this.next("line")).line);
  }

  /** Kills bwrap, and with it the sandbox. */
  end(): void {
    this.#child.send("end");
  }

  /** A launcher that lingers removes what it has opened, and ends. */
  leave(): void {
    this.#child.send("leave");
  }

  /** Kills the launcher. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.gone;
  }
}

export interface HostEndsOptions {
  readonly request?: Partial<HostBridgeRequest>;
  /** An action of the probe. */
  readonly program: readonly (string | number)[];
  readonly bwrap?: readonly string[];
  readonly runtime?: string;
  readonly moreBridges?: HostEndsTask["moreBridges"];
  readonly lingers?: boolean;
  readonly keepsDirectory?: boolean;
}

/** What XDG_RUNTIME_DIR is for this user. */
export function runtimeFolder(user: User): string {
  const path = folder();
  chmodSync(path, 0o700);
  if (user === "somebody" && process.geteuid?.() === 0) chownSync(path, somebody, somebody);
  return path;
}
