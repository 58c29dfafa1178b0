/**
 * What the bootstrap reports from inside the sandbox, as the launcher needs it.
 *
 * Runs:     host.
 * Promises: a line that is no report of the bootstrap's is an error, never an exception that ends the launcher.
 * Source:   docs/status.md
 */
import { errorCodes, FenceError, type FenceErrorCode, type FenceErrorDetails } from "../base/errors.ts";
import type { Json } from "../plan/schema.ts";
import type { InsideTold } from "./inside.ts";

interface InsideEvent {
  readonly event: string;
  readonly [key: string]: Json;
}

export class InsideEvents {
  readonly #told: InsideTold;
  #wasReady = false;
  #failure: FenceError | null = null;

  constructor(told: InsideTold) {
    this.#told = told;
  }

  /** One line of the report. */
  take(line: string): void {
    const event = parseEvent(line);
    switch (event?.event) {
      case "ready":
        this.#wasReady = true;
        this.#told.ready(event["isolation"] ?? null);
        break;
      case "verified":
        this.#told.verified(event["checks"] ?? null);
        break;
      case "failed":
        this.#failure = failureOf(event);
        break;
      case "bridges-crashed":
        this.#told.crash({ ...event });
        break;
      default: // starting, and the statistics of the end, which those of the host's ends cover
        break;
    }
  }

  /** Whether the program has started, or was about to. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** What kept the program from starting; null: nothing that was reported. */
  get failure(): FenceError | null {
    return this.#failure;
  }
}

function parseEvent(line: string): InsideEvent | null {
  try {
    const value: Json = JSON.parse(line);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
    const event = value as { readonly [key: string]: Json };
    return typeof event["event"] === "string" ? (event as InsideEvent) : null;
  } catch {
    return null; // the end of a line whose writer was killed
  }
}

function failureOf(event: InsideEvent): FenceError {
  const { code, message, step, syscall, path, errno, hint } = event;
  const known = Object.keys(errorCodes).find((name): name is FenceErrorCode => name === code) ?? "FENCE_LAUNCH";
  const details = {
    step: insideStep(typeof step === "string" ? step : "set-up"),
    ...text("syscall", syscall),
    ...text("path", path),
    ...text("errno", errno),
    ...text("hint", hint),
  };
  return new FenceError(known, typeof message === "string" ? message : "the sandbox cannot be set up", details);
}

/** As messages name it. */
export function insideStep(step: string): string {
  return `${step} (in the sandbox)`;
}

function text(name: keyof FenceErrorDetails, value: Json | undefined): FenceErrorDetails {
  return typeof value === "string" ? { [name]: value } : {};
}
