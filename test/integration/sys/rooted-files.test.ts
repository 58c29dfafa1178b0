import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { explainExec } from "../../../src/inside/program.ts";
import { emptyRequest } from "../../../src/landlock/request.ts";
import { chooseRuleset } from "../../../src/landlock/ruleset.ts";
import { ownFiles } from "../../../src/sys/program-files.ts";
import { rootedFiles } from "../../../src/sys/rooted-files.ts";
import { requires } from "../../kit/requires.ts";
import { type Files, files } from "../inside/files.ts";

const script = "#!/bin/sh\n";
const file = { type: "file", hasExecuteBit: true };

/** A directory as the root; what stands beside it must not be seen. */
function root(fill: (made: Files) => void) {
  const made = files();
  made.make("outside", script);
  made.folder("root");
  fill({
    ...made,
    make: (name, ...rest) => made.make(join("root", name), ...rest),
    folder: (name, ...rest) => made.folder(join("root", name), ...rest),
    link: (name, target) => made.link(join("root", name), target),
  });
  return {
    path: join(made.directory, "root"),
    outside: made.directory,
    seen: rootedFiles(join(made.directory, "root")),
  };
}

describe("beneath another root", () => {
  test("files are found, and told from directories and special files", () => {
    const { path, seen } = root(({ make, folder }) => {
      folder("bin");
      make("bin/tool", script);
      make("bin/plain", "text", 0o644);
    });
    spawnSync("mkfifo", [join(path, "pipe")]);
    expect(seen.find("/bin/tool")).toEqual(file);
    expect(seen.find("bin//./tool")).toEqual(file);
    expect(seen.find("/bin/plain")).toEqual({ type: "file", hasExecuteBit: false });
    expect(seen.find("/bin/")).toEqual({ type: "directory", hasExecuteBit: true });
    expect(seen.find("/pipe")).toMatchObject({ type: "special" });
    expect(seen.mayExecute("/bin/tool")).toBe(true);
    expect(seen.mayExecute("/bin/plain")).toBe(false);
    expect(seen.head("/bin/tool", 4).toString()).toBe("#!/b");
    for (const other of ["/bin", "/pipe", "/gone"]) expect(seen.head(other, 4)).toHaveLength(0);
  });

  test.for(["", "/gone", "/tool/", "/tool/.", "/tool/..", "/tool/x", "/gone/../tool", "/dangling"])(
    "%j is missing",
    (path) => {
      const { seen } = root(({ make, link }) => {
        make("tool", script);
        link("dangling", "gone");
      });
      expect(seen.find("/tool")).toEqual(file);
      expect(seen.find(path)).toBe("missing");
      expect(seen.realPath(path)).toBeNull();
      expect(seen.mayExecute(path)).toBe(false);
    },
  );

  test.for(["/loop", "/self/self/tool", `/${"x".repeat(300)}`, "/tool\0"])("of %j nothing is known", (path) => {
    const { seen } = root(({ make, link }) => {
      make("tool", script);
      link("loop", "loop");
      link("self", "self/x");
    });
    expect(seen.find(path)).toBe("unknown");
    expect(seen.realPath(path)).toBeNull();
    expect(seen.linkTarget("/loop")).toBe("loop");
  });

  test("links start at the root that they are in, and lead no further up", () => {
    const { seen, outside } = root(({ make, folder, link }) => {
      folder("a/b");
      make("a/tool", script);
      link("absolute", "/a/tool");
      link("a/b/up", "../tool");
      link("a/b/far-up", "../../../../../a/tool");
      link("to-directory", "/a/b/");
      link("host", "/etc/passwd");
      link("beside", "../outside");
      link("a/beside", "/../outside");
    });
    for (const path of [
      "/absolute",
      "/a/b/up",
      "/a/b/far-up",
      "/../../a/tool",
      "/to-directory/../tool",
      "/to-directory/up",
    ]) {
      expect([path, seen.find(path), seen.realPath(path)]).toEqual([path, file, "/a/tool"]);
    }
    expect(ownFiles.find("/etc/passwd")).toMatchObject({ type: "file" });
    for (const path of [
      "/host",
      "/beside",
      "/a/beside",
      "/../outside",
      "../outside",
      "/etc/passwd",
      `${outside}/outside`,
    ]) {
      expect([path, seen.find(path)]).toEqual([path, "missing"]);
      expect([path, seen.head(path, 9)]).toEqual([path, Buffer.alloc(0)]);
    }
    expect(seen.linkTarget("/host")).toBe("/etc/passwd");
    expect(seen.linkTarget("/to-directory/up")).toBe("../tool");
    for (const path of ["/", "/a", "/a/tool", "/gone", "/to-directory/"]) expect(seen.linkTarget(path)).toBeNull();
  });

  test("links of /proc are followed by their text, never to what is open", () => {
    const { seen } = root(({ link }) => {
      for (const name of ["root", "cwd", "exe", "fd/0"]) link(name.replace("/", "-"), `/proc/self/${name}`);
    });
    for (const path of ["/root/etc/passwd", "/cwd", "/exe", "/fd-0"]) expect(seen.find(path)).toBe("missing");
    const whole = rootedFiles("/");
    expect(whole.realPath("/proc/self")).toBe(`/proc/${process.pid}`);
    expect(whole.realPath("/proc/self/cwd")).toBe(process.cwd());
    expect(rootedFiles(process.cwd()).find("/proc/self/cwd")).toBe("missing");
  });

  test("no descriptor stays open, whatever came of it", () => {
    const { seen } = root(({ make, link, folder }) => {
      folder("a/b/c");
      make("a/b/c/tool", script);
      link("loop", "/a/b/../../loop");
    });
    const before = readdirSync("/proc/self/fd");
    for (const path of ["/a/b/c/tool", "/a/b/c/gone", "/a/b/c/tool/x", "/loop", "/a/b/c/../../.."]) {
      seen.find(path);
      seen.realPath(path);
      seen.linkTarget(path);
      seen.head(path, 9);
    }
    expect(readdirSync("/proc/self/fd")).toEqual(before);
  });

  test("a root that is not there has nothing", () => {
    expect(rootedFiles("/gone/x").find("/bin/sh")).toBe("missing");
    expect(rootedFiles("/etc/passwd").find("/")).toBe("missing");
  });
});

const busybox = spawnSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).stdout.trim();

/** What the kernel says of each path to a process whose root it is: an inode number, or its words. */
function inChroot(path: string, paths: readonly string[]): readonly string[] {
  copyFileSync(busybox, join(path, "busybox"));
  const loop = 'for path; do /busybox stat -L -c %i "$path" 2>&1; done';
  const chroot = ["--user", "--map-root-user", "chroot", path, "/busybox", "sh", "-c", loop, "sh", ...paths];
  const { stdout, stderr } = spawnSync("unshare", chroot, { encoding: "utf8" });
  expect(stderr).toBe("");
  return stdout.trimEnd().split("\n");
}

describe("as the kernel", () => {
  beforeEach(requires("unshare", "busybox"));

  const names = ["a", "b", "c", "d"];
  const component = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...names) },
    { arbitrary: fc.constantFrom("..", ".", ""), weight: 1 },
  );
  const path = fc
    .tuple(fc.boolean(), fc.array(component, { minLength: 1, maxLength: 5 }))
    .map(([isAbsolute, components]) => `${isAbsolute ? "/" : ""}${components.join("/")}`)
    .filter((text) => text !== "");
  const tree = fc.array(
    fc.tuple(fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }), fc.option(path)),
    {
      minLength: 6,
      maxLength: 14,
    },
  );

  test("paths lead through links where the kernel takes a process whose root it is", () => {
    let [found, missing, loops] = [0, 0, 0];
    fc.assert(
      fc.property(tree, fc.array(path, { minLength: 20, maxLength: 20 }), (entries, paths) => {
        const { path: directory, seen } = root(({ folder, link }) => {
          for (const [at, target] of entries) {
            try {
              if (target === null) folder(at.join("/"));
              else link(at.join("/"), target);
            } catch {
              // beneath what is no directory, or there already: the tree goes without it
            }
          }
        });
        const answers = inChroot(
          directory,
          paths.map((text) => (text.startsWith("/") ? text : `/${text}`)),
        );
        paths.forEach((text, i) => {
          const answer = answers[i] ?? "";
          const real = seen.realPath(text);
          if (/^\d+$/.test(answer)) found++;
          else if (/symbolic links/.test(answer)) loops++;
          else missing++;
          const kernel = /^\d+$/.test(answer) ? Number(answer) : /symbolic links/.test(answer) ? "unknown" : "missing";
          const ours = real === null ? seen.find(text) : statSync(join(directory, real)).ino;
          expect({ text, ours }).toEqual({ text, ours: kernel });
        });
      }),
      { numRuns: 25 },
    );
    expect(Math.min(found, missing, loops)).toBeGreaterThan(0);
  });

  test("forty links are followed, and not one more", () => {
    const { path: directory, seen } = root(({ make, link }) => {
      make("link-0", script);
      for (let i = 1; i <= 41; i++) link(`link-${i}`, `link-${i - 1}`);
    });
    const [forty, more] = inChroot(directory, ["/link-40", "/link-41"]);
    expect([forty, more]).toEqual([expect.stringMatching(/^\d+$/), expect.stringContaining("symbolic links")]);
    expect([seen.find("/link-40"), seen.find("/link-41")]).toEqual([file, "unknown"]);
  });
});

describe("a sandbox", () => {
  beforeEach(requires("bwrap"));

  /** The root of a sandbox that has little but the host's programs. */
  async function sandboxRoot(): Promise<string> {
    const links = ["bin", "lib", "lib64"].flatMap((name) => ["--symlink", `usr/${name}`, `/${name}`]);
    const mounts = ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--symlink", "/proc/self/root/etc", "/escape"];
    const child = spawn("bwrap", ["--unshare-all", "--die-with-parent", "--info-fd", "3", ...mounts, ...links, "cat"], {
      stdio: ["pipe", "pipe", "inherit", "pipe"],
    });
    onTestFinished(async () => {
      child.stdin?.end();
      if (child.exitCode === null) await once(child, "exit");
    });
    const info = text(child.stdio[3] as Readable);
    child.stdin?.write("ready");
    await once(child.stdout as Readable, "data");
    return `/proc/${JSON.parse(await info)["child-pid"]}/root`;
  }

  test("is looked at from outside as it is inside", async () => {
    const seen = rootedFiles(await sandboxRoot());
    expect(seen.find("/bin/sh")).toEqual(file);
    expect(seen.realPath("/bin/sh")).toBe(ownFiles.realPath("/usr/bin/sh"));
    expect(seen.mayExecute("/bin/sh")).toBe(true);
    expect(seen.head("/bin/sh", 4).toString("latin1")).toBe("\x7fELF");
    expect(ownFiles.find("/etc/passwd")).toMatchObject({ type: "file" });
    for (const path of ["/etc/passwd", "/escape/passwd", "/proc/self/root/etc/passwd", "/home"])
      expect([path, seen.find(path)]).toEqual([path, "missing"]);
    const choice = chooseRuleset(emptyRequest, 9, "required");
    expect(explainExec("/etc/passwd", "/", -2, choice, seen)).toMatchObject({ code: "FENCE_PROGRAM_NOT_FOUND" });
  });
});
