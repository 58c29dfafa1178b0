/**
 * The service as a child of the user's process: `fence service`, and what both say to each other.
 *
 * Runs:     in the user's own Node.
 * Promises: keeps the event loop alive only while an answer is awaited; that it ends is told once, with the reason.
 * Source:   src/base/service-protocol.ts
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { buildId, version } from "../base/build.ts";
import {
  LineSplitter,
  type OpenRequest,
  type ServiceEvent,
  type ServiceRequest,
  serviceProtocol,
} from "../base/service-protocol.ts";
import { FenceError } from "./fence-error.ts";
import { requestLine } from "./options.ts";

export type OpenEvent = Extract<ServiceEvent, { event: "open" }>;

/** What is kept of what the service says on its standard error, which is nothing unless it fails. */
const maxSaidBytes = 16 << 10;
/** A service that does not end when it is told to is killed. */
const patienceMs = 20_000;

export class Service {
  readonly #child: ChildProcess;
  readonly #socket: Socket;
  /** What keeps the event loop alive while an answer is awaited. */
  readonly #handles: readonly { ref: () => unknown; unref: () => unknown }[];
  readonly #lines = new LineSplitter();
  readonly #take: (event: ServiceEvent) => void;
  /** Settles with the reason when the service has ended. */
  readonly ended: Promise<FenceError>;
  #said = "";
  #awaited = 0;
  #isOpen = false;
  #failure: FenceError | null = null;

  /** `take` gets every event. Throws FENCE_SERVICE. */
  constructor(executable: string, take: (event: ServiceEvent) => void) {
    this.#take = take;
    // In a session of its own: a terminal's signals are for the commands. Without variables: they come with the request.
    this.#child = spawn(executable, ["service"], {
      stdio: ["ignore", "ignore", "pipe", "pipe"],
      env: {},
      cwd: "/",
      detached: true,
    });
    const [, , stderr, socket] = this.#child.stdio as unknown as [null, null, Readable & Socket, Socket];
    this.#socket = socket;
    stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(0, maxSaidBytes);
    });
    socket.on("data", (bytes: Buffer) => this.#hear(bytes)).on("error", () => {}); // the end of the child tells
    this.ended = new Promise((settle) => {
      this.#child.once("error", (cause) => settle(cannotStart(executable, cause)));
      this.#child.once("close", (status, signal) => settle(this.#failure ?? this.#ending(status, signal)));
    });
    this.#handles = [this.#child, stderr, socket];
    for (const each of this.#handles) each.unref();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Answers what holds now. Throws what the service refuses. */
  async open(request: OpenRequest, answer: Promise<OpenEvent>): Promise<OpenEvent> {
    this.tell(request);
    const opened = await this.awaiting(Promise.race([answer, this.ended]));
    if (opened instanceof FenceError) throw opened;
    if (opened.buildId !== buildId || opened.version !== serviceProtocol.version) throw otherBuild();
    this.#isOpen = true;
    return opened;
  }

  tell(request: ServiceRequest): void {
    if (!this.#socket.destroyed) this.#socket.write(requestLine(request));
  }

  /** The event loop stays alive until `what` has settled. */
  async awaiting<T>(what: Promise<T>): Promise<T> {
    if (this.#awaited++ === 0) for (const each of this.#handles) each.ref();
    try {
      return await what;
    } finally {
      if (--this.#awaited === 0) for (const each of this.#handles) each.unref();
    }
  }

  /** Settles when it has ended. */
  async close(): Promise<void> {
    this.#socket.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), patienceMs);
    await this.awaiting(this.ended);
    clearTimeout(timer);
  }

  #hear(bytes: Buffer): void {
    const lines = this.#lines.take(bytes);
    try {
      if (lines === "too long") throw new Error(`a line has more than ${serviceProtocol.maxLineBytes} bytes`);
      for (const line of lines) this.#take(parseEvent(line));
    } catch (cause) {
      this.#failure ??= notUnderstood(cause);
      this.#socket.destroy();
      this.#child.kill("SIGKILL");
    }
  }

  #ending(status: number | null, signal: string | null): FenceError {
    const how = signal === null ? `exit status ${status}` : signal;
    const said = this.#said === "" ? "" : `; it said: ${this.#said.trim()}`;
    if (!this.#isOpen)
      return new FenceError("FENCE_SERVICE", `the executable did not answer as fence ${version} does: ${how}${said}`, {
        step: "open-service",
        path: this.#child.spawnfile,
        hint: "it must be the packed file fence, built together with the library",
      });
    return new FenceError("FENCE_SERVICE", `the service of the sandbox has ended: ${how}${said}`, {
      step: "serve-sandbox",
      hint: "the kernel's log says whether memory ran out. A new sandbox starts a new service",
    });
  }
}

function cannotStart(executable: string, cause: Error): FenceError {
  const { code: errno = "unknown" } = cause as NodeJS.ErrnoException;
  return new FenceError("FENCE_SERVICE", `the fence executable cannot be started: ${executable}: ${errno}`, {
    step: "start-service",
    path: executable,
    errno,
    hint: "it must be the packed file fence, built for this machine",
    cause,
  });
}

function otherBuild(): FenceError {
  return new FenceError("FENCE_SERVICE", `the executable is of another build than the library (fence ${version})`, {
    step: "open-service",
    hint: "install or build both together: npm run build, or reinstall the package",
  });
}

/** The service is ours, of the same build once it has said so: what it says needs no closer look. */
function parseEvent(line: string): ServiceEvent {
  const value: unknown = JSON.parse(line);
  if (typeof value === "object" && value !== null && "event" in value) return value as ServiceEvent;
  throw new Error("a line is no event");
}

function notUnderstood(cause: unknown): FenceError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new FenceError("FENCE_SERVICE", `the executable speaks otherwise than the library: ${why}`, {
    step: "hear-service",
    hint: "install or build both together: npm run build, or reinstall the package",
    cause,
  });
}
