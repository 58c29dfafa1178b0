/**
 * `fence check`: tries everything that `fence run` needs of this host.
 *
 * Runs:     host.
 * Promises: each capability is tried in a child that ends, within bounded time; nothing is left behind; what is missing is
 *           a line of the report and no error.
 * Source:   docs/check.md
 */
import { FenceError } from "../base/errors.ts";
import type { HostPath } from "../base/paths.ts";
import type { Capability, CheckReport, GroundFact } from "../plan/check-report.ts";
import { layerPurposes, weakerUnderBwrap } from "../plan/isolation.ts";
import { type NamespaceLayer, type Namespaces, namespaceLayers } from "../plan/namespaces.ts";
import { type IsolationLayer, isolationLayers } from "../plan/policy.ts";
import type { RunChild } from "../sys/child.ts";
import type { HostFiles } from "../sys/host-files.ts";
import { type Bwrap, findBwrap } from "./bwrap.ts";
import type { RecognisedFailure } from "./bwrap-failure.ts";
import { findNamespaces, type NamespaceFindings, tryStarts } from "./capabilities.ts";
import { type Ground, readGround } from "./capabilities-ground.ts";
import { tryRestrictions } from "./check-restrictions.ts";

export interface CheckDoors {
  readonly files: HostFiles;
  readonly run: RunChild;
  /** The user's, of which PATH and the variables that containers set are read. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** fence itself, which is started to restrict itself. */
  readonly executable: HostPath;
}

const everything: Namespaces = { layers: new Set(namespaceLayers), proc: "own" };

export async function check(doors: CheckDoors): Promise<CheckReport> {
  const ground = readGround(doors.files, doors.environment);
  const [{ bwrap, findings }, restrictions] = await Promise.all([tryBwrap(doors, ground), tryRestrictions(doors)]);
  const capabilities = [
    bwrapCapability(bwrap, findings),
    ...triedIds.map((id) => triedCapability(id, findings)),
    ...restrictions,
    memoryFiles(ground),
  ];
  return { version: 1, ...verdictOf(capabilities, findings), capabilities, ground: groundFacts(ground, bwrap) };
}

interface TriedBwrap {
  /** Or why there is none. */
  readonly bwrap: Bwrap | FenceError;
  /** null: there was no bwrap to try. */
  readonly findings: NamespaceFindings | null;
}

async function tryBwrap(doors: CheckDoors, ground: Ground): Promise<TriedBwrap> {
  try {
    const bwrap = await findBwrap(doors.environment["PATH"], doors);
    const start = tryStarts(bwrap, doors.run, () => ({ ...ground, setUserId: bwrap.setUserId }));
    return { bwrap, findings: await findNamespaces(everything, start) };
  } catch (thrown) {
    if (thrown instanceof FenceError && thrown.code === "FENCE_BWRAP") return { bwrap: thrown, findings: null };
    throw thrown;
  }
}

function bwrapCapability(bwrap: Bwrap | FenceError, findings: NamespaceFindings | null): Capability {
  const what = { id: "bwrap", purpose: "makes the namespaces and mounts" } as const;
  if (!("path" in bwrap)) return { ...what, state: "missing", says: bwrap.message, remedies: hintsOf(bwrap) };
  const says = `${bwrap.path}, version ${bwrap.version}${bwrap.setUserId ? ", set-user-ID root" : ""}`;
  const failure = findings?.startFailure ?? null;
  if (failure === null) return { ...what, state: "ok", says, remedies: [] };
  return { ...what, state: "missing", says: `${says}: ${causeOf(failure)}`, remedies: failure.remedies };
}

type TriedId = "mount" | "proc" | NamespaceLayer;

const triedIds: readonly TriedId[] = [
  "mount",
  ...namespaceLayers.flatMap((layer): readonly TriedId[] => (layer === "pid" ? ["pid", "proc"] : [layer])),
];
const fine: Partial<Record<TriedId, string>> = {
  mount: "the whole host, submounts too",
  network: "with its loopback up",
};

/** `findings` null: there is no bwrap to try them with. */
function triedCapability(id: TriedId, findings: NamespaceFindings | null): Capability {
  const purpose = id === "proc" ? "a /proc that shows only the sandbox's processes" : layerPurposes[id];
  // The one cause and its remedies stand beside bwrap.
  const without = (says: string): Capability => ({ id, purpose, state: "missing", says, remedies: [] });
  if (findings === null) return without("not tried: there is no bwrap");
  const { failures, procFailure, startFailure } = findings;
  if (startFailure !== null) return without("bwrap does not start here, see above");
  const failure = id === "mount" ? undefined : failures.get(id === "proc" ? "pid" : id);
  if (failure !== undefined) {
    return { id, purpose, state: "missing", says: causeOf(failure), remedies: failure.remedies };
  }
  if (id !== "proc" || procFailure === null) return { id, purpose, state: "ok", says: fine[id] ?? null, remedies: [] };
  const says = `${weakerUnderBwrap.pid}: ${causeOf(procFailure)}`;
  return { id, purpose, state: "weaker", says, remedies: procFailure.remedies };
}

/** fence has started, from its memory files: what could deny them has not. */
function memoryFiles({ memfdNoexec }: Ground): Capability {
  const setting = memfdNoexec === null ? "" : ` (vm.memfd_noexec is ${memfdNoexec})`;
  const says = `this fence runs from them${setting}`;
  return {
    id: "memory-files",
    purpose: "Node's libraries, without files on the host",
    state: "ok",
    says,
    remedies: [],
  };
}

function verdictOf(capabilities: readonly Capability[], findings: NamespaceFindings | null) {
  const reduced = isolationLayers.filter((layer) =>
    capabilities.some(({ id, state }) => state !== "ok" && layerOf(id) === layer),
  );
  return { verdict: verdictWord(reduced, capabilities, findings), reduced };
}

function verdictWord(
  reduced: readonly IsolationLayer[],
  capabilities: readonly Capability[],
  findings: NamespaceFindings | null,
): CheckReport["verdict"] {
  const landlock = capabilities.some(({ id, state }) => id === "landlock" && state !== "missing");
  if (findings === null || findings.works === null) return landlock ? "landlock" : "none";
  return reduced.length === 0 ? "strict" : "best-effort";
}

function layerOf(id: Capability["id"]): IsolationLayer | null {
  if (id === "proc") return "pid";
  return isolationLayers.find((layer) => layer === id) ?? null;
}

function groundFacts(ground: Ground, bwrap: Bwrap | FenceError): readonly GroundFact[] {
  const fact = (name: string, value: string | number | null) =>
    value === null ? [] : [{ name, value: String(value) }];
  return [
    ...fact("kernel", ground.kernel),
    ...fact("user", ground.uid === 0 ? `root${ground.mayMapRoot ? "" : ", without CAP_SETFCAP"}` : `uid ${ground.uid}`),
    ...fact("container", ground.container),
    ...fact("wsl", ground.wsl),
    ...fact("capabilities", ground.uid !== 0 && ground.hasCapabilities ? "some: bwrap refuses them" : null),
    ...fact("no_new_privs", ground.noNewPrivs ? noNewPrivsText(bwrap) : null),
    ...fact("seccomp", ground.filtered ? "a filter is on this process already" : null),
    ...fact("AppArmor", ground.apparmorRestrictsUserns ? "restricts user namespaces of unprivileged users" : null),
    ...fact("kernel.unprivileged_userns_clone", ground.unprivilegedUserns === false ? 0 : null),
    ...fact("user.max_user_namespaces", ground.maxUserNamespaces),
    ...fact("fs.mount-max", ground.mountMax),
    ...fact("open files (ulimit -n)", ground.openFiles ?? "unlimited"),
    ...fact("processes (ulimit -u)", ground.processes ?? "unlimited"),
    ...fact("cgroup", ground.cgroup),
  ];
}

function noNewPrivsText(bwrap: Bwrap | FenceError): string {
  return `set already${"path" in bwrap && bwrap.setUserId ? ": bwrap's set-user-ID bit has no effect" : ""}`;
}

function causeOf({ says, quote }: RecognisedFailure): string {
  return `${says} (${quote})`;
}

function hintsOf({ details }: FenceError): readonly string[] {
  return details.hint === undefined ? [] : [details.hint];
}
