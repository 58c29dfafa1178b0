/**
 * Hosts that are not this one: their files, and what their bwrap would answer.
 *
 * Runs:     in tests.
 * Promises: touches nothing of this host.
 */
import type { FailureGround } from "../../src/launcher/bwrap-failure.ts";
import { type IsolationPolicy, isolationLayers, type Requirement } from "../../src/plan/policy.ts";
import type { ChildOutcome, ChildRequest, RunChild } from "../../src/sys/child.ts";
import type { FileFacts, HostFiles } from "../../src/sys/host-files.ts";

export function isolationPolicy(every: Requirement, but: Partial<IsolationPolicy> = {}): IsolationPolicy {
  return { ...(Object.fromEntries(isolationLayers.map((layer) => [layer, every])) as IsolationPolicy), ...but };
}

/** A host where nothing is in the way. */
export const plainGround: FailureGround = {
  uid: 1000,
  mayMapRoot: false,
  filtered: false,
  container: null,
  apparmorRestrictsUserns: false,
  unprivilegedUserns: null,
  maxUserNamespaces: 15000,
  mountMax: 100000,
  setUserId: false,
};

export const program: FileFacts = { uid: 0, mode: 0o755, isFile: true, executable: true };

export function files(given: {
  readonly texts?: Readonly<Record<string, string>>;
  readonly links?: Readonly<Record<string, string>>;
  readonly facts?: Readonly<Record<string, FileFacts>>;
}): HostFiles {
  return {
    text: (path) => given.texts?.[path] ?? null,
    link: (path) => given.links?.[path] ?? null,
    facts: (path) => given.facts?.[path] ?? null,
  };
}

export function ended(given: Partial<Extract<ChildOutcome, { kind: "ended" }>>): ChildOutcome {
  return { kind: "ended", status: 0, signal: null, stdout: "", stderr: "", report: "", ...given };
}

export const bwrapVersion = ended({ stdout: "bubblewrap 0.8.0\n" });

/**
 * A bwrap that answers each start with the first line of `refusals` whose option it was given. Its requests are in
 * `requests`.
 */
export function fakeBwrap(refusals: readonly (readonly [option: string, stderr: string])[]): {
  readonly run: RunChild;
  readonly requests: ChildRequest[];
} {
  const requests: ChildRequest[] = [];
  const run: RunChild = async (request) => {
    requests.push(request);
    const words = request.args.join(" ");
    const refusal = refusals.find(([option]) => words.includes(option));
    return refusal === undefined ? bwrapVersion : ended({ status: 1, stderr: `${refusal[1]}\n` });
  };
  return { run, requests };
}
