import { expect, test } from "vitest";
import { hostPath } from "../../../src/base/paths.ts";
import { checkExitStatus, checkText } from "../../../src/cli/check-text.ts";
import { hasSeccomp } from "../../../src/launcher/capabilities-ground.ts";
import { check } from "../../../src/launcher/check.ts";
import { type CheckReport, capabilityIds } from "../../../src/plan/check-report.ts";
import { isolationLayers } from "../../../src/plan/policy.ts";
import type { ChildOutcome, RunChild } from "../../../src/sys/child.ts";
import { docExamples, docTable } from "../../kit/docs.ts";
import { ended, fakeBwrap, files, program } from "../../kit/host-fixtures.ts";

const ready = (abi: number, errata: readonly object[] = []) =>
  ended({
    report: `{"event":"starting"}\n${JSON.stringify({ event: "ready", isolation: { landlock: { abi, errata } } })}\n`,
  });

interface Host {
  readonly refusals?: readonly (readonly [string, string])[];
  readonly landlock?: ChildOutcome;
  readonly seccomp?: ChildOutcome;
  readonly hasBwrap?: boolean;
  readonly texts?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
}

function checkOf(host: Host): Promise<CheckReport> {
  const {
    refusals = [],
    landlock = ready(7),
    seccomp = ready(7),
    hasBwrap = true,
    texts = {},
    environment = {},
  } = host;
  const bwrap = fakeBwrap(refusals);
  const run: RunChild = async (request) => {
    if (request.file === "/usr/bin/bwrap") return bwrap.run(request);
    return request.args.includes("--landlock=best-effort") ? landlock : seccomp;
  };
  return check({
    files: files({ texts, facts: hasBwrap ? { "/usr/bin/bwrap": program } : {} }),
    run,
    environment,
    executable: hostPath("/fence"),
  });
}

const stateOf = ({ capabilities }: CheckReport, id: string) => capabilities.find((each) => each.id === id);

test("where all is well every capability is ok, and strict is possible", async () => {
  const report = await checkOf({});
  expect(report.capabilities.map(({ id, state }) => [id, state])).toEqual(capabilityIds.map((id) => [id, "ok"]));
  expect(report).toMatchObject({ version: 1, verdict: "strict", reduced: [] });
  expect(checkExitStatus(report)).toBe(0);
  expect(checkText(report)).toMatch(/\n\nfence run works here with strict isolation\.\n$/);
});

test("what is missing has its cause and remedies, and the verdict says which layers go", async () => {
  const report = await checkOf({
    refusals: [
      ["--proc /proc", "bwrap: Can't mount proc on /newroot/proc: Operation not permitted"],
      ["--disable-userns", "bwrap: cannot open /proc/sys/user/max_user_namespaces: Read-only file system"],
    ],
  });
  expect(report).toMatchObject({ verdict: "best-effort", reduced: ["pid", "nested-user"] });
  expect(checkExitStatus(report)).toBe(1);
  expect(stateOf(report, "pid")).toMatchObject({ state: "ok" });
  expect(stateOf(report, "proc")).toMatchObject({ state: "weaker", says: expect.stringContaining("Can't mount proc") });
  expect(stateOf(report, "nested-user")).toMatchObject({ state: "missing" });
  const text = checkText(report);
  expect(text).toContain("which goes without all or part of: pid, nested-user.");
  expect(text).toMatch(
    /^weaker {3}proc {10}.*\n {23}\/proc shows .*\n {23}remedy: docker run .*\n {23}or: {5}isolation\.pid/m,
  );
});

test("without bwrap only the landlock backend is left", async () => {
  const report = await checkOf({ hasBwrap: false });
  expect(report.verdict).toBe("landlock");
  expect(stateOf(report, "bwrap")).toMatchObject({ state: "missing", remedies: [expect.stringContaining("install")] });
  expect(stateOf(report, "user")).toMatchObject({ state: "missing", says: "not tried: there is no bwrap" });
  expect(checkText(report)).toContain("fence run --backend landlock confines");
});

test("where bwrap cannot start every layer of it is missing, and the cause is told once", async () => {
  const report = await checkOf({
    refusals: [["--cap-drop", "bwrap: Failed to make / slave: Operation not permitted"]],
  });
  expect(report.verdict).toBe("landlock");
  const missing = report.capabilities.filter(({ state }) => state === "missing");
  expect(missing.map(({ id }) => id)).toEqual(
    capabilityIds.filter((id) => !["landlock", "seccomp", "memory-files"].includes(id)),
  );
  expect(missing.filter(({ says, remedies }) => says?.includes("/ slave") && remedies.length > 0)).toHaveLength(1);
});

test.for([
  [ready(0), "missing", /no Landlock/],
  [ready(2), "weaker", /^ABI 2: files; .*TRUNCATE, IOCTL_DEV$/],
  [ready(7, [{ number: 3, says: "a fault" }]), "ok", /not fixed in this kernel: a fault$/],
  [ready(99), "ok", /^ABI 99, of which fence knows 10: .*UDP ports$/],
  [
    ended({ report: '{"event":"failed","message":"cannot restrict","hint":"do not nest"}\n', status: 125 }),
    "missing",
    /^cannot restrict$/,
  ],
  [ended({ stderr: "fence: no\n", status: 125 }), "missing", /^fence: no$/],
  [ended({ report: '{"event":"starting"}\n{"event":"rea', signal: "SIGKILL", status: null }), "missing", /SIGKILL$/],
  [ended({ signal: "SIGSYS", status: null }), "missing", /SIGSYS$/],
  [{ kind: "timed-out", timeoutMs: 3 }, "missing", /3 ms/],
  [{ kind: "not-started", errno: "EACCES" }, "missing", /execve: EACCES/],
] as const)("Landlock: %j", async ([landlock, state, says]) => {
  const report = await checkOf({ landlock });
  expect(stateOf(report, "landlock")).toMatchObject({ state, says: expect.stringMatching(says) });
  expect(report.reduced).toEqual(state === "ok" ? [] : ["landlock"]);
});

test("with neither nothing is left", async () => {
  const report = await checkOf({ hasBwrap: false, landlock: ready(0) });
  expect(report.verdict).toBe("none");
  expect(checkText(report)).toContain("fence run does not work here");
});

test.for<[string, Host, string]>([
  ["kernel", { texts: { "/proc/sys/kernel/osrelease": "6.1.0-18-amd64\n" } }, "6.1.0-18-amd64"],
  ["wsl", { texts: { "/proc/sys/kernel/osrelease": "5.15.0-microsoft-standard-WSL2\n" } }, "WSL 2"],
  ["container", { environment: { NIX_BUILD_TOP: "/build", NIX_STORE: "/nix/store" } }, "Nix build"],
  ["container", { environment: { container: "lxc" } }, "lxc"],
  ["container", { texts: { "/proc/1/cgroup": "0::/kubepods/besteffort/pod1\n" } }, "kubepods"],
  ["user", { texts: { "/proc/self/status": "Uid:\t0\t0\t0\t0\nCapEff:\t0\n" } }, "root, without CAP_SETFCAP"],
  ["no_new_privs", { texts: { "/proc/self/status": "NoNewPrivs:\t1\n" } }, "set already"],
  ["seccomp", { texts: { "/proc/self/status": "Seccomp:\t2\n" } }, "a filter is on this process already"],
  [
    "AppArmor",
    { texts: { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n" } },
    "restricts user namespaces of unprivileged users",
  ],
  ["user.max_user_namespaces", { texts: { "/proc/sys/user/max_user_namespaces": "0\n" } }, "0"],
  [
    "open files (ulimit -n)",
    { texts: { "/proc/self/limits": "Max open files            256                  4096                 files\n" } },
    "256",
  ],
])("the ground: %s %o", async ([name, host, value]) => {
  expect((await checkOf(host)).ground).toContainEqual({ name, value });
});

test("every layer of the policy is a capability", () => {
  expect(isolationLayers.filter((layer) => !capabilityIds.some((id) => id === layer))).toEqual([]);
});

test("docs/check.md lists every capability, and its example has the members of a report", async () => {
  const listed = docTable("check.md", "capability").flatMap(([cell = ""]) =>
    `\`${cell}\``.match(/(?<=`)[a-z-]+(?=`)/g),
  );
  expect(new Set(listed)).toEqual(new Set(capabilityIds));
  const report = await checkOf({ texts: { "/proc/sys/kernel/osrelease": "6.12.5\n" } });
  const [example] = docExamples("check.md") as [CheckReport];
  expect(Object.keys(example)).toEqual(Object.keys(report));
  expect(report.capabilities).toContainEqual(example.capabilities[0]);
  expect(report.ground).toContainEqual(example.ground[0]);
});

test("whether the kernel has seccomp filters is read where it says so", () => {
  expect(hasSeccomp(files({ facts: { "/proc/sys/kernel/seccomp/actions_avail": program } }))).toBe(true);
  expect(hasSeccomp(files({ texts: { "/proc/self/status": "Seccomp:\t0\nSeccomp_filters:\t0\n" } }))).toBe(true);
  expect(hasSeccomp(files({ texts: { "/proc/self/status": "Seccomp:\t0\n" } }))).toBe(false);
});
