/**
 * Reports on the status descriptor: one JSON object a line.
 *
 * Runs:     sandbox.
 * Promises: before the program starts a report that cannot be written is an error; afterwards nobody is left to tell.
 * Source:   docs/status.md
 */
import { writeSync } from "node:fs";
import { version } from "../base/build.ts";
import type { FenceError } from "../base/errors.ts";
import { type BridgeAddresses, formatAddress } from "../bridge/address.ts";
import type { BridgeStatistics } from "../bridge/bridge.ts";
import { describeLandlock, type LandlockReport } from "../landlock/report.ts";
import type { RulesetChoice } from "../landlock/ruleset.ts";
import { nodeError } from "../sys/errno.ts";
import type { Repair } from "./environment.ts";
import type { SeccompMode } from "./request.ts";
import type { CheckOutcome } from "./verification.ts";

export interface Isolation {
  readonly landlock: LandlockReport & { readonly skippedPaths: readonly string[] };
  readonly seccomp: SeccompMode;
  readonly noNewPrivs: true;
  /** null: there are no bridges. Its filter, and that it has no capabilities, is never given up. */
  readonly bridgeProcess: Pick<LandlockReport, "enforced" | "handled" | "dropped"> | null;
}

export interface IsolationParts {
  readonly choice: RulesetChoice;
  /** Paths of rules that were skipped. */
  readonly skippedPaths: readonly string[];
  /** landlockErrata()'s answer. */
  readonly errata: number;
  readonly seccomp: SeccompMode;
  /** The ruleset of the process that relays; null: there is none. */
  readonly bridges: RulesetChoice | null;
}

export function describeIsolation({ choice, skippedPaths, errata, seccomp, bridges }: IsolationParts): Isolation {
  const landlock = describeLandlock(choice, errata, seccomp === "off" ? "open" : "denied");
  return {
    landlock: { ...landlock, skippedPaths },
    seccomp,
    noNewPrivs: true,
    bridgeProcess: bridges === null ? null : describeBridges(bridges),
  };
}

function describeBridges(choice: RulesetChoice): Isolation["bridgeProcess"] {
  const { enforced, handled, dropped } = describeLandlock(choice, 0);
  return { enforced, handled, dropped };
}

export type StatusEvent =
  | { readonly event: "starting"; readonly version: string }
  | {
      readonly event: "ready";
      readonly isolation: Isolation;
      readonly bridges: readonly { readonly listen: string; readonly connect: string }[];
      readonly repaired: readonly Repair[];
    }
  | { readonly event: "verified"; readonly checks: readonly CheckOutcome[] }
  | ({ readonly event: "failed" } & ReturnType<typeof failureRecord>)
  /** By the keeper (native/stub/keeper.c). One of `exit` and `signal` is null. */
  | {
      readonly event: "bridges-crashed";
      readonly exit: number | null;
      readonly signal: number | null;
      readonly restartsLeft: number;
    }
  | { readonly event: "ended"; readonly bridges: readonly BridgeStatistics[] };

export type Report = (event: StatusEvent) => void;

/** `fd` null: nobody asked for reports. `given` is the number by which the user knows the descriptor. */
export function statusReport(fd: number | null, given = fd): Report {
  if (fd === null) return () => {};
  return (event) => {
    try {
      writeWhole(fd, Buffer.from(line(event)));
    } catch (error) {
      throw nodeError("FENCE_STATUS", `cannot write to status descriptor ${given}`, error, { step: "report" });
    }
  };
}

export const starting: StatusEvent = { event: "starting", version };

export function failed(error: FenceError): StatusEvent {
  return { event: "failed", ...failureRecord(error) };
}

/** The line that ends the reports of bridges to which nobody has ever connected. */
export function idleEnd(bridges: readonly BridgeAddresses[]): string {
  const none = { accepted: 0, refused: 0, open: 0, bytesToTarget: 0, bytesToClient: 0 };
  return line({
    event: "ended",
    bridges: bridges.map(({ listen, connect }) => ({
      listen: formatAddress(listen),
      connect: formatAddress(connect),
      ...none,
    })),
  });
}

function line(event: StatusEvent): string {
  return `${JSON.stringify(event)}\n`;
}

function failureRecord(error: FenceError) {
  const { step = null, syscall = null, path = null, errno = null, hint = null } = error.details;
  return { code: error.code, exit: error.exitStatus, message: error.message, step, syscall, path, errno, hint };
}

function writeWhole(fd: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
}
