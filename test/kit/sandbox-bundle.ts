/**
 * The OCI bundle of docs/examples/oci under crun, and what tests change in it.
 *
 * Runs:     in tests, as root.
 * Promises: but for the changes named, and the probe beside the program, it is the example.
 */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { busybox, exampleText, putProgram } from "./examples.ts";
import { fence, host, type Json, type Outcome, run, start } from "./sandbox.ts";
import { type Bundle, bundle } from "./sandbox-oci.ts";
import { type HostProxy, httpProxy } from "./sandbox-proxy.ts";

export interface OciChanges {
  /** In place of the example's program. */
  readonly program?: readonly string[];
  /** In place of fence's options. */
  readonly options?: readonly string[];
  /** The program alone is the container's entry point: the twin. */
  readonly withoutFence?: boolean;
  readonly change?: (config: Json) => void;
}

const words: readonly string[] = parsed().process.args;
const dashes = words.indexOf("--");

/** Of fence, in the example. */
export const exampleOptions = words.slice(2, dashes);
export const withoutInit = exampleOptions.filter((option) => option !== "--init");

/** The bundle of docs/examples/oci, in whose root the probe stands too. */
export async function example(changes: OciChanges = {}, proxy?: HostProxy): Promise<Bundle> {
  const { folder } = proxy ?? (await httpProxy());
  const config = parsed();
  const { program = words.slice(dashes + 1), options = exampleOptions, withoutFence = false } = changes;
  config.process.args = withoutFence ? program : [...words.slice(0, 2), ...options, "--", ...program];
  changes.change?.(config);
  return bundle(config, (at) => {
    putProgram(fence, join(at, "rootfs/fence"));
    putProgram(busybox, join(at, "rootfs/bin/busybox"));
    putProgram(host.probe, join(at, "rootfs/bin/probe"));
    symlinkSync(folder, join(at, "proxy"));
  });
}

function parsed(): Json {
  return JSON.parse(exampleText("oci/config.json"));
}

export const runExample = async (changes: OciChanges = {}, proxy?: HostProxy): Promise<Outcome> =>
  run((await example(changes, proxy)).run);

export const probe = (...words: readonly (string | number)[]) => ["/bin/probe", ...words.map(String)];

/** Sends the signals, one after the other, once the program has printed its first line. */
export async function signalled(
  changes: OciChanges,
  signals: readonly NodeJS.Signals[],
): Promise<{ readonly result: Json; readonly status: number | null }> {
  const container = await example(changes);
  const running = start(container.run);
  await running.line();
  for (const signal of signals) {
    const { status, stderr } = await run(container.kill(signal));
    if (status !== 0) throw new Error(`crun cannot send ${signal}: ${stderr}`);
  }
  const line = await running.line();
  const { status } = await running.ended;
  return { result: line === null ? null : JSON.parse(line).result, status };
}
