/**
 * The library: `import { createSandbox } from "fence"`.
 *
 * Runs:     in the user's own Node.
 * Source:   docs/library.md
 */
export type { PublishedPort } from "../base/service-protocol.ts";
export type { EffectiveIsolation, LayerReport, LayerState } from "../plan/isolation.ts";
export type { Command, ExitStatus, PipedCommand, Started } from "./command.ts";
export { FenceError } from "./fence-error.ts";
export type {
  CommandOptions,
  Environment,
  RunOptions,
  SandboxOptions,
  SpawnOptions,
  StdioOption,
} from "./options.ts";
export type { RunResult } from "./run.ts";
export { createSandbox, type Note, type Sandbox, type SandboxEvent, type SandboxEvents } from "./sandbox.ts";
export type { Settings } from "./settings.ts";
