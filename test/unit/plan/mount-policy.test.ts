import { describe, expect, test } from "vitest";
import type { HostMount } from "../../../src/base/host.ts";
import { hostPath } from "../../../src/base/paths.ts";
import { bounds } from "../../../src/plan/mount-patterns.ts";
import { planMounts } from "../../../src/plan/mount-plan.ts";
import type { HostFacts } from "../../../src/plan/mounts.ts";
import { failure } from "../../kit/errors.ts";
import { factsOf, hostOf, type Tree } from "../../kit/hosts.ts";
import { replay } from "../../kit/mount-model.ts";
import { merged } from "../../kit/odd-hosts.ts";
import { type PolicyParts, policyOf } from "../../kit/policies.ts";

const work = "/home/u/work";

function planned(
  tree: Tree,
  parts: PolicyParts = {},
  { mounts = [], ...facts }: Partial<HostFacts> & { mounts?: readonly HostMount[] } = {},
) {
  const host = hostOf({ ...merged, ...tree }, { mounts });
  const plan = planMounts(policyOf(parts), factsOf({ executable: hostPath("/opt/fence/fence"), ...facts }), host);
  const seen = replay(plan.mounts, host, plan.leftBehind);
  expect(seen.problems).toEqual([]);
  return { plan, look: seen.look, says: plan.notes.map(({ where, says }) => `${where}: ${says}`).join("\n") };
}

describe("narrower and later", () => {
  const tree = { [`${work}/a/b/c/x`]: "", [`${work}/a/y`]: "" };

  test("a narrower grant shows a part of what is denied", () => {
    const { look } = planned(tree, { filesystem: { denyRead: [`${work}/a`], allowRead: [`${work}/a/b`] } });
    expect(look(`${work}/a/y`)).toBeNull();
    expect(look(`${work}/a/b/c/x`)).toMatchObject({ isWritable: false });
    expect(look(`${work}/a`)).toMatchObject({ source: null, isWritable: false });
  });

  test("what is denied in a narrower grant in what is denied is not seen", () => {
    const { look } = planned(tree, {
      filesystem: { denyRead: [`${work}/a`, `${work}/a/b/c`], allowWrite: [`${work}/a/b`] },
    });
    expect(look(`${work}/a/b`)).toMatchObject({ isWritable: true });
    expect(look(`${work}/a/b/c/x`)).toBeNull();
  });

  test("of a grant and a denial of the same path the denial wins", () => {
    const same = [`${work}/a`];
    expect(
      planned(tree, { filesystem: { denyRead: same, allowRead: same, allowWrite: same } }).look(`${work}/a/y`),
    ).toBeNull();
    expect(planned(tree, { filesystem: { denyWrite: same, allowWrite: same } }).look(`${work}/a/y`)).toMatchObject({
      isWritable: false,
    });
  });

  test("allowRead takes no writing away", () => {
    const { look } = planned(tree, { filesystem: { allowWrite: [work], allowRead: [`${work}/a`] } });
    expect(look(`${work}/a/y`)).toMatchObject({ isWritable: true });
  });

  test("no default shows what the user denies, however narrow it is", () => {
    const { look } = planned(
      { "/home/u/.cargo/bin/cargo": "", "/home/u/.npm/_logs/x": "" },
      { filesystem: { defaultDenyRead: true, denyRead: ["/home/u", "/etc"], allowRead: [work] } },
    );
    expect(look("/home/u/.cargo/bin/cargo")).toBeNull();
    expect(look("/home/u/.npm/_logs")).toBeNull();
    expect(look("/etc/resolv.conf")).toBeNull();
  });

  test("what is readable again in what is denied does not become writable by default", () => {
    const { look } = planned(
      { "/home/u/.npm/_logs/x": "" },
      { filesystem: { denyRead: ["/home/u"], allowRead: ["/home/u/.npm", work] } },
    );
    expect(look("/home/u/.npm/_logs/x")).toMatchObject({ isWritable: false });
    expect(planned({ "/home/u/.npm/_logs/x": "" }).look("/home/u/.npm/_logs/x")).toMatchObject({ isWritable: true });
  });

  test("strictDenyRead shows nothing by default, defaultDenyRead the system and version managers", () => {
    const parts = (strictDenyRead: boolean) => ({
      filesystem: { defaultDenyRead: true, strictDenyRead, allowRead: [work] },
    });
    const tree = { "/home/u/.cargo/bin/cargo": "", "/home/u/.cargo/credentials.toml": "", "/usr/bin/env": "" };
    expect(planned(tree, parts(false)).look("/usr/bin/env")).not.toBeNull();
    expect(planned(tree, parts(true)).look("/usr/bin/env")).toBeNull();
    expect(planned(tree, parts(false)).look("/home/u/.cargo/bin/cargo")).not.toBeNull();
    expect(planned(tree, parts(false)).look("/home/u/.cargo/credentials.toml")).toBeNull();
    expect(planned(tree, parts(true)).look("/home/u/.cargo/bin/cargo")).toBeNull();
  });

  test("a place that is mounted a second time is denied there, too", () => {
    const mounts = [
      { point: "/", root: "/", device: "8:1", type: "ext4" },
      { point: "/srv/again", root: "/home/u", device: "8:1", type: "ext4" },
      { point: "/srv/part", root: "/home/u/secrets/deep", device: "8:1", type: "ext4" },
      { point: "/srv/other", root: "/home/u", device: "8:2", type: "ext4" },
    ];
    const tree = {
      "/home/u/secrets/deep/x": "",
      "/srv/again/secrets/deep/x": "",
      "/srv/part/x": "",
      "/srv/other/secrets/deep/x": "",
    };
    const { look } = planned(tree, { filesystem: { denyRead: ["/home/u/secrets"] } }, { mounts });
    for (const path of ["/home/u/secrets/deep/x", "/srv/again/secrets/deep/x", "/srv/part/x"])
      expect(look(path)).toBeNull();
    expect(look("/srv/other/secrets/deep/x")).not.toBeNull();
  });
});

test("a denied path on a file system that may take names in any case is said not to be safe", () => {
  const mounts = [
    { point: "/", root: "/", device: "8:1", type: "ext4" },
    { point: "/mnt/c", root: "/", device: "0:60", type: "9p" },
  ];
  const tree = { "/mnt/c/Users/u/.ssh/id": "" };
  const denying = (path: string) => planned(tree, { filesystem: { denyRead: [path] } }, { mounts }).says;
  expect(denying("/mnt/c/Users/u/.ssh")).toContain(
    "is on a 9p file system, which may take names in any case: deny /mnt/c as a whole",
  );
  expect(denying("/mnt/c")).toBe("");
  expect(denying("/home/u/work/main.c")).toBe("");
});

describe("masks", () => {
  test("are empty regular files and empty directories, read-only", () => {
    const { look, plan } = planned(
      { "/.dockerenv": "", "/srv/a/b": "" },
      { filesystem: { mask: ["/.dockerenv", "/srv/a", "/proc/version"] } },
    );
    expect(look("/.dockerenv")).toMatchObject({ type: "file", source: null, isWritable: false });
    expect(look("/proc/version")).toMatchObject({ type: "file", source: null, isWritable: false });
    expect(look("/srv/a")).toMatchObject({ type: "directory", source: null, isWritable: false });
    expect(plan.mounts.some(({ step }) => step.kind === "bind" && step.access === "devices")).toBe(false);
  });

  test("denying the root is an error with the remedy", () => {
    expect(failure(() => planned({}, { filesystem: { denyRead: ["/"] } })).details.hint).toContain("defaultDenyRead");
  });
});

describe("decoys and restored directories", () => {
  const decoy = (path: string) => ({ path, kind: "aws-credentials" as const });

  test("a decoy stands in the place of a file, and in a hidden directory where none is", () => {
    const { look } = planned(
      { "/home/u/.aws/credentials": "true", "/home/u/.ssh": "/" },
      {
        filesystem: {
          denyRead: ["/home/u/.ssh"],
          decoys: [decoy("/home/u/.aws/credentials"), { path: "/home/u/.ssh/id", kind: "ssh-key" }],
        },
      },
    );
    expect(look("/home/u/.aws/credentials")).toMatchObject({
      decoy: "aws-credentials",
      source: null,
      isWritable: false,
    });
    expect(look("/home/u/.ssh/id")).toMatchObject({ decoy: "ssh-key" });
  });

  test("a decoy that would have to be made on the host is an error", () => {
    const error = failure(() => planned({}, { filesystem: { decoys: [decoy("/home/u/.aws/credentials")] } }));
    expect(error).toMatchObject({ code: "FENCE_MOUNTS", details: { path: "/home/u/.aws/credentials" } });
    expect(error.details.hint).toContain("filesystem.denyRead");
  });

  test("a decoy for a directory is an error", () => {
    expect(failure(() => planned({}, { filesystem: { decoys: [decoy(work)] } })).message).toContain("is a directory");
  });

  test("restore shows a directory again; what it cannot show is an error", () => {
    const tree = { "/tmp/cache/x": "", "/home/u/a/b/x": "" };
    const { look } = planned(tree, { filesystem: { mask: ["/home/u/a"], restore: ["/tmp/cache", "/home/u/a/b"] } });
    expect(look("/tmp/cache/x")).toMatchObject({ isWritable: false });
    expect(look("/home/u/a/b/x")).toMatchObject({ isWritable: false });
    expect(failure(() => planned(tree, { filesystem: { restore: ["/tmp/none"] } })).message).toContain("is not there");
    expect(
      failure(() => planned(tree, { filesystem: { restore: ["/tmp/cache"], denyRead: ["/tmp/cache"] } })).message,
    ).toContain("denyRead");
  });
});

describe("what does not exist", () => {
  test("to be denied in a read-only directory is a note", () => {
    expect(planned({}, { filesystem: { denyRead: ["/home/u/.netrc"] } }).says).toContain("there is nothing to protect");
  });

  test("to be denied in a writable directory is an error under strict and a note otherwise", () => {
    const filesystem = { allowWrite: [work], denyWrite: [`${work}/.env`] };
    const error = failure(() => planned({}, { filesystem }));
    expect(error.message).toContain("does not exist, and the program could make it");
    expect(error.details.hint).toContain("best-effort");
    const { plan, says } = planned({}, { filesystem, isolation: "best-effort" });
    expect(says).toContain("the program could make it");
    expect(plan.unprotected).toContain(`${work}/.env`);
  });

  test("behind a symlink that the program could replace is the same", () => {
    const tree = { [`${work}/env`]: "-> ../settings", "/home/u/settings": "" };
    const filesystem = { allowWrite: [work], denyWrite: [`${work}/env`] };
    expect(failure(() => planned(tree, { filesystem })).message).toContain("which the program could replace");
  });

  test("of a grant is a note; nothing is made", () => {
    const { says, plan } = planned({}, { filesystem: { allowWrite: ["/home/u/none"], allowRead: ["/home/u/*.none"] } });
    expect(says).toContain('filesystem.allowWrite "/home/u/none": does not exist');
    expect(says).toContain('filesystem.allowRead "/home/u/*.none": matches nothing');
    expect(plan.leftBehind).toEqual([]);
  });
});

describe("what is denied in a writable directory", () => {
  const secret = { [`${work}/conf/keys/secret`]: "" };

  test.for([
    { denyRead: [`${work}/conf/keys/secret`] },
    { denyRead: [`${work}/**/secret`] },
    { mask: [`${work}/conf/keys/secret`] },
    { decoys: [{ path: `${work}/conf/keys/secret`, kind: "token" as const }] },
  ])("cannot be moved away with a directory above it, for the next run to show it: %o", (denial) => {
    const { plan } = planned(secret, { filesystem: { allowWrite: [work], ...denial } });
    for (const above of [`${work}/conf`, `${work}/conf/keys`]) {
      const step = { kind: "bind", from: above, to: above, access: "read-write" };
      expect(plan.mounts).toContainEqual(expect.objectContaining({ step }));
    }
  });

  test("cannot be reached through a symlink that the program could replace", () => {
    const tree = { [`${work}/keys`]: "-> /home/u/private", "/home/u/private/key": "" };
    const policy = { filesystem: { allowWrite: [work], denyRead: [`${work}/keys`] } };
    expect(failure(() => planned(tree, policy)).message).toContain(`leads through the symlink "${work}/keys"`);
    const { says, look } = planned(tree, { ...policy, isolation: "best-effort" });
    expect(says).toContain("is a symlink that the program could replace");
    expect(look("/home/u/private/key")).toBeNull();
  });
});

describe("dangerous files", () => {
  const repository = { [`${work}/.git/config`]: "", [`${work}/.git/hooks/x`]: "", [`${work}/.git/HEAD`]: "" };
  const writable = { filesystem: { allowWrite: [work] } };

  test("are read-only in what is writable, and cannot be moved away with their directory", () => {
    const { look, plan } = planned({ ...repository, [`${work}/.mcp.json`]: "", [`${work}/.vscode/x`]: "" }, writable);
    for (const name of [".git/config", ".git/hooks/x", ".mcp.json", ".vscode/x"])
      expect(look(`${work}/${name}`)).toMatchObject({ isWritable: false });
    expect(look(`${work}/.git/HEAD`)).toMatchObject({ isWritable: true });
    expect(plan.mounts).toContainEqual(
      expect.objectContaining({
        step: { kind: "bind", from: `${work}/.git`, to: `${work}/.git`, access: "read-write" },
      }),
    );
  });

  test("a repository that the program makes in the working directory is told of: git status would run what it names", () => {
    const { plan, says } = planned({ [`${work}/x`]: "" }, writable);
    expect(plan.unprotected).toContain(`${work}/.git`);
    expect(says).toContain(".git");
    expect(planned(repository, writable).plan.unprotected).not.toContain(`${work}/.git`);
  });

  test("allowGitConfig lets git's configuration be written, and its hooks not", () => {
    const { look } = planned(repository, { filesystem: { allowWrite: [work], allowGitConfig: true } });
    expect(look(`${work}/.git/config`)).toMatchObject({ isWritable: true });
    expect(look(`${work}/.git/hooks/x`)).toMatchObject({ isWritable: false });
  });

  test("cannot be granted, but what is below them can", () => {
    const tree = { "/home/u/.vscode/a/x": "", "/home/u/.bashrc": "" };
    const { look, says } = planned(tree, { filesystem: { allowWrite: ["/home/u/.vscode/a", "/home/u/.bashrc"] } });
    expect(says).toContain('filesystem.allowWrite "/home/u/.bashrc": stays read-only');
    expect(look("/home/u/.vscode/a/x")).toMatchObject({ isWritable: true });
    expect(look("/home/u/.bashrc")).toMatchObject({ isWritable: false });
  });

  test("of a worktree: the files of the repository that it belongs to", () => {
    const tree = {
      [`${work}/.git`]: "gitdir: ../main/.git/worktrees/work\n",
      "/home/u/main/.git/worktrees/work/commondir": "../..\n",
      "/home/u/main/.git/hooks/x": "",
      "/home/u/main/.git/config": "",
      "/home/u/main/.git/HEAD": "",
    };
    const { look } = planned(tree, { filesystem: { allowWrite: [work, "/home/u/main/.git"] } });
    for (const path of [
      "/home/u/main/.git/hooks/x",
      "/home/u/main/.git/config",
      `${work}/.git`,
      "/home/u/main/.git/worktrees/work/commondir",
    ])
      expect(look(path)).toMatchObject({ isWritable: false });
    expect(look("/home/u/main/.git/HEAD")).toMatchObject({ isWritable: true });
  });

  test("of submodules and of repositories directly below", () => {
    const tree = {
      ...repository,
      [`${work}/.git/modules/vendor/zlib/HEAD`]: "",
      [`${work}/.git/modules/vendor/zlib/config`]: "",
      [`${work}/other/.git/hooks/x`]: "",
    };
    const { look } = planned(tree, writable);
    expect(look(`${work}/.git/modules/vendor/zlib/config`)).toMatchObject({ isWritable: false });
    expect(look(`${work}/other/.git/hooks/x`)).toMatchObject({ isWritable: false });
  });

  test("that are missing are named in one note, and looked for again at the end", () => {
    const { plan, says } = planned({}, writable);
    expect(says).toContain(
      `in ${work} these do not exist and could be made by the program: .gitconfig, .gitmodules, .bashrc`,
    );
    expect(plan.unprotected).toContain(`${work}/.mcp.json`);
  });
});

describe("patterns", () => {
  test("name what is there, below their fixed part, dotfiles included", () => {
    const tree = { [`${work}/.env`]: "", [`${work}/a/.env`]: "", [`${work}/a/b/.env.local`]: "", [`${work}/env`]: "" };
    const { look } = planned(tree, { filesystem: { denyRead: [`${work}/**/.env*`] } });
    for (const name of [".env", "a/.env", "a/b/.env.local"])
      expect(look(`${work}/${name}`)).toMatchObject({ source: null });
    expect(look(`${work}/env`)).toMatchObject({ source: `${work}/env` });
  });

  test("a directory with all below it is the directory", () => {
    const { look } = planned({ "/home/u/.ssh/id": "" }, { filesystem: { denyRead: ["/home/u/.ssh/**"] } });
    expect(look("/home/u/.ssh/id")).toBeNull();
  });

  test("a name that looks like a pattern is a name, too", () => {
    const tree = { [`${work}/app/[id].tsx`]: "", [`${work}/app/i.tsx`]: "" };
    const { look } = planned(tree, { filesystem: { denyRead: [`${work}/app/[id].tsx`] } });
    expect(look(`${work}/app/[id].tsx`)).toMatchObject({ source: null });
    expect(look(`${work}/app/i.tsx`)).toMatchObject({ source: null });
  });

  test("do not walk node_modules, and say so", () => {
    const tree = { [`${work}/node_modules/x/.env`]: "", [`${work}/.env`]: "" };
    const { look, says } = planned(tree, { filesystem: { denyRead: [`${work}/**/.env`] } });
    expect(look(`${work}/node_modules/x/.env`)).toMatchObject({ source: `${work}/node_modules/x/.env` });
    expect(says).toContain("node_modules");
    const named = planned(tree, { filesystem: { denyRead: [`${work}/node_modules/*/.env`] } });
    expect(named.look(`${work}/node_modules/x/.env`)).toMatchObject({ source: null });
  });

  test("beyond the bounds are an error that names the pattern and the remedy", () => {
    const many = Object.fromEntries(
      Array.from({ length: bounds.matches + 1 }, (_, index) => [`${work}/d/${index}.key`, ""]),
    );
    const error = failure(() => planned(many, { filesystem: { denyRead: [`${work}/**/*.key`] } }));
    expect(error.message).toBe(`filesystem.denyRead "${work}/**/*.key" names more than 1000 paths`);
    expect(error.details.hint).toContain("longer fixed path");
    const deep = { [`${work}/${"d/".repeat(bounds.depth + 1)}x`]: "" };
    expect(failure(() => planned(deep, { filesystem: { denyRead: [`${work}/**/x`] } })).message).toContain(
      "is deeper than",
    );
  });

  test("that cannot be read are an error", () => {
    expect(failure(() => planned({}, { filesystem: { denyRead: [`${work}/[z-a]`] } })).message).toContain(
      "ends before it begins",
    );
    const named = failure(() => planned({ [`${work}/a\uFFFD`]: "" }, { filesystem: { denyRead: [`${work}/a*`] } }));
    expect(named.message).toContain("not UTF-8");
  });
});

describe("devices", () => {
  const tree = {
    "/dev/fuse": "device",
    "/dev/dri/card0": "device",
    "/dev/null": "device",
    "/dev/by-id/gpu": "-> ../dri/card0",
  };
  const steps = (parts: PolicyParts) => planned(tree, parts).plan.mounts.map(({ step }) => step);

  test("minimal has bwrap's own, and what allow names", () => {
    expect(steps({})).toContainEqual({ kind: "dev", to: "/dev" });
    const named = steps({ devices: { allow: ["/dev/fuse", "/dev/by-id/gpu", "/dev/null"] } });
    expect(named).toContainEqual({ kind: "bind", from: "/dev/fuse", to: "/dev/fuse", access: "devices" });
    expect(named).toContainEqual({ kind: "symlink", target: "../dri/card0", to: "/dev/by-id/gpu" });
    expect(named.filter(({ to }) => to === "/dev/null")).toEqual([]);
  });

  test("host has the host's", () => {
    expect(steps({ devices: { mode: "host" } })).toContainEqual({
      kind: "bind",
      from: "/dev",
      to: "/dev",
      access: "devices",
    });
  });

  test("what is no device is an error", () => {
    expect(failure(() => steps({ devices: { allow: ["/etc/passwd"] } })).message).toContain("is not below /dev");
  });

  test("granting a standard device as a file changes nothing; another one stays a device", () => {
    const named = steps({ filesystem: { allowWrite: ["/dev/null", "/dev/fuse"] } });
    expect(named.filter(({ to }) => to === "/dev/null")).toEqual([]);
    expect(named).toContainEqual({ kind: "bind", from: "/dev/fuse", to: "/dev/fuse", access: "devices" });
  });
});

test("the host's /tmp is shown without the directories where tmux and emacs have their sockets", () => {
  const tree = { "/tmp/tmux-1000/default": "socket", "/tmp/emacs1000/server": "socket", "/tmp/x": "" };
  const { look } = planned(tree, { filesystem: { allowWrite: ["/tmp"] } });
  expect(look("/tmp/x")).toMatchObject({ source: "/tmp/x", isWritable: true });
  for (const name of ["tmux-1000/default", "emacs1000/server"]) expect(look(`/tmp/${name}`)).toBeNull();
});

describe("fence's own place", () => {
  test("is made on the host only where the host's /tmp is shown, and is named then", () => {
    expect(planned({}).plan.leftBehind).toEqual([]);
    for (const filesystem of [{ allowWrite: ["/tmp"] }, { allowRead: ["/tmp"] }])
      expect(planned({}, { filesystem }).plan.leftBehind).toEqual(["/tmp/fence"]);
  });

  test("must be no symlink and nobody else's", () => {
    const filesystem = { allowWrite: ["/tmp"] };
    expect(failure(() => planned({ "/tmp/fence": "-> /home/u" }, { filesystem })).message).toContain("is a symlink");
    const host = hostOf({ ...merged, "/tmp/fence": "/" }, { owners: { "/tmp/fence": 4711 } });
    expect(failure(() => planMounts(policyOf({ filesystem }), factsOf(), host)).message).toContain("is another user's");
  });

  test("cannot be granted or denied", () => {
    expect(
      failure(() => planned({ "/tmp/fence/x": "" }, { filesystem: { allowRead: ["/tmp/fence/x"] } })).message,
    ).toContain("fence has its own files");
  });

  test("holds the sockets of the bridges", () => {
    const bridgeSockets = [{ name: "http", path: hostPath("/run/user/1000/fence/1/http") }];
    const { plan, look } = planned({ "/run/user/1000/fence/1/http": "socket" }, {}, { bridgeSockets });
    expect(plan.bridgeSockets).toEqual(["/tmp/fence/run/http"]);
    expect(look("/tmp/fence/run/http")).toMatchObject({ type: "socket" });
    expect(look("/run/user/1000/fence")).toBeNull();
  });
});

test("more mounts than bwrap takes are an error that names the keys", () => {
  const keys = Array.from({ length: 6 }, (_, index) => `/srv/${index}`);
  const many = Object.fromEntries(
    keys.flatMap((key) => Array.from({ length: 900 }, (_, index) => [`${key}/${index}.key`, ""])),
  );
  const error = failure(() => planned(many, { filesystem: { denyRead: keys.map((key) => `${key}/*.key`) } }));
  expect(error.message).toMatch(
    /^the mounts need \d+ arguments of bwrap, which takes 8800; most of them: filesystem.denyRead "\/srv\/0/,
  );
});

test("a plan asks the host no more for a large workspace than for a small one", () => {
  const asked = (files: number) => {
    const tree = Object.fromEntries(
      Array.from({ length: files }, (_, index) => [`${work}/src/${index % 50}/${index}.ts`, ""]),
    );
    const host = hostOf({ ...merged, ...tree });
    planMounts(
      policyOf({ filesystem: { allowWrite: [work], denyRead: ["/home/u/.ssh"] }, command: { useDefaults: true } }),
      factsOf(),
      host,
    );
    return host.asked();
  };
  expect(asked(5000)).toBe(asked(50));
  expect(asked(50)).toBeLessThan(1500);
});
