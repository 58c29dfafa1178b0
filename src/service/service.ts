/**
 * `fence service`: the launcher of one sandbox of the library, for as many commands as the library's user starts.
 *
 * Runs:     host, in a session of its own, as a child of the user's own Node.
 * Promises: when the library's process ends, however it does, so do all commands and this process; nothing stays on the
 *           host.
 * Source:   docs/library.md
 */
import { buildId, version } from "../base/build.ts";
import { asFenceError, bug, FenceError } from "../base/errors.ts";
import {
  errorRecord,
  type OpenRequest,
  type RunRequest,
  type ServiceEvent,
  type ServiceRequest,
  serviceProtocol,
} from "../base/service-protocol.ts";
import { RuntimeDirectory, sweepRuntimeDirectories } from "../launcher/runtime-directory.ts";
import type { Json } from "../plan/schema.ts";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";
import { Announced } from "./announced.ts";
import { type Attachment, Attachments } from "./attachments.ts";
import { Command } from "./command.ts";
import { type Configuration, configure } from "./configuration.ts";
import { Control } from "./control.ts";

/** When the library is gone its sandboxes have this long to be gone, too. */
const patienceMs = 10_000;
/** How many may ask for a launch that the library has not announced. */
const mostUnannounced = 256;
const ended = 125;

/** Settles when the library's process has closed its end, and nothing is left. Throws FENCE_USAGE, FENCE_SERVICE. */
export async function serve(addon: Addon): Promise<number> {
  addon.ignoreSigpipe();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const service = new Service(addon, (error) => (error === null ? resolve() : reject(error)));
  try {
    await promise;
  } finally {
    await service.close();
  }
  return 0;
}

class Service {
  readonly #addon: Addon;
  readonly #control: Control;
  readonly #resources = new DisposableStack();
  #configuration: Configuration | "not asked" | "being decided" = "not asked";
  #attachments: Attachments | null = null;
  readonly #announced = new Map<string, Announced>();
  /** Those who ask for a launch before the library's word of it has come. */
  readonly #unannounced = new Map<string, Attachment>();
  readonly #running = new Map<string, Command>();

  constructor(addon: Addon, done: (error: FenceError | null) => void) {
    this.#addon = addon;
    this.#control = new Control((request) => this.#take(request, done), done);
  }

  /** Commands that still run are ended. */
  async close(): Promise<void> {
    for (const command of this.#running.values()) command.end(ended);
    for (const attachment of this.#unannounced.values()) this.#refuse(attachment);
    const all = Promise.all([...this.#running.values()].map((command) => command.ended));
    const { promise: tooLong, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, patienceMs);
    await Promise.race([all, tooLong]); // what is left ends with this process, which it is connected to
    clearTimeout(timer);
    this.#resources.dispose();
    await this.#control.close();
  }

  #take(request: ServiceRequest, done: (error: FenceError | null) => void): void {
    switch (request.request) {
      case "open":
        if (this.#configuration !== "not asked") throw bug("the library opens its service twice");
        this.#configuration = "being decided";
        this.#open(request).catch((thrown) => {
          this.#control.tell({ event: "refused", error: errorRecord(asFenceError(thrown)) });
          done(null);
        });
        break;
      case "run":
        this.#announce(request);
        break;
      case "ended":
        // Whoever has asked for its launch gets another last word.
        if (this.#announced.delete(request.id)) this.#control.tell(this.#notLaunched(request.id));
        break;
      case "refuse":
        this.#refuseUnannounced(request.id);
        break;
    }
  }

  async #open(request: OpenRequest): Promise<void> {
    if (request.buildId !== buildId) throw otherBuild();
    const configuration = await configure(this.#addon, request, (event, text) => {
      this.#control.tell({ event, id: null, text });
    });
    this.#resources.defer(() => configuration.part?.close());
    const { around, policy, ground, notices } = configuration;
    const directory = RuntimeDirectory.make(this.#addon, around);
    this.#resources.adopt(directory, (made) => made.close());
    const socket = directory.socket("commands");
    const attachments = new Attachments(this.#addon, socket, around.uid, (attachment) => this.#attach(attachment));
    this.#attachments = this.#resources.adopt(attachments, (open) => open.close());
    this.#configuration = configuration;
    this.#control.tell({
      event: "open",
      version: serviceProtocol.version,
      buildId,
      socket,
      pid: process.pid,
      isolation: { ...ground.isolation.effective } as unknown as Json,
      notes: policy.notes.map(({ where, says }) => ({ where, says })),
      notices,
    });
    sweepRuntimeDirectories(this.#addon, around);
  }

  #attach(attachment: Attachment): void {
    const { id } = attachment;
    const isTooMuch = !this.#announced.has(id) && this.#unannounced.size >= mostUnannounced;
    if (this.#unannounced.has(id) || this.#running.has(id) || isTooMuch) {
      this.#refuse(attachment);
      return;
    }
    this.#unannounced.set(id, attachment);
    // The library's word may be on its way. Its answer comes behind it.
    if (!this.#match(id)) this.#control.tell({ event: "asked", id });
  }

  #announce(request: RunRequest): void {
    const { id } = request;
    const announced = new Announced(this.#decided, request);
    const isOnly = this.#announced.size === 0; // of many, those whose process is there come first
    this.#announced.set(id, announced);
    if (!this.#match(id) && isOnly) announced.decideAhead();
  }

  get #decided(): Configuration {
    if (typeof this.#configuration !== "string") return this.#configuration;
    throw bug("the library announces a command before its service is open");
  }

  /** Launches what both the library and a process have asked for. */
  #match(id: string): boolean {
    const [announced, attachment] = [this.#announced.get(id), this.#unannounced.get(id)];
    if (announced === undefined || attachment === undefined) return false;
    this.#announced.delete(id);
    this.#unannounced.delete(id);
    const command = new Command(this.#addon, this.#decided, announced, attachment, (event) =>
      this.#control.tell(event),
    );
    this.#running.set(id, command);
    command.ended.then(() => this.#running.delete(id));
    return true;
  }

  #notLaunched(id: string): ServiceEvent {
    const isLost = this.#attachments?.takeLost() ?? false;
    return isLost ? { event: "failed", id, error: errorRecord(turnedAway()) } : { event: "ended", id, launched: false };
  }

  #refuseUnannounced(id: string): void {
    const attachment = this.#unannounced.get(id);
    if (attachment === undefined) return;
    this.#unannounced.delete(id);
    this.#refuse(attachment);
  }

  /** The process says that its set-up has ended, and exits with 125. */
  #refuse({ setup, life }: Attachment): void {
    for (const descriptor of [setup, life]) this.#addon.closeDescriptor(descriptor);
  }
}

function turnedAway(): FenceError {
  const [tried, emfile] = ["cannot take the descriptors of a command's process", -24];
  return systemError("FENCE_SERVICE", tried, "recvmsg", emfile, { step: "start-command" });
}

function otherBuild(): FenceError {
  return new FenceError("FENCE_SERVICE", `the library and its executable are of different builds (fence ${version})`, {
    step: "open-service",
    hint: "install or build both together: npm run build, or reinstall the package; look at executable and FENCE_EXECUTABLE",
  });
}
