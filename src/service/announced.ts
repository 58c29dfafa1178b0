/**
 * A command that the library has announced. What need not wait for its process is done while that is being started.
 *
 * Runs:     host, in the service.
 * Promises: its mounts are planned after it was announced, and not long before it starts.
 * Source:   docs/library.md
 */
import type { RunRequest } from "../base/service-protocol.ts";
import { type Decision, decideCommand, decideMounts } from "../launcher/decision.ts";
import type { LaunchRequest } from "../launcher/request.ts";
import type { MountPlan } from "../plan/mounts.ts";
import type { Configuration } from "./configuration.ts";

/** A process that comes later was held up: files may have been made meanwhile. */
const freshMs = 1000;

/** What is decided of one command. */
export interface DecidedCommand {
  readonly request: LaunchRequest;
  readonly decision: Decision;
  readonly mounts: MountPlan;
}

export class Announced {
  readonly request: RunRequest;
  readonly #configuration: Configuration;
  #ahead: { readonly decided: DecidedCommand; readonly at: number } | null = null;

  constructor(configuration: Configuration, request: RunRequest) {
    this.#configuration = configuration;
    this.request = request;
  }

  decideAhead(): void {
    const at = performance.now();
    try {
      this.#ahead = { decided: decide(this.#configuration, this.request), at };
    } catch {
      this.#ahead = null; // decided() says it to the process of the command
    }
  }

  /** Throws FENCE_COMMAND, FENCE_MOUNTS. */
  decided(): DecidedCommand {
    const ahead = this.#ahead;
    if (ahead !== null && performance.now() - ahead.at < freshMs) return ahead.decided;
    return decide(this.#configuration, this.request);
  }
}

function decide(configuration: Configuration, run: RunRequest): DecidedCommand {
  const { around, policy, ground } = configuration;
  const request: LaunchRequest = {
    ...configuration.request,
    program: { kind: "words", argv: run.argv, at: 0 },
    directory: run.directory,
  };
  const environment = () => run.environment ?? configuration.environment;
  const decision = { ...policy, ...ground, ...decideCommand({ environment }, policy, request, around) };
  return { request, decision, mounts: decideMounts(decision, around, []) };
}
