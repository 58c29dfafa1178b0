/**
 * A sandbox with a PID namespace of its own, whose program is a shell that the test speaks to, and whose bridge is
 * between a Unix socket that the test connects to and one that it serves.
 *
 * Runs:     in end-to-end tests, as root: it looks at processes that are not dumpable.
 * Promises: `ended` settles only when no process of the sandbox is left.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { tracer } from "./probe.ts";
import { fence, folder, type Json, type Outcome, run } from "./sandbox.ts";

export interface KeptOptions {
  /** Of bootstrap. */
  readonly options?: readonly string[];
  /** Of bwrap. */
  readonly bwrap?: readonly string[];
  /** What becomes the program; it reads commands, as a shell. */
  readonly program?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** On descriptor 3. */
  readonly plan?: Json;
  readonly onConnection?: (socket: Socket) => void;
  /** Whose all of it is. */
  readonly user?: "root" | "nobody";
}

export interface FoundProcess {
  readonly pid: number;
  /** Its number inside. */
  readonly inner: number;
  readonly threads: number;
  /** Its arguments, separated by spaces. */
  readonly command: string;
}

export type Role = "keeper" | "bridge" | "init";

const asUser = { root: [], nobody: ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"] };

const echo = (socket: Socket) => void socket.pipe(socket);

/** Starts it and waits for its program. */
export async function keptSandbox(options: KeptOptions = {}): Promise<KeptSandbox> {
  const sandbox = await unstartedSandbox(options);
  await sandbox.started();
  return sandbox;
}

/** Starts it and waits for nothing. */
export async function unstartedSandbox(options: KeptOptions = {}): Promise<KeptSandbox> {
  const shared = folder();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    (options.onConnection ?? echo)(socket);
  });
  onTestFinished(() => void server.close());
  await once(server.listen({ path: join(shared, "target"), writableAll: true }), "listening");
  return new KeptSandbox(shared, options);
}

export class KeptSandbox {
  /** Where the bridge listens is `listener` in it, what it connects to `target`. */
  readonly shared: string;
  /** Settles when the sandbox is empty: bwrap's PID 1, which waits for all others, has its standard streams until then. */
  readonly ended: Promise<Pick<Outcome, "status" | "signal" | "stderr">>;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reports: AsyncIterator<string>;
  #namespace = "";

  constructor(
    shared: string,
    { options = [], bwrap = [], program = ["/bin/sh"], env = {}, plan, user = "root" }: KeptOptions,
  ) {
    this.shared = shared;
    const bridge = ["--bridge", `unix:${this.listener}=unix:${join(shared, "target")}`];
    const planned = plan === undefined ? [...bridge, ...options] : ["--plan-fd", "3"];
    const bootstrap = [fence, "bootstrap", "--status-fd", "4", ...planned, "--", ...program];
    const root = ["--ro-bind", "/", "/", "--bind", shared, shared, "--dev", "/dev", "--proc", "/proc", "--unshare-pid"];
    if (user === "nobody") chmodSync(shared, 0o777);
    const [file = "", ...args] = [...asUser[user], "bwrap", ...root, "--unshare-net", ...bwrap, "--", ...bootstrap];
    this.#child = spawn(file, args, {
      stdio: ["pipe", "pipe", "pipe", plan === undefined ? "ignore" : "pipe", "pipe"],
      env: { PATH: process.env["PATH"], ...env },
    });
    const [, stdout, stderr, plans, reports] = this.#child.stdio;
    if (plan !== undefined) (plans as Writable).end(JSON.stringify({ ...plan, bridges: [this.bridge] }));
    this.#child.stdin?.on("error", () => {}); // a program that was killed reads no more
    this.#lines = lines(stdout as Readable);
    this.#reports = lines(reports as Readable);
    const messages = text(stderr as Readable);
    this.ended = once(this.#child, "close").then(async ([status, signal]) => ({
      status,
      signal,
      stderr: await messages,
    }));
    onTestFinished(() => {
      for (const { pid } of this.allProcesses()) kill(pid, "SIGKILL");
      this.#child.kill("SIGKILL");
    });
  }

  get listener(): string {
    return join(this.shared, "listener");
  }

  get bridge(): { readonly listen: string; readonly connect: string } {
    return { listen: `unix:${this.listener}`, connect: `unix:${join(this.shared, "target")}` };
  }

  async started(): Promise<void> {
    this.#namespace = await this.ask("readlink /proc/self/ns/pid");
    await this.ask("echo"); // the shell's own: readlink has ended and is none of the sandbox's processes
  }

  /** The next line that the program prints; empty at its end. */
  async line(): Promise<string> {
    return (await this.#lines.next()).value ?? "";
  }

  /** The next line after this command. */
  async ask(command: string): Promise<string> {
    this.tell(command);
    return this.line();
  }

  tell(command: string): void {
    this.#child.stdin?.write(`${command}\n`);
  }

  /** The program ends, with 0. */
  end(): void {
    this.#child.stdin?.end();
  }

  /** The next report of this kind; null when there is none any more. */
  async report(event: string): Promise<Json> {
    for (;;) {
      const { value, done } = await this.#reports.next();
      if (done) return null;
      const report = JSON.parse(value);
      if (report.event === event) return report;
    }
  }

  /** Those of the namespace; bwrap's own is among them. */
  processes(): readonly FoundProcess[] {
    return this.#found((pid) => readlinkSync(`/proc/${pid}/ns/pid`) === this.#namespace);
  }

  /** The same when the program may not have started yet: those whose root is the sandbox's. */
  allProcesses(): readonly FoundProcess[] {
    return this.#found(
      (pid) => pid !== process.pid && readFileSync(`/proc/${pid}/mounts`, "utf8").includes(this.shared),
    );
  }

  #found(belongs: (pid: number) => boolean): readonly FoundProcess[] {
    return readdirSync("/proc").flatMap((name) => {
      try {
        if (!/^\d+$/.test(name) || !belongs(Number(name))) return [];
        const status = readFileSync(`/proc/${name}/status`, "utf8");
        const [, inner = "-1"] = /^NSpid:.*\s(\d+)$/m.exec(status) ?? [];
        const [, threads = "0"] = /^Threads:\s(\d+)$/m.exec(status) ?? [];
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        return [{ pid: Number(name), inner: Number(inner), threads: Number(threads), command }];
      } catch {
        return []; // it has ended meanwhile
      }
    });
  }

  /** The one process of that kind. */
  process(role: Role): FoundProcess {
    const [found, ...more] = this.processes().filter(({ command }) => command === `fence: ${role}`);
    if (found === undefined || more.length > 0) throw new Error(`${more.length + 1} or no process "fence: ${role}"`);
    return found;
  }

  count(role: Role): number {
    return this.processes().filter(({ command }) => command === `fence: ${role}`).length;
  }

  client(): Socket {
    const client = connect({ path: this.listener, allowHalfOpen: true }).on("error", () => {});
    onTestFinished(() => void client.destroy());
    return client;
  }

  /** What comes back through the bridge; the errno when the connection failed. */
  async exchange(message: string): Promise<string> {
    const client = connect({ path: this.listener, allowHalfOpen: true });
    client.end(message);
    return text(client).catch((error: NodeJS.ErrnoException) => error.code ?? String(error));
  }
}

/** Settles when the process has ended. */
export async function ended(pid: number): Promise<void> {
  const outcome = await run([tracer, "await-end", String(pid)]);
  if (outcome.status !== 0) throw new Error(outcome.stderr);
}

/** The threads of a process. */
export function threads(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`).map(Number);
}

/** Sends the signal to a process that may have ended. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function lines(from: Readable): AsyncIterator<string> {
  return createInterface({ input: from })[Symbol.asyncIterator]();
}
