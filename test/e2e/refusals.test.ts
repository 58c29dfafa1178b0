import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { asNobody, bootstrap, folder, host, type Place, run } from "../kit/sandbox.ts";

function copyOfFence(mode: number): Place {
  const path = join(folder(), "fence");
  copyFileSync(host.fence, path);
  chmodSync(path, mode);
  return { ...host, fence: path };
}

describe("for an unprivileged caller", () => {
  beforeEach(requires("root", "setpriv"));

  test.for([
    { what: "set-user-ID", mode: 0o4755 },
    { what: "set-group-ID", mode: 0o2755 },
  ])("a $what fence refuses to run, and says how to mend it", async ({ mode }) => {
    const place = asNobody(copyOfFence(mode));
    const outcome = await bootstrap(place, [], [host.probe, "facts"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toMatch(
      /^fence: fence must not be started with more privileges than its caller has \(AT_SECURE\)\n/,
    );
    expect(outcome.stderr).toContain("chmod u-s,g-s");
  });

  test("a fence with file capabilities refuses to run, and says how to mend it", async (context) => {
    requires("setcap")(context);
    const place = asNobody(copyOfFence(0o755));
    expect(await run(["setcap", "cap_net_bind_service+ep", place.fence])).toMatchObject({ status: 0 });
    const outcome = await bootstrap(place, [], [host.probe, "facts"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain("setcap -r");
  });

  test("a copy of fence that may be read runs", async () => {
    const place = asNobody(copyOfFence(0o755));
    expect(await bootstrap(place, [], [host.probe, "exit", "42"])).toMatchObject({ status: 42, stderr: "" });
  });

  test("a copy of fence that may only be executed says that it must be readable", async () => {
    const place = asNobody(copyOfFence(0o711));
    const outcome = await bootstrap(place, [], [host.probe, "facts"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toMatch(/open: EACCES\n(.*\n)* {2}hint: {2}the fence executable must be readable/);
  });
});

describe("vm.memfd_noexec", () => {
  beforeEach(requires("root", "unshare"));

  test.for(["0", "1", "2"])("of %s does not keep fence from running", async (value) => {
    // The setting belongs to the PID namespace, memfd_create(2).
    const file = "/proc/sys/vm/memfd_noexec";
    const set = `echo ${value} >${file} && [ "$(cat ${file})" = ${value} ]`;
    const namespace = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", `${set} && exec "$@"`, "sh"];
    const place = { ...host, enter: (command: readonly string[]) => [...namespace, ...command] };
    expect(await bootstrap(place, [], [host.probe, "exit", "42"])).toMatchObject({ status: 42, stderr: "" });
  });
});
