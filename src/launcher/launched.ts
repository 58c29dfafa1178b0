/**
 * A sandbox without a Node inside: the stub finds an exec plan waiting that was compiled on the host.
 *
 * Runs:     host, in the launcher.
 * Promises: the program starts only when every step before it was carried out; a step that fails is explained here, since
 *           nobody inside could; the sandbox's listeners are the host's from their first moment on.
 * Source:   docs/launched.md
 */
import { bug, FenceError } from "../base/errors.ts";
import { type CompiledPlan, compileInside } from "../inside/compile.ts";
import { planRequest } from "../inside/json-plan.ts";
import { describeIsolation } from "../inside/status.ts";
import { explainFailure } from "../inside/step-failure.ts";
import { encodeExecPlan } from "../plan/exec-plan-bytes.ts";
import type { Json } from "../plan/schema.ts";
import type { Addon } from "../sys/addon.ts";
import { architecture } from "../sys/architecture.ts";
import { LaunchedProcess } from "../sys/launched.ts";
import type { ProgramFiles } from "../sys/program-files.ts";
import { noDescriptor } from "../sys/protocol.ts";
import { rootedFiles } from "../sys/rooted-files.ts";
import type { Inside, InsideTold } from "./inside.ts";
import { insideStep } from "./inside-events.ts";
import type { LaunchedEnds, ListeningEnds } from "./launched-ends.ts";
import type { Sandbox } from "./sandbox.ts";

export interface LaunchedParts {
  readonly addon: Addon;
  readonly sandbox: Sandbox;
  /** As the bootstrap reads it; its network is `network`. */
  readonly plan: () => Json;
  readonly network: LaunchedEnds;
  readonly told: InsideTold;
}

export class LaunchedInside implements Inside {
  readonly way = "launched";
  readonly words: readonly [string, ...string[]];
  readonly #addon: Addon;
  readonly #first: LaunchedProcess;
  readonly #parts: LaunchedParts;
  readonly #network: LaunchedEnds;
  /** Where its sockets are asked for, by its number there; 0: they are not. */
  readonly #sockets: number;
  #compiled: CompiledPlan | null = null;
  #wasReady = false;
  #failure: FenceError | null = null;
  #whole: Promise<void> | null = null;

  /** Everything that it inherits is given to the sandbox. Throws FENCE_LAUNCH. */
  constructor(parts: LaunchedParts) {
    const { addon, sandbox, network, told } = parts;
    this.#addon = addon;
    this.#parts = parts;
    this.#network = network;
    this.#first = new LaunchedProcess(addon, {
      listener: (step, descriptor) => network.take(this.#plan.listenSteps.indexOf(step), descriptor),
      ready: () => {
        this.#wasReady = true;
        const { choice, seccomp } = this.#plan;
        const isolation = describeIsolation({
          choice,
          skippedPaths: [],
          errata: addon.landlockErrata(),
          seccomp,
          bridges: network.ruleset,
        });
        told.ready(isolation as unknown as Json);
      },
    });
    const { socketRequests } = network;
    this.#sockets = socketRequests === null ? 0 : sandbox.give(socketRequests);
    this.words = ["fence", "launched", String(sandbox.give(this.#first.far))];
  }

  /** Throws FENCE_LAUNCH, FENCE_LANDLOCK_ABI, FENCE_PROGRAM_NOT_FOUND, FENCE_PLAN. */
  sendPlan(): void {
    const { plan, sandbox, network } = this.#parts;
    this.#compiled = compiledPlan(this.#addon, plan(), network.inside);
    const ends = { control: sandbox.inherited.control, sockets: this.#sockets };
    this.#first.send(ends, encodeExecPlan(this.#compiled.plan), network.inside.listeners.length);
  }

  get #plan(): CompiledPlan {
    return this.#compiled ?? unplanned();
  }

  sent(): void {
    this.#first.sent();
    this.#network.sent();
    this.#whole = this.#hear();
    this.#whole.catch(() => {}); // whoever awaits it is told
  }

  whole(): Promise<unknown> {
    return this.#whole ?? Promise.resolve();
  }

  get wasReady(): boolean {
    return this.#wasReady;
  }

  get failure(): FenceError | null {
    return this.#failure;
  }

  close(): void {
    this.#first.close();
    this.#network.sent();
  }

  async #hear(): Promise<void> {
    const outcome = await this.#first.outcome();
    if (outcome.kind === "started" || outcome.kind === "gone") return;
    this.#failure = insideFailure(outcome.kind === "refused" ? outcome.error : this.#explained(outcome));
    this.#first.exit(this.#failure.exitStatus);
  }

  #explained({ failure, root }: Extract<Awaited<ReturnType<LaunchedProcess["outcome"]>>, { kind: "failed" }>) {
    try {
      const files = root === noDescriptor ? unseenFiles : rootedFiles(`/proc/self/fd/${root}`);
      return explainFailure(failure, this.#plan, this.#plan.choice, files);
    } finally {
      if (root !== noDescriptor) this.#addon.closeDescriptor(root);
    }
  }
}

function unplanned(): never {
  throw bug("a sandbox has carried out a plan that was not sent");
}

/** Of a sandbox that could not be looked at: the errno alone explains the failure. */
const unseenFiles: ProgramFiles = {
  find: () => "unknown",
  mayExecute: () => false,
  linkTarget: () => null,
  head: () => Buffer.alloc(0),
  realPath: () => null,
};

/** What the stub does of a plan that the bootstrap would read, but for its network. Throws FENCE_LANDLOCK_ABI. */
export function compiledPlan(
  addon: Addon,
  plan: Json,
  { listeners, hasHttpProxy, hasSocksProxy }: ListeningEnds,
): CompiledPlan {
  const request = { ...planRequest(plan, { kind: "plan", argv: [] }), hasHttpProxy, hasSocksProxy };
  return compileInside(request, listeners, { landlockAbi: addon.landlockAbi(), architecture: architecture() });
}

/** It did not fail here. */
function insideFailure({ code, message, details }: FenceError): FenceError {
  return new FenceError(code, message, { ...details, step: insideStep(details.step ?? "set-up") });
}
