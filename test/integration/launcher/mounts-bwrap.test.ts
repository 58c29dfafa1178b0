/** Plans for this machine, carried out by bubblewrap, as root and as an unprivileged user. */
import { type StdioOptions, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import addon from "landlock-napi/addon";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hostPath } from "../../../src/base/paths.ts";
import { MountPoints } from "../../../src/launcher/left-behind.ts";
import { prepare } from "../../../src/launcher/prepare.ts";
import { mountArgs } from "../../../src/plan/bwrap-argv.ts";
import { planMounts } from "../../../src/plan/mount-plan.ts";
import { hostView } from "../../../src/sys/host-view.ts";
import { type PolicyParts, policyOf } from "../../kit/policies.ts";
import { requires } from "../../kit/requires.ts";

const nobody = 65534;
const users = {
  root: { uid: 0, prefix: [] as string[], needs: ["root", "bwrap"] },
  nobody: {
    uid: nobody,
    prefix: ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"],
    needs: ["root", "setpriv", "unprivileged bwrap"],
  },
};
type User = keyof typeof users;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync("/var/tmp/mounts-"); // not below /tmp, of which the sandbox has its own;
  chmodSync(folder, 0o755);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);

/** Files with the text "text"; "-> x" a symlink; a name with a slash at its end is a directory. */
function make(user: User, files: Readonly<Record<string, string>>): void {
  for (const [name, what] of Object.entries(files)) {
    mkdirSync(dirname(at(name)), { recursive: true });
    if (name.endsWith("/")) mkdirSync(at(name), { recursive: true });
    else if (what.startsWith("-> ")) symlinkSync(what.slice(3), at(name));
    else writeFileSync(at(name), what);
  }
  own(folder, users[user].uid);
}

function own(path: string, uid: number): void {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) return;
  chownSync(path, uid, uid);
  if (stats.isDirectory()) for (const name of readdirSync(path)) own(join(path, name), uid);
}

/** All that there is, to compare: nothing may appear on the host. */
function everything(path = folder): string[] {
  const below = lstatSync(path).isDirectory() ? readdirSync(path).flatMap((name) => everything(join(path, name))) : [];
  return [path, ...below];
}

interface Run {
  readonly policy: PolicyParts;
  readonly script: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** What is the host's /tmp, in a mount namespace of its own. */
  readonly temporary?: string;
}

/** What a shell in the sandbox prints. */
function run(user: User, { policy, script, environment = {}, temporary }: Run) {
  const before = everything();
  const facts = {
    uid: users[user].uid,
    gid: users[user].uid,
    home: at("home"),
    directory: at("home/work"),
    environment: { PATH: process.env["PATH"], ...environment },
    executable: hostPath("/bin/true".replace(/^\/bin/, existsSync("/usr/bin/true") ? "/usr/bin" : "/bin")),
    bridgeSockets: [],
  };
  const view = hostView(addon);
  const moved = (path: string) =>
    temporary !== undefined && /^\/tmp(\/|$)/.test(path) ? temporary + path.slice(4) : path;
  const plan = planMounts(policyOf(policy), facts, {
    ...view,
    entry: (path) => view.entry(moved(path)),
    list: (path) => view.list(moved(path)),
  });
  const preparation = prepare(plan, addon);
  const points = new MountPoints(
    addon,
    plan.leftBehind.map((path) => hostPath(moved(path))),
    process.getuid?.() ?? 0,
  );
  const stdio: StdioOptions = ["ignore", "pipe", "pipe"];
  const args = plan.mounts.flatMap(({ step }) =>
    mountArgs(step, (prepared) => {
      const file = preparation.files.find((candidate) => candidate.step === prepared);
      stdio.push(file?.descriptor ?? "ignore");
      return stdio.length - 1;
    }),
  );
  const bwrap = [
    ...users[user].prefix,
    "bwrap",
    ...args,
    "--unshare-all",
    "--cap-drop",
    "ALL",
    "--die-with-parent",
    "--",
    "/bin/sh",
    "-c",
    script,
  ];
  const inNamespace =
    temporary === undefined ? [] : ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /tmp && exec "$@"', temporary];
  const [command = "", ...rest] = [...inNamespace, ...bwrap];
  const ended = spawnSync(command, rest, { stdio, encoding: "utf8", env: { PATH: process.env["PATH"] } });
  preparation.close();
  points.release();
  expect(everything()).toEqual(before);
  return { plan, lines: ended.stdout.trim().split("\n"), errors: ended.stderr, status: ended.status };
}

/** Inside: "yes" or "no" for each test of the shell. */
const ask = (...tests: readonly string[]) =>
  tests.map((test) => `if ${test} 2>/dev/null; then echo yes; else echo no; fi`).join("\n");

/** The same without a sandbox: each denial has a twin that works. */
function outside(user: User, script: string): readonly string[] {
  const [command = "", ...args] = [...users[user].prefix, "/bin/sh", "-c", script];
  return spawnSync(command, args, { encoding: "utf8" }).stdout.trim().split("\n");
}

describe.for(Object.keys(users) as User[])("as %s", (user) => {
  beforeEach(requires(...users[user].needs));

  test("only what allowWrite names can be written to, and dangerous files in it cannot", () => {
    make(user, {
      "home/work/x": "",
      "home/other": "",
      "home/work/.git/hooks/pre-commit": "",
      "home/work/.git/HEAD": "",
      "home/work/.mcp.json": "",
    });
    const tries = (
      [
        "home/work/new",
        "home/work/.git/HEAD",
        "home/other",
        "home/new",
        "home/work/.git/hooks/new",
        "home/work/.mcp.json",
      ] as const
    ).map((name) => `touch ${at(name)}`);
    const script = ask(...tries, `rm ${at("home/work/new")}`, `mv ${at("home/work/.git")} ${at("home/work/git")}`);
    const { lines } = run(user, { policy: { filesystem: { allowWrite: [at("home/work")] } }, script });
    expect(lines).toEqual(["yes", "yes", "no", "no", "no", "no", "yes", "no"]);
    expect(outside(user, script)).toEqual(Array(8).fill("yes"));
  });

  test("what is denied is not seen under any name, but for a narrower grant", () => {
    make(user, {
      "home/work/": "",
      "home/secrets/ssh/id": "key",
      "home/.ssh": "-> secrets/ssh",
      "home/a/b/c": "text",
      "home/a/d": "text",
      "home/token": "text",
    });
    const script = ask(
      ...["home/.ssh/id", "home/secrets/ssh/id", "home/a/d", "home/a/b/c", "home/token"].map(
        (name) => `test -s ${at(name)}`,
      ),
      `touch ${at("home/a/new")}`,
    );
    const denyRead = [at("home/.ssh"), at("home/a"), at("home/token")];
    const { lines } = run(user, { policy: { filesystem: { denyRead, allowRead: [at("home/a/b")] } }, script });
    expect(lines).toEqual(["no", "no", "no", "yes", "no", "no"]);
    expect(outside(user, script)).toEqual(Array(6).fill("yes"));
    rmSync(at("home/a/new"));
  });

  test("masks are empty regular files and directories, not devices, and cannot be executed", () => {
    make(user, { "home/work/": "", "etc/marker": "text", "etc/d/x": "text", "bin/tool": "#!/bin/sh\n" });
    chmodSync(at("bin/tool"), 0o755);
    const script = `${ask(`test -f ${at("etc/marker")} -a ! -s ${at("etc/marker")}`, `test -d ${at("etc/d")}`)}
      ls ${at("etc/d")} | wc -l
      ${ask(at("bin/tool"), `test -e ${at("bin/tool")}`, 'test -n "$(cat /proc/version)"', "test -f /proc/version")}`;
    const policy = {
      filesystem: { mask: [at("etc/marker"), at("etc/d"), "/proc/version"] },
      command: { deny: ["tool"] },
    };
    const { lines } = run(user, { policy, script, environment: { PATH: at("bin") } });
    expect(lines).toEqual(["yes", "yes", "0", "no", "yes", "no", "yes"]);
    expect(outside(user, ask(at("bin/tool")))).toEqual(["yes"]);
  });

  test("decoys are other files with a content of their own, and restored directories are seen", () => {
    make(user, {
      "home/work/": "",
      "home/.netrc": "machine real password real\n",
      "home/hidden/cache/x": "text",
      "home/hidden/y": "text",
    });
    const policy: PolicyParts = {
      filesystem: {
        denyRead: [at("home/hidden")],
        decoys: [
          { path: at("home/.netrc"), kind: "netrc" },
          { path: at("home/hidden/id"), kind: "ssh-key" },
        ],
        restore: [at("home/hidden/cache")],
      },
    };
    const script = `cat ${at("home/.netrc")} ; head -1 ${at("home/hidden/id")}
      ${ask(`test -s ${at("home/hidden/cache/x")}`, `test -e ${at("home/hidden/y")}`, `touch ${at("home/hidden/id")}`)}`;
    const [one, other] = [run(user, { policy, script }).lines, run(user, { policy, script }).lines];
    expect(one.slice(3)).toEqual(["-----BEGIN OPENSSH PRIVATE KEY-----", "yes", "no", "no"]);
    expect(one[2]).toMatch(/^ {2}password ghp_\w{36}$/);
    expect(one[2]).not.toBe(other[2]);
    expect(one.join()).not.toContain("real");
  });

  test("an empty root runs a shell, and shows what is granted", () => {
    make(user, { "home/work/x": "", "home/secret": "text", "data/v2/y": "text", "home/data": "-> ../data/v2" });
    const script = ask(
      "test -e /etc/passwd",
      `test -e ${at("home/work/x")}`,
      `touch ${at("home/work/x")}`,
      `test -e ${at("home/secret")}`,
      `test -s ${at("home/data/y")}`,
      "touch /x",
      `touch ${at("home/y")}`,
      "touch /tmp/x",
      "test -w /dev/null",
      "test -d /proc/self",
    );
    const policy = {
      filesystem: { defaultDenyRead: true, allowWrite: [at("home/work")], allowRead: [at("home/data")] },
    };
    const { lines, errors } = run(user, { policy, script });
    expect(errors).toBe("");
    expect(lines).toEqual(["yes", "yes", "yes", "no", "yes", "no", "no", "yes", "yes", "yes"]);
  });

  test("sockets of services are not seen, but where the policy names them", async () => {
    make(user, { "home/work/": "", "runtime/": "" });
    const servers = await Promise.all(["runtime/bus", "home/agent"].map((name) => listening(at(name))));
    const environment = { XDG_RUNTIME_DIR: at("runtime"), SSH_AUTH_SOCK: at("home/agent") };
    const script = ask(`test -S ${at("runtime/bus")}`, `test -S ${at("home/agent")}`);
    const shown = (network: PolicyParts["network"]) =>
      run(user, { policy: { network: network ?? {} }, script, environment }).lines;
    expect(shown({})).toEqual(["no", "no"]);
    expect(shown({ allowUnixSockets: [at("home/agent")] })).toEqual(["no", "yes"]);
    expect(shown({ allowAllUnixSockets: true })).toEqual(["yes", "yes"]);
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  });

  test("fence is in its place, read-only, and cannot be moved away", () => {
    make(user, { "home/work/": "" });
    const script = ask(
      "/tmp/fence/bin/fence",
      "touch /tmp/fence/x",
      "mv /tmp/fence /tmp/y",
      "rm /tmp/fence/bin/fence",
      "touch /tmp/x",
    );
    expect(run(user, { policy: {}, script }).lines).toEqual(["yes", "no", "no", "no", "yes"]);
  });

  test("where the host's /tmp is shown, fence's place is made there and removed again", () => {
    make(user, { "home/work/": "", "t/x": "text" });
    chmodSync(at("t"), 0o1777);
    for (const [filesystem, mayWrite] of [
      [{ allowWrite: ["/tmp"] }, "yes"],
      [{ allowRead: ["/tmp"] }, "no"],
    ] as const) {
      const script = ask("test -s /tmp/x", "/tmp/fence/bin/fence", "touch /tmp/fence/x", "touch /tmp/x");
      const { plan, lines, errors } = run(user, { policy: { filesystem }, script, temporary: at("t") });
      expect(errors).toBe("");
      expect(plan.leftBehind).toEqual(["/tmp/fence"]);
      expect(lines).toEqual(["yes", "yes", "no", mayWrite]);
    }
  });
});

async function listening(path: string): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  chmodSync(path, 0o666);
  return server;
}
