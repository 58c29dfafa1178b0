import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { homeFolder, launched, users } from "../kit/launched.ts";
import { requires } from "../kit/requires.ts";

beforeEach(requires("bwrap"));

/** A folder with one of each kind of program that does not start. */
function broken(): string {
  const home = homeFolder();
  const make = (name: string, content: string, mode = 0o755) => {
    writeFileSync(join(home, name), content);
    chmodSync(join(home, name), mode);
  };
  make("no-interpreter", "#!/nowhere/interpreter\n");
  make("carriage-return", "#!/bin/sh\r\n");
  make("plain", "text", 0o644);
  make("no-program", "text");
  make("denied", "#!/bin/sh\n");
  mkdirSync(join(home, "directory"));
  symlinkSync("/nowhere", join(home, "dangling"));
  symlinkSync("loop", join(home, "loop"));
  return home;
}

describe.for(users)(
  "as %s, a program that does not start is explained alike with a Node inside and without",
  (user) => {
    beforeEach(requires("root", "unprivileged bwrap", "setpriv"));

    test.for([
      { program: "./gone", says: /hint: {2}the program must exist inside the sandbox/ },
      { program: "./dangling", says: /a symbolic link to \/nowhere, which is not there/ },
      { program: "./no-interpreter", says: /its #! line, "\/nowhere\/interpreter", is not/ },
      { program: "./carriage-return", says: /"\/bin\/sh\\r", is not/ },
      { program: "./plain", says: /has no execute permission/ },
      { program: "./no-program", says: /it is no program for this machine/ },
      { program: "./directory", says: /it is a directory/ },
      { program: "./denied", says: /has no execute permission/ },
      { program: "./loop", says: /execve: ELOOP/ },
      { program: "./plain/x", says: /execve: ENOTDIR/ },
      { program: "gone", says: /cannot find "gone" in PATH/ },
      { program: "plain", says: /cannot run .*plain: it may not be executed/ },
      { program: "directory", says: /cannot find "directory" in PATH/ },
      { program: "denied", says: /cannot run .*denied: it may not be executed/ },
      { program: "no-interpreter", says: /its #! line, "\/nowhere\/interpreter", is not/ },
    ])("$program", async ({ program, says }) => {
      const home = broken();
      const options = ["--allow-read", home, "--deny-read", join(home, "denied")];
      const run = (...more: readonly string[]) =>
        launched([program], {
          user,
          home,
          cwd: home,
          env: { PATH: `/nowhere:${home}:${process.env["PATH"]}` },
          options: [...options, ...more],
        });
      const [fast, slow] = [await run(), await run("--no-fast-path")];
      expect(fast.stderr).toMatch(says);
      expect({ status: fast.status, stderr: fast.stderr }).toEqual({ status: slow.status, stderr: slow.stderr });
      expect(fast.reports.at(-1)).toEqual(slow.reports.at(-1));
    });
  },
);
