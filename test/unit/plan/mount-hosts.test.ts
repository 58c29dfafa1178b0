import { describe, expect, test } from "vitest";
import { hostPath } from "../../../src/base/paths.ts";
import { planMounts } from "../../../src/plan/mount-plan.ts";
import type { HostFacts } from "../../../src/plan/mounts.ts";
import { failure } from "../../kit/errors.ts";
import { factsOf, hostOf, type Tree } from "../../kit/hosts.ts";
import { replay } from "../../kit/mount-model.ts";
import { alpine, merged, nixos, unmerged, wsl } from "../../kit/odd-hosts.ts";
import { type PolicyParts, policyOf } from "../../kit/policies.ts";

/** What the program sees, on a plan that bwrap can carry out. */
function plannedOn(tree: Tree, parts: PolicyParts = {}, facts: Partial<HostFacts> = {}) {
  const host = hostOf(tree);
  const plan = planMounts(policyOf(parts), factsOf({ executable: hostPath("/opt/fence/fence"), ...facts }), host);
  const seen = replay(plan.mounts, host, plan.leftBehind);
  expect(seen.problems).toEqual([]);
  return { plan, look: seen.look, says: plan.notes.map(({ where, says }) => `${where}: ${says}`).join("\n") };
}

const emptyRoot = { filesystem: { defaultDenyRead: true, allowWrite: ["/home/u/work"] } };

describe("every host", () => {
  const hosts = { merged, unmerged, nixos, wsl, alpine };
  test.for(Object.entries(hosts))("%s: the shell is found in a full and in an empty root", ([, tree]) => {
    for (const parts of [{}, emptyRoot]) {
      const { look } = plannedOn(tree, parts);
      expect(look("/bin/sh")).toMatchObject({ type: "file", isWritable: false });
      expect(look("/etc/resolv.conf")).toMatchObject({ type: "file", isWritable: false });
      expect(look("/tmp")).toMatchObject({ source: null, isWritable: true });
    }
  });

  test.for(Object.entries(hosts))("%s: no socket is seen", ([, tree]) => {
    const { look } = plannedOn(tree);
    for (const [path, what] of Object.entries(tree)) if (what === "socket") expect(look(path)?.type).not.toBe("socket");
  });

  test.for(Object.entries(hosts))("%s: an empty root shows nothing of HOME but what is granted", ([, tree]) => {
    const { look } = plannedOn({ ...tree, "/home/u/secret": "", "/srv/data": "" }, emptyRoot);
    expect(look("/home/u/secret")).toBeNull();
    expect(look("/srv")).toBeNull();
    expect(look("/home/u/work/main.c")).toMatchObject({ isWritable: true });
  });
});

describe("symlinks", () => {
  test("nothing is mounted through a symlink: what is named by it is mounted where it leads", () => {
    const { look } = plannedOn(merged, { filesystem: { denyRead: ["/bin/dash"] } });
    expect(look("/usr/bin/sh")).toMatchObject({ type: "file", source: null });
  });

  test("a denied path is denied where it leads, too", () => {
    const tree = { ...merged, "/home/u/.ssh": "-> secrets/ssh", "/home/u/secrets/ssh/id": "" };
    const { look } = plannedOn(tree, { filesystem: { denyRead: ["/home/u/.ssh"] } });
    expect(look("/home/u/secrets/ssh/id")).toBeNull();
    expect(look("/home/u/.ssh/id")).toBeNull();
    expect(look("/home/u/secrets/ssh")).toMatchObject({ type: "directory", isWritable: false });
  });

  test("a loop is an error that names the key", () => {
    const tree = { ...merged, "/srv/a": "-> b", "/srv/b": "-> a" };
    const error = failure(() => plannedOn(tree, { filesystem: { allowRead: ["/srv/a"] } }));
    expect(error).toMatchObject({ code: "FENCE_MOUNTS", details: { path: "/srv/a" } });
    expect(error.message).toBe('filesystem.allowRead "/srv/a" leads through more than 40 symlinks');
  });

  test("a chain of 40 is followed, one of 41 is an error", () => {
    const chain = (length: number) =>
      Object.fromEntries(Array.from({ length }, (_, index) => [`/srv/${index}`, `-> ${index + 1}`]));
    const grant = { filesystem: { allowWrite: ["/srv/0"] } };
    expect(plannedOn({ ...merged, ...chain(40), "/srv/40/x": "" }, grant).look("/srv/40/x")).toMatchObject({
      isWritable: true,
    });
    expect(failure(() => plannedOn({ ...merged, ...chain(41), "/srv/41": "/" }, grant)).code).toBe("FENCE_MOUNTS");
  });

  test("a symlink out of a writable directory grants nothing", () => {
    const tree = { ...merged, "/home/u/work/out": "-> /home/u/other", "/home/u/other/x": "" };
    const { look } = plannedOn(tree, { filesystem: { allowWrite: ["/home/u/work"] } });
    expect(look("/home/u/work/out/x")).toMatchObject({ source: "/home/u/other/x", isWritable: false });
  });

  test("a grant through a symlink that the program could have made is refused", () => {
    const tree = { ...merged, "/home/u/work/build": "-> /home/u/.ssh", "/home/u/.ssh/id": "" };
    const allowWrite = ["/home/u/work", "/home/u/work/build"];
    const error = failure(() => plannedOn(tree, { filesystem: { allowWrite } }));
    expect(error.message).toContain('leads to "/home/u/.ssh" through the symlink "/home/u/work/build"');
    expect(
      plannedOn(tree, { filesystem: { allowWrite: [...allowWrite, "/home/u/.ssh"] } }).look("/home/u/.ssh/id"),
    ).toMatchObject({ isWritable: true });
  });

  test("in an empty root the symlinks on the way to a grant are there", () => {
    const tree = { ...merged, "/home/u/data": "-> /srv/v2", "/srv/v2/x": "" };
    const { look } = plannedOn(tree, { filesystem: { ...emptyRoot.filesystem, allowRead: ["/home/u/data"] } });
    expect(look("/home/u/data/x")).toMatchObject({ source: "/srv/v2/x" });
  });

  test("a symlinked /tmp and a symlinked HOME", () => {
    const { "/tmp": _, ...others } = merged;
    const tree = {
      ...others,
      "/tmp": "-> /var/tmp",
      "/var/tmp/x": "",
      "/home/u": "-> /data/u",
      "/data/u/.bashrc": "",
      "/data/u/work/x": "",
    };
    delete (tree as Record<string, string>)["/home/u/work/main.c"];
    const { look, plan } = plannedOn(tree, { filesystem: { allowWrite: ["/home/u"] } }, { directory: "/data/u/work" });
    expect(look("/tmp/fence/bin/fence")).toMatchObject({ source: "/opt/fence/fence" });
    expect(look("/tmp/x")).toBeNull();
    expect(look("/home/u/.bashrc")).toMatchObject({ source: "/data/u/.bashrc", isWritable: false });
    expect(plan.mounts.every(({ step }) => step.to !== "/tmp" && !step.to.startsWith("/home/u"))).toBe(true);
  });

  test("a HOME that does not exist", () => {
    const { look } = plannedOn(merged, {}, { home: "/nonexistent", directory: "/usr" });
    expect(look("/nonexistent")).toBeNull();
  });
});

describe("NixOS", () => {
  test("/run/current-system leads into the store in a full and in an empty root; the daemon's socket does not show", () => {
    for (const parts of [{}, emptyRoot]) {
      const { look } = plannedOn(nixos, parts);
      expect(look("/run/current-system/sw/bin/bash")).toMatchObject({ type: "file" });
      expect(look("/run/opengl-driver/lib")).toMatchObject({ type: "directory" });
      expect(look("/etc/hosts")).toMatchObject({ source: "/nix/store/2c3-etc/hosts" });
      expect(look("/run/wrappers/bin/sudo")).toBeNull();
      expect(look("/nix/var/nix/daemon-socket")).toMatchObject({ type: "directory", source: null });
    }
  });
});

describe("WSL", () => {
  test("Windows programs and the sockets that start them are out of reach, unless wslInterop says so", () => {
    const { look, says } = plannedOn(wsl);
    expect(look("/run/WSL")).toBeNull();
    expect(says).toContain("filesystem.wslInterop: Windows programs cannot be started");
    expect(plannedOn(merged).says).not.toContain("Windows");
    expect(plannedOn(wsl, { filesystem: { wslInterop: true } }).look("/run/WSL/8_interop")).toMatchObject({
      type: "socket",
    });
    expect(plannedOn(wsl, { filesystem: { ...emptyRoot.filesystem, wslInterop: true } }).look("/init")).toMatchObject({
      type: "file",
    });
  });
});

describe("sockets", () => {
  test("allowUnixSockets shows what it names, and nothing beside it", () => {
    const { look, plan } = plannedOn(merged, { network: { allowUnixSockets: ["/var/run/docker.sock"] } });
    expect(look("/run/docker.sock")).toMatchObject({ type: "socket" });
    expect(look("/var/run/docker.sock")).toMatchObject({ type: "socket" });
    expect(look("/run/user")).toBeNull();
    expect(plan.allowedSockets).toEqual(["/run/docker.sock"]);
  });

  test("allowAllUnixSockets shows /run as it is", () => {
    const { look } = plannedOn(merged, { network: { allowAllUnixSockets: true } });
    expect(look("/run/user/1000/bus")).toMatchObject({ type: "socket" });
  });

  test("a grant that names something in /run wins over the default", () => {
    expect(plannedOn(merged, { filesystem: { allowRead: ["/run/user"] } }).look("/run/user/1000/bus")).toMatchObject({
      type: "socket",
    });
    expect(plannedOn(merged, { filesystem: { allowWrite: ["/run"] } }).look("/run/docker.sock")).toMatchObject({
      isWritable: true,
    });
  });

  test("sockets that variables name are not seen, wherever they are", () => {
    const tree = {
      ...merged,
      "/srv/agent": "socket",
      "/srv/docker": "socket",
      "/srv/bus": "socket",
      "/srv/tmux": "socket",
    };
    const environment = {
      SSH_AUTH_SOCK: "/srv/agent",
      DOCKER_HOST: "unix:///srv/docker",
      DBUS_SESSION_BUS_ADDRESS: "unix:path=/srv/bus,guid=1",
      TMUX: "/srv/tmux,12,0",
    };
    const { look } = plannedOn(tree, {}, { environment });
    for (const name of ["agent", "docker", "bus", "tmux"])
      expect(look(`/srv/${name}`)).toMatchObject({ type: "file", source: null });
  });

  test("XDG_RUNTIME_DIR is empty wherever it is, unless it would take HOME with it", () => {
    const tree = { ...merged, "/srv/runtime/bus": "socket" };
    expect(
      plannedOn(tree, {}, { environment: { XDG_RUNTIME_DIR: "/srv/runtime" } }).look("/srv/runtime/bus"),
    ).toBeNull();
    expect(
      plannedOn(tree, {}, { environment: { XDG_RUNTIME_DIR: "/home" } }).look("/home/u/work/main.c"),
    ).not.toBeNull();
  });
});

describe("the working directory", () => {
  test("is seen although it is in /tmp or /run", () => {
    const tree = { ...merged, "/tmp/project/x": "", "/tmp/other": "" };
    const { look } = plannedOn(tree, {}, { directory: "/tmp/project" });
    expect(look("/tmp/project/x")).toMatchObject({ isWritable: false });
    expect(look("/tmp/other")).toBeNull();
  });

  test("that is denied is not shown by default: there is no place to start in", () => {
    const tree = { ...merged, "/tmp/secret/project/x": "" };
    const refused = (path: string, directory: string) =>
      failure(() => plannedOn(tree, { filesystem: { denyRead: [path] } }, { directory })).message;
    expect(refused("/home/u", "/home/u/work")).toContain("is not in the sandbox");
    expect(refused("/tmp/secret", "/tmp/secret/project")).toContain("is not in the sandbox");
    const { look } = plannedOn(tree, { filesystem: { denyRead: ["/home/u/work"] } });
    expect(look("/home/u/work/main.c")).toBeNull();
    expect(look("/home/u/work")).toMatchObject({ source: null });
  });

  test("that an empty root does not show is an error with the remedy", () => {
    const error = failure(() => plannedOn(merged, { filesystem: { defaultDenyRead: true } }));
    expect(error.message).toBe('the working directory "/home/u/work" is not in the sandbox');
    expect(error.details.hint).toContain("filesystem.allowRead");
  });
});

describe("denied programs", () => {
  test("one name of a multicall binary is an error that lists the others", () => {
    const error = failure(() => plannedOn(alpine, { command: { deny: ["wget"] } }));
    expect(error.message).toBe(
      'command.deny "wget" cannot be denied without busybox, chroot, ls, reboot, sh: they are one file, /bin/busybox',
    );
    expect(error.details.hint).toContain("acceptSharedBinaryCannotRuntimeDeny");
  });

  test("a name that another one begins with is the same program", () => {
    const tree = { ...merged, "/usr/bin/sudo": "", "/usr/bin/sudoedit": "-> sudo" };
    const { look, says } = plannedOn(tree, { command: { deny: ["sudo"] } });
    expect(look("/usr/bin/sudoedit")).toMatchObject({ source: null });
    expect(says).toContain('command.deny "sudo": denies sudoedit as well');
  });

  test("hard links are names of one file as well", () => {
    const tree = { ...merged, "/usr/bin/perl": "", "/usr/bin/cperl": "= /usr/bin/perl" };
    expect(failure(() => plannedOn(tree, { command: { deny: ["cperl"] } })).message).toContain("without perl:");
    expect(plannedOn(tree, { command: { deny: ["cperl", "perl"] } }).look("/usr/bin/perl")).toMatchObject({
      source: null,
    });
  });

  test("accepted names and defaults are a note, and nothing else is lost", () => {
    const accepted = { deny: ["wget"], acceptSharedBinaryCannotRuntimeDeny: ["wget"] };
    const { look, says } = plannedOn(alpine, { command: accepted });
    expect(look("/usr/bin/wget")).toMatchObject({ source: "/bin/busybox" });
    expect(says).toContain("checked only before the start: wget");
    expect(plannedOn(merged, { command: { useDefaults: true } }).look("/usr/sbin/reboot")).toMatchObject({
      source: "/usr/bin/systemctl",
    });
  });

  test("a program of its own becomes an empty file, wherever PATH finds it", () => {
    const { look } = plannedOn({ ...merged, "/usr/local/bin/chroot": "" }, { command: { useDefaults: true } });
    expect(look("/usr/sbin/chroot")).toMatchObject({ type: "file", source: null });
    expect(look("/usr/local/bin/chroot")).toMatchObject({ type: "file", source: null });
  });

  test("what allow names is not denied", () => {
    const { look } = plannedOn(merged, { command: { useDefaults: true, allow: ["chroot"] } });
    expect(look("/usr/sbin/chroot")).toMatchObject({ source: "/usr/sbin/chroot" });
  });
});
