/**
 * `--verify`: a throw-away child proves the restrictions before the program starts; what does not prove itself keeps
 * the program from starting.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { bootstrap, emptyRoot, host, type Json, type Place, run } from "../kit/sandbox.ts";

const verified = (output: string): readonly Json[] =>
  output
    .split("\n")
    .filter((line) => line.includes('"verified"'))
    .flatMap((line) => JSON.parse(line).checks);

describe.for<{ where: string; needs: readonly string[]; place: () => Place }>([
  { where: "on the host", needs: [], place: () => host },
  { where: "in an empty root", needs: ["bwrap"], place: emptyRoot },
])("--verify, $where,", ({ needs, place }) => {
  beforeEach(requires(...needs));

  test("proves each restriction that was asked for, and the program runs", async () => {
    const at = place();
    const options = [
      ...["--verify", "--status-fd", "4", "--rox", at.probe, "--connect-tcp", "443", "--bind-tcp", "8080"],
      ...["--scope", "signal", "--scope", "abstract-unix"],
    ];
    const outcome = await bootstrap(at, options, [at.probe, "exit", "7"], { collects4: true });
    expect(outcome).toMatchObject({ status: 7, stderr: "" });
    const checks = verified(outcome.output4);
    expect(checks.filter(({ verdict }) => verdict === "refuted")).toEqual([]);
    const proved = checks.filter(({ verdict }) => verdict === "proved").map(({ by }) => by);
    expect(proved).toEqual(
      expect.arrayContaining([
        ...["fence", "landlock READ_DIR", "landlock CONNECT_TCP", "landlock BIND_TCP", "landlock SIGNAL"],
        ...["landlock ABSTRACT_UNIX_SOCKET", "--rox", "seccomp"],
      ]),
    );
  });

  test("claims nothing of what was not asked for", async () => {
    const at = place();
    const options = ["--verify", "--status-fd", "4", "--seccomp=off"];
    const outcome = await bootstrap(at, options, [at.probe, "exit", "7"], { collects4: true });
    expect(outcome.status).toBe(7);
    expect(verified(outcome.output4).map(({ by }) => by)).toEqual(["fence"]);
  });

  test("leaves no trace in the program: no child, no descriptor, no changed environment", async () => {
    const at = place();
    const facts = async (...options: string[]) =>
      JSON.parse((await bootstrap(at, [...options, "--rox", at.probe], [at.probe, "facts"])).stdout);
    const { pid: _, ...plain } = await facts();
    const { pid: __, ...proved } = await facts("--verify");
    expect(proved).toEqual(plain);
  });
});

describe("a kernel that only says that it restricts", () => {
  beforeEach(requires("strace"));

  /** strace answers the call in the kernel's stead. */
  const pretending = (call: string, ...args: string[]) =>
    run([
      ...["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", `inject=${call}:retval=0`],
      ...[host.fence, "bootstrap", ...args, "--", host.probe, "exit", "7"],
    ]);

  test.for([
    { call: "landlock_restrict_self", options: ["--rox", host.probe], says: "read the directory /" },
    { call: "landlock_restrict_self", options: ["--connect-tcp", "443"], says: "connect to TCP port 1" },
    { call: "seccomp", options: [], says: "switch address space randomisation off" },
  ])("is found out: $call, $options", async ({ call, options, says }) => {
    const without = await pretending(call, ...options);
    expect(without.status, "without --verify nobody notices").toBe(7);
    const outcome = await pretending(call, "--verify", ...options);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain(says);
    expect(outcome.stderr).toContain("code:  FENCE_VERIFY");
  });
});
