import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { arranged, asNobody, bootstrap, emptyRoot, folder, host, run, unfenced } from "../kit/sandbox.ts";

describe("on the host", () => {
  test.for([0, 1, 2, 63, 64, 100, 124, 125, 126, 127, 128, 129, 200, 254, 255])(
    "the program's exit status %i is fence's",
    async (status) => {
      const outcome = await bootstrap(host, [], [host.probe, "exit", String(status)]);
      expect(outcome).toMatchObject({ status, signal: null, stdout: "", stderr: "" });
    },
  );

  test.for<[NodeJS.Signals, number]>([
    ["SIGHUP", 1],
    ["SIGINT", 2],
    ["SIGABRT", 6],
    ["SIGKILL", 9],
    ["SIGUSR1", 10],
    ["SIGSEGV", 11],
    ["SIGPIPE", 13],
    ["SIGTERM", 15],
  ])("a program that %s ends is seen by the parent to end by that signal", async ([signal, number]) => {
    const outcome = await bootstrap(host, [], [host.probe, "raise", String(number)]);
    expect(outcome).toMatchObject({ status: null, signal, stderr: "" });
  });
});

describe("in an empty root", () => {
  beforeEach(requires("bwrap"));

  test.for([0, 1, 125, 126, 127, 255])("the program's exit status %i is bwrap's", async (status) => {
    const outcome = await bootstrap(emptyRoot(), [], ["/probe", "exit", String(status)]);
    expect(outcome).toMatchObject({ status, stdout: "", stderr: "" });
  });

  test.for([1, 2, 9, 11, 15, 34, 64])("a program that signal %i ends is 128 more, as without fence", async (signal) => {
    const program = ["/probe", "raise", String(signal)];
    expect(await bootstrap(emptyRoot(), [], program)).toMatchObject({ status: 128 + signal, stderr: "" });
    expect(await run(emptyRoot().enter(program))).toMatchObject({ status: 128 + signal });
  });
});

interface Unrunnable {
  readonly what: string;
  /** Makes it in the folder and returns its path. */
  readonly make: (folder: string) => string;
  readonly status: 126 | 127;
  /** Of a direct execve(2). */
  readonly errno: string;
  readonly says: string | RegExp;
}

function file(mode: number, content: string): Unrunnable["make"] {
  return (at) => {
    const path = join(at, "program");
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };
}

const notFound: readonly Unrunnable[] = [
  {
    what: "that does not exist",
    make: (at) => join(at, "missing"),
    status: 127,
    errno: "ENOENT",
    says: /missing: execve: ENOENT .*\n.*\n {2}hint: {2}the program must exist inside the sandbox/,
  },
  {
    what: "beneath a file",
    make: (at) => `${file(0o755, "")(at)}/below`,
    status: 127,
    errno: "ENOTDIR",
    says: "execve: ENOTDIR",
  },
  {
    what: "at the end of a dangling symbolic link",
    make: (at) => {
      symlinkSync("nowhere", join(at, "link"));
      return join(at, "link");
    },
    status: 127,
    errno: "ENOENT",
    says: "execve: ENOENT",
  },
];

const cannotRun: readonly Unrunnable[] = [
  {
    what: "without execute permission",
    make: file(0o644, "#!/bin/sh\n"),
    status: 126,
    errno: "EACCES",
    says: /EACCES .*no execute permission\n(.*\n)* {2}hint: {2}chmod \+x/,
  },
  {
    what: "that is a directory",
    make: (at) => {
      mkdirSync(join(at, "directory"));
      return join(at, "directory");
    },
    status: 126,
    errno: "EACCES",
    says: /EACCES .*it is a directory/,
  },
  {
    what: "that is a device, as one that is masked",
    make: () => "/dev/null",
    status: 126,
    errno: "EACCES",
    says: /EACCES .*a device or another special file, mounted in place of a program\n(.*\n)* {2}hint: {2}do not mask it/,
  },
  {
    what: "whose script interpreter is missing",
    make: file(0o755, "#!/no/such/interpreter -x\n"),
    status: 126,
    errno: "ENOENT",
    says: /ENOENT .*the file is there, but the interpreter of its #! line, "?\/no\/such\/interpreter"?, is not/,
  },
  { what: "that is empty", make: file(0o755, ""), status: 126, errno: "ENOEXEC", says: "execve: ENOEXEC" },
  {
    what: "that is a text without #! line",
    make: file(0o755, "echo hello\n"),
    status: 126,
    errno: "ENOEXEC",
    says: /ENOEXEC .*\n(.*\n)* {2}hint: {2}a script needs a #! line/,
  },
  {
    what: "that is for another machine",
    make: (at) => {
      const path = join(at, "program");
      copyFileSync(host.probe, path);
      const elf = Buffer.alloc(64);
      elf.write("\x7fELF\x02\x01\x01", "latin1");
      elf.writeUInt16LE(2, 16);
      elf.writeUInt16LE(0xdead, 18);
      writeFileSync(path, elf);
      return path;
    },
    status: 126,
    errno: "ENOEXEC",
    says: "execve: ENOEXEC",
  },
];

const strange: readonly Unrunnable[] = [
  {
    what: "that is a loop of symbolic links",
    make: (at) => {
      symlinkSync("loop", join(at, "loop"));
      return join(at, "loop");
    },
    status: 126,
    errno: "ELOOP",
    says: "execve: ELOOP",
  },
  {
    what: "whose name is too long",
    make: (at) => join(at, "n".repeat(256)),
    status: 126,
    errno: "ENAMETOOLONG",
    says: "execve: ENAMETOOLONG",
  },
  {
    what: "whose script interpreter is a script without interpreter",
    make: (at) => {
      const inner = file(0o755, "#!/no/such/interpreter\n")(at);
      writeFileSync(join(at, "outer"), `#!${inner}\n`, { mode: 0o755 });
      return join(at, "outer");
    },
    status: 126,
    errno: "ENOENT",
    says: "/no/such/interpreter",
  },
];

describe.for([...notFound, ...cannotRun, ...strange])("a program $what", ({ make, status, errno, says }) => {
  test(`is exit status ${status} and a message that says why`, async () => {
    const path = make(folder());
    const outcome = await bootstrap(host, [], [path]);
    expect(outcome).toMatchObject({ status, stdout: "" });
    expect(outcome.stderr).toMatch(says);
    expect(outcome.stderr).toContain(`cannot run ${path}: `);
    expect(outcome.stderr).toContain(`code:  FENCE_PROGRAM_${status === 127 ? "NOT_FOUND" : "CANNOT_RUN"}`);
    expect(await unfenced(host, ["exec", path])).toMatchObject({ errno });
  });
});

test("a program in a folder that the user may not search is exit status 126", async (context) => {
  requires("root", "setpriv")(context);
  const at = folder();
  copyFileSync(host.probe, join(at, "probe"));
  chmodSync(at, 0o700);
  const outcome = await bootstrap(asNobody(host), [], [join(at, "probe"), "exit", "0"]);
  expect(outcome).toMatchObject({ status: 126, stdout: "" });
  expect(outcome.stderr).toContain("execve: EACCES");
  expect(await bootstrap(host, [], [join(at, "probe"), "exit", "42"])).toMatchObject({ status: 42 });
});

test("a dynamic program in a root without its loader is told from a missing one", async (context) => {
  requires("bwrap")(context);
  const root = emptyRoot("--ro-bind", "/bin/true", "/true");
  const outcome = await bootstrap(root, [], ["/true"]);
  expect(outcome).toMatchObject({ status: 126, stdout: "" });
  expect(outcome.stderr).toMatch(/ENOENT .*its ELF interpreter \(the dynamic loader\), "?\/lib\S*\/ld-\S+, is not/);
  expect(outcome.stderr).toContain("hint:  bring the loader and its libraries into the sandbox, or link it statically");
  expect(await unfenced(root, ["exec", "/true"])).toMatchObject({ errno: "ENOENT" });
});

test("a program on a file system mounted noexec is exit status 126", async (context) => {
  requires("root", "unshare")(context);
  const at = folder();
  const inNamespace = ["unshare", "--mount", "sh", "-c"];
  const steps = `mount -t tmpfs -o noexec tmpfs ${at} && cp ${host.probe} ${at}/probe && exec "$@"`;
  const place = { ...host, enter: (command: readonly string[]) => [...inNamespace, steps, "sh", ...command] };
  const outcome = await bootstrap(place, [], [`${at}/probe`, "exit", "0"]);
  expect(outcome).toMatchObject({ status: 126, stdout: "" });
  expect(outcome.stderr).toMatch(/EACCES .*\n(.*\n)* {2}hint: {2}.*noexec/);
  expect(await unfenced(place, ["exec", `${at}/probe`])).toMatchObject({ errno: "EACCES" });
});

describe("a program named without a slash", () => {
  test("is searched for in PATH", async () => {
    const at = folder();
    copyFileSync(host.probe, join(at, "found"));
    const env = { PATH: `/no/such/folder:${at}` };
    expect(await bootstrap(host, [], ["found", "exit", "42"], { env })).toMatchObject({ status: 42, stderr: "" });
    const named = ["--env", `PATH=${at}`];
    expect(await bootstrap(host, named, ["found", "exit", "42"])).toMatchObject({ status: 42, stderr: "" });
  });

  test("that is in no folder of PATH is exit status 127", async () => {
    const outcome = await bootstrap(host, [], ["no-such-program"], { env: { PATH: "/no/such:/folder" } });
    expect(outcome).toMatchObject({ status: 127, stdout: "" });
    expect(outcome.stderr).toMatch(/^fence: cannot find "?no-such-program"? in PATH/);
  });

  test("that is found without execute permission only is exit status 126", async () => {
    const at = folder();
    writeFileSync(join(at, "found"), "", { mode: 0o644 });
    const outcome = await bootstrap(host, [], ["found"], { env: { PATH: at } });
    expect(outcome).toMatchObject({ status: 126, stdout: "" });
  });

  test("is not taken from the working directory", async () => {
    const at = folder();
    copyFileSync(host.probe, join(at, "found"));
    const options = { cwd: at, env: { PATH: "/no/such" } };
    expect(await bootstrap(host, [], ["found", "exit", "42"], options)).toMatchObject({ status: 127 });
    expect(await bootstrap(host, [], ["./found", "exit", "42"], options)).toMatchObject({ status: 42 });
  });

  test("is found by a PATH that the working directory is part of", async () => {
    const at = folder();
    copyFileSync(host.probe, join(at, "found"));
    const options = { cwd: at, env: { PATH: "/no/such:" } };
    expect(await bootstrap(host, [], ["found", "exit", "42"], options)).toMatchObject({ status: 42 });
  });
});

describe("a program that fence becomes", () => {
  test("may be a script, which gets its arguments", async () => {
    const script = join(folder(), "script");
    writeFileSync(script, '#!/bin/sh -u\necho "$0 $# $1"\n', { mode: 0o755 });
    const outcome = await bootstrap(host, [], [script, "an argument"]);
    expect(outcome).toMatchObject({ status: 0, stdout: `${script} 1 an argument\n`, stderr: "" });
  });

  test("is looked for where --chdir leads when its path is relative", async () => {
    const at = folder();
    copyFileSync(host.probe, join(at, "probe"));
    const outcome = await bootstrap(host, ["--chdir", at], ["./probe", "exit", "42"]);
    expect(outcome).toMatchObject({ status: 42, stderr: "" });
  });
});

test("an empty name of a program is exit status 127", async () => {
  expect(await bootstrap(host, [], [""])).toMatchObject({ status: 127, stdout: "" });
});

test("a missing program in a working directory that is gone is exit status 127", async () => {
  const gone = folder();
  const start = arranged(host, "chdir", gone, "remove-directory", gone);
  const outcome = await bootstrap(start, [], ["./program"]);
  expect(outcome).toMatchObject({ status: 127, stdout: "" });
});
