/**
 * What the library and its service say to each other: JSON objects, one a line, on a socket that the service inherits.
 *
 * Runs:     host: in the user's own Node and in the service. Pure.
 * Promises: versioned; a line has a bound; nothing is optional: what is not said is null.
 * Source:   docs/library.md
 */
import type { FenceError } from "./errors.ts";

export const serviceProtocol = {
  version: 1,
  /** The service inherits its end as this descriptor. */
  descriptor: 3,
  maxLineBytes: 16 << 20,
} as const;

/** What one line may hold: as src/plan/schema.ts has it. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export type ServiceVariables = readonly (readonly [name: string, value: string])[];

/** The first line: what all commands have in common. */
export interface OpenRequest {
  readonly request: "open";
  readonly version: number;
  readonly buildId: string;
  /** A settings file, or what one would hold; null: the one that is found. */
  readonly settings: { readonly file: string } | { readonly given: Json } | null;
  readonly template: string | null;
  readonly isolation: "strict" | "best-effort" | null;
  /** Absolute: what relative paths start from, and where commands start. */
  readonly directory: string;
  readonly environment: ServiceVariables;
  readonly httpProxy: string | null;
  readonly socksProxy: string | null;
  readonly publish: readonly string[];
}

/** Announces a command, before the process that will be it asks for its launch. */
export interface RunRequest {
  readonly request: "run";
  readonly id: string;
  /** The program and its arguments. */
  readonly argv: readonly string[];
  /** Instead of the sandbox's; null: that one. */
  readonly environment: ServiceVariables | null;
  /** As --chdir has it; null: the sandbox's. */
  readonly directory: string | null;
}

/** The command's process has ended: if it never asked for its launch, it will not. */
export interface EndedRequest {
  readonly request: "ended";
  readonly id: string;
}

/** The answer to `asked`: no command of this ID was or will be announced. */
export interface RefuseRequest {
  readonly request: "refuse";
  readonly id: string;
}

export type ServiceRequest = OpenRequest | RunRequest | EndedRequest | RefuseRequest;

/** A FenceError as data. */
export interface ErrorRecord {
  readonly code: string;
  readonly message: string;
  readonly step: string | null;
  readonly syscall: string | null;
  readonly path: string | null;
  readonly errno: string | null;
  readonly hint: string | null;
}

export type ServiceEvent =
  /** The answer to `open`. `socket`: where commands ask for their launch; `isolation`: EffectiveIsolation. */
  | {
      readonly event: "open";
      readonly version: number;
      readonly buildId: string;
      readonly socket: string;
      /** Who listens there: commands talk to nobody else. */
      readonly pid: number;
      readonly isolation: Json;
      readonly notes: readonly { readonly where: string; readonly says: string }[];
      readonly notices: readonly string[];
    }
  /** The other answer: the service ends. */
  | { readonly event: "refused"; readonly error: ErrorRecord }
  /** The program starts. */
  | { readonly event: "started"; readonly id: string; readonly published: readonly PublishedPort[] }
  /** The last word about a command. `launched`: it had asked for its launch. */
  | { readonly event: "ended"; readonly id: string; readonly launched: boolean }
  /** The other last word: the program was not started. */
  | { readonly event: "failed"; readonly id: string; readonly error: ErrorRecord }
  /** Somebody asks for a launch that was not announced: will it be? */
  | { readonly event: "asked"; readonly id: string }
  /** `id`: null when it may concern any command. */
  | { readonly event: "denied" | "notice" | "crashed"; readonly id: string | null; readonly text: string };

/** A port of the sandbox that the host reaches. */
export interface PublishedPort {
  /** On the host: an address. */
  readonly host: string;
  /** On the host. */
  readonly hostPort: number;
  /** On 127.0.0.1 in the sandbox. */
  readonly port: number;
}

export function errorRecord(error: FenceError): ErrorRecord {
  const { step = null, syscall = null, path = null, errno = null, hint = null } = error.details;
  return { code: error.code, message: error.message, step, syscall, path, errno, hint };
}

/** Cuts what arrives into lines. */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  constructor(maxBytes: number = serviceProtocol.maxLineBytes) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that are complete now, without their ends. "too long": one has more bytes than it may have. */
  take(bytes: Uint8Array): readonly string[] | "too long" {
    const lines: string[] = [];
    let start = 0;
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
      if (!this.#keep(bytes.subarray(start, end))) return "too long";
      lines.push(this.#line());
      start = end + 1;
    }
    return this.#keep(bytes.subarray(start)) ? lines : "too long";
  }

  #keep(bytes: Uint8Array): boolean {
    if (bytes.length > 0) this.#parts.push(bytes);
    this.#length += bytes.length;
    return this.#length <= this.#maxBytes;
  }

  #line(): string {
    const whole = this.#parts.length === 1 ? this.#parts[0] : joined(this.#parts, this.#length);
    this.#parts = [];
    this.#length = 0;
    return new TextDecoder().decode(whole);
  }
}

const newline = 10;

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
