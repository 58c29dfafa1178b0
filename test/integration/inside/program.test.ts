import { spawnSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import type { FenceError } from "../../../src/base/errors.ts";
import { explainExec, findProgram } from "../../../src/inside/program.ts";
import type { ProgramRequest } from "../../../src/inside/request.ts";
import { emptyRequest } from "../../../src/landlock/request.ts";
import { chooseRuleset, type RulesetChoice } from "../../../src/landlock/ruleset.ts";
import { failure } from "../../kit/errors.ts";
import { files } from "./files.ts";

const newestAbi = 9;
const unrestricted: RulesetChoice = chooseRuleset(emptyRequest, newestAbi, "required");

const script = "#!/bin/sh\nexit 0\n";
const original = (...argv: string[]): ProgramRequest => ({ kind: "original", first: 5, argv });
const planned = (...argv: string[]): ProgramRequest => ({ kind: "plan", argv });

describe("a program that is named by its path", () => {
  test("is executed as it was named, by the original bytes when it was on the command line", () => {
    for (const name of ["/bin/ls", "./ls", "a/b", "/\ufffd"]) {
      expect(findProgram(original(name), "/nowhere", "/")).toEqual({ kind: "exec-original", index: 5 });
      expect(findProgram(planned(name), "/nowhere", "/")).toEqual({ kind: "exec", path: name });
    }
  });
});

describe("a program that is searched for", () => {
  test("is the first executable file in PATH", () => {
    const { directory, folder, make } = files();
    for (const name of ["a", "b", "c"]) folder(name);
    make("a/other", script);
    make("b/tool", script);
    make("c/tool", script);
    const path = `${directory}/nowhere:${directory}/a:${directory}/b:${directory}/c`;
    for (const program of [original("tool", "-x"), planned("tool")]) {
      expect(findProgram(program, path, "/")).toEqual({ kind: "exec", path: `${directory}/b/tool` });
    }
  });

  test("is none of the files that cannot be executed, and no directory, before it", () => {
    const { directory, folder, make, link } = files();
    folder("a");
    folder("b/tool");
    folder("c");
    folder("d");
    make("a/tool", script, 0o644);
    link("c/tool", "gone");
    make("d/tool", script);
    const path = ["a", "b", "c", "d"].map((name) => `${directory}/${name}`).join(":");
    expect(findProgram(planned("tool"), path, "/")).toEqual({ kind: "exec", path: `${directory}/d/tool` });
  });

  test("is found in the working directory by an empty element, wherever it stands", () => {
    const { directory, make } = files();
    make("tool", script);
    for (const path of ["", ":/nowhere", "/nowhere:", "/nowhere::/nowhere"]) {
      expect(findProgram(planned("tool"), path, directory)).toEqual({ kind: "exec", path: "./tool" });
    }
    expect(failure(() => findProgram(planned("tool"), "/nowhere:/bin", directory)).code).toBe(
      "FENCE_PROGRAM_NOT_FOUND",
    );
  });

  test("is found by a relative element beneath the working directory", () => {
    const { directory, folder, make } = files();
    folder("bin");
    make("bin/tool", script);
    expect(findProgram(planned("tool"), "bin", directory)).toEqual({ kind: "exec", path: "bin/tool" });
    expect(findProgram(planned("tool"), `${directory}//bin/.`, "/")).toEqual({
      kind: "exec",
      path: `${directory}//bin/./tool`,
    });
  });

  test("is found where the kernel finds it: .. leads from where a symbolic link leads to", () => {
    const { directory, folder, link, make } = files();
    folder("real/inner");
    link("link", "real/inner");
    make("real/tool", script);
    expect(findProgram(planned("tool"), `${directory}/link/..`, "/")).toMatchObject({ kind: "exec" });
    make("other", script);
    expect(failure(() => findProgram(planned("other"), `${directory}/link/..`, "/")).code).toBe(
      "FENCE_PROGRAM_NOT_FOUND",
    );
    expect(findProgram(planned("tool"), "..", `${directory}/link`)).toEqual({ kind: "exec", path: "../tool" });
  });

  test("is searched for in /bin and /usr/bin where there is no PATH", () => {
    expect(findProgram(planned("sh"), undefined, "/")).toEqual({ kind: "exec", path: "/bin/sh" });
  });

  test("that may not be executed is told from one that is not there", () => {
    const { directory, make } = files();
    make("tool", script, 0o644);
    expect(failure(() => findProgram(planned("tool"), directory, "/"))).toMatchObject({
      code: "FENCE_PROGRAM_CANNOT_RUN",
      exitStatus: 126,
      message: `cannot run ${directory}/tool: it may not be executed`,
    });
    expect(failure(() => findProgram(planned("tol"), directory, "/"))).toMatchObject({
      code: "FENCE_PROGRAM_NOT_FOUND",
      exitStatus: 127,
      message: 'cannot find "tol" in PATH',
    });
  });

  test("that is not there is reported without PATH, which is a variable's value", () => {
    const { message, details } = failure(() => findProgram(planned("tool"), "/hunter2:/nowhere", "/"));
    expect(`${message} ${details.hint}`).not.toContain("hunter2");
    expect(details.hint).toContain("2 folders");
  });

  test("whose name is not UTF-8 is not searched for under another", () => {
    expect(failure(() => findProgram(original("\ufffd"), "/bin", "/"))).toMatchObject({
      code: "FENCE_PROGRAM_NOT_FOUND",
      details: { hint: "name it by its path" },
    });
    const { directory, make } = files();
    make("\ufffd", script);
    expect(findProgram(planned("\ufffd"), directory, "/")).toEqual({ kind: "exec", path: `${directory}/\ufffd` });
  });
});

test("no program, and one without a name, are told apart", () => {
  expect(failure(() => findProgram(original(), "/bin", "/"))).toMatchObject({
    code: "FENCE_USAGE",
    message: "no PROGRAM was named",
  });
  expect(failure(() => findProgram(original(""), "/bin", "/")).code).toBe("FENCE_PROGRAM_NOT_FOUND");
});

/** What the kernel says to this program, negative as system calls return it. */
function execute(path: string, cwd = "/"): number {
  const { error } = spawnSync(path, { cwd });
  if (error === undefined) throw new Error(`${path} could be executed`);
  return (error as NodeJS.ErrnoException).errno ?? 0;
}

/** The explanation of what the kernel really says. */
function explained(path: string, choice = unrestricted, directory = "/"): FenceError {
  return explainExec(path, directory, execute(path, directory), choice);
}

describe("a program that the kernel does not execute", () => {
  test("because it is not there gives 127", () => {
    const { directory, link } = files();
    expect(explained(`${directory}/gone`)).toMatchObject({
      code: "FENCE_PROGRAM_NOT_FOUND",
      message: `cannot run ${directory}/gone: execve: ENOENT (no such file or directory)`,
      details: { step: "exec", syscall: "execve", errno: "ENOENT", path: `${directory}/gone` },
    });
    expect(explained(`${link("dangling", "/not/there")}`)).toMatchObject({
      code: "FENCE_PROGRAM_NOT_FOUND",
      message: expect.stringMatching(/it is a symbolic link to \/not\/there, which is not there$/),
    });
    expect(explained("/bin/sh/x")).toMatchObject({ code: "FENCE_PROGRAM_NOT_FOUND", details: { errno: "ENOTDIR" } });
  });

  test("because its #! interpreter is not there gives 126 and names it", () => {
    const error = explained(files().make("tool", "#!  /not/there -x\n"));
    expect(error).toMatchObject({ code: "FENCE_PROGRAM_CANNOT_RUN", exitStatus: 126 });
    expect(error.message).toContain('the file is there, but the interpreter of its #! line, "/not/there", is not');
  });

  test("because of Windows line ends is told so", () => {
    const error = explained(files().make("tool", "#!/bin/sh\r\nexit 0\r\n"));
    expect(error.message).toContain('"/bin/sh\\r", is not');
    expect(error.details.hint).toContain("carriage return");
  });

  test("because its dynamic loader is not there gives 126 and names it", () => {
    const { make } = files();
    const error = explained(make("tool", withLoader("/lib64/ld-nowhere-x86-64.so")));
    expect(error.code).toBe("FENCE_PROGRAM_CANNOT_RUN");
    expect(error.message).toMatch(/its ELF interpreter \(the dynamic loader\), \/lib64\/ld-nowhere-x86-64.so, is not$/);
    expect(error.details.hint).toContain("statically");
  });

  test("because the loader of its interpreter is not there names the interpreter too", () => {
    const { make } = files();
    const interpreter = make("interpreter", withLoader("/lib64/ld-nowhere-x86-64.so"));
    expect(explained(make("tool", `#!${interpreter}\n`)).message).toContain(
      `${interpreter} is there, but its ELF interpreter (the dynamic loader), /lib64/ld-nowhere-x86-64.so, is not`,
    );
  });

  test("because a relative interpreter is not beneath the program's working directory names that", () => {
    const { directory, folder, make } = files();
    make("tool", "#!bin/interpreter\n");
    expect(explained("./tool", unrestricted, directory).message).toContain(`"${directory}/bin/interpreter", is not`);
    folder("bin");
    make("bin/interpreter", withLoader("/gone"));
    expect(explained("./tool", unrestricted, directory).message).toContain("bin/interpreter is there, but");
  });

  test("because it is a directory", () => {
    expect(explained(files().directory).message).toMatch(/: execve: EACCES \(permission denied\): it is a directory$/);
  });

  test("because it has no execute permission says how to give it", () => {
    const path = files().make("tool", script, 0o644);
    expect(explained(path)).toMatchObject({
      code: "FENCE_PROGRAM_CANNOT_RUN",
      message: expect.stringMatching(/tool has no execute permission$/),
      details: { hint: `chmod +x ${path}` },
    });
  });

  test("because its interpreter has no execute permission names the interpreter", () => {
    const { make } = files();
    const interpreter = make("interpreter", script, 0o644);
    expect(explained(make("tool", `#!${interpreter}\n`)).message).toContain(`${interpreter} has no execute permission`);
  });

  test("because it is no program", () => {
    const { make } = files();
    // Node's own execvp(3) gives what the kernel refuses so to a shell.
    const refused = (path: string) => explainExec(path, "/", -constants.errno.ENOEXEC, unrestricted);
    for (const content of ["echo hello\n", "", readFileSync("/bin/sh").subarray(0, 40)]) {
      expect(refused(make("tool", content))).toMatchObject({
        code: "FENCE_PROGRAM_CANNOT_RUN",
        message: expect.stringContaining("it is no program for this machine"),
        details: { errno: "ENOEXEC", hint: "a script needs a #! line" },
      });
    }
  });

  test("for a reason that Node cannot look at either is reported with the kernel's words", () => {
    const { directory, link } = files();
    link("loop", "loop");
    expect(explained(`${directory}/loop`)).toMatchObject({
      code: "FENCE_PROGRAM_CANNOT_RUN",
      message: `cannot run ${directory}/loop: execve: ELOOP (too many symbolic links encountered)`,
    });
    expect(explained(`/${"x".repeat(300)}`).details.errno).toBe("ENAMETOOLONG");
  });
});

describe("under Landlock", () => {
  const only = (...paths: readonly string[]) =>
    chooseRuleset(
      { ...emptyRequest, rules: paths.map((path) => ({ access: "rox", path }) as const) },
      newestAbi,
      "required",
    );
  const denied = -constants.errno.EACCES;

  test("the missing rule for the program is named", () => {
    const { directory, make } = files();
    const path = make("tool", script);
    expect(explainExec(path, "/", denied, only("/usr"))).toMatchObject({
      message: `cannot run ${path}: execve: EACCES (permission denied): no Landlock rule allows to execute ${path}`,
      details: { hint: `add a rule, --rox ${directory} (in a plan "access": "rox")` },
    });
  });

  test("the missing rule for its interpreter is named, where its symbolic link leads", () => {
    const { directory, folder, link, make } = files();
    folder("elsewhere");
    const real = make("elsewhere/interpreter", readFileSync("/bin/sh"));
    const interpreter = link("interpreter", real);
    folder("here");
    const error = explainExec(make("here/tool", `#!${interpreter}\n`), "/", denied, only(`${directory}/here`));
    expect(error.message).toContain(`no Landlock rule allows to execute ${interpreter}`);
    expect(error.details.hint).toBe(`add a rule, --rox ${directory}/elsewhere (in a plan "access": "rox")`);
  });

  test("a file that may be executed is denied for another reason", () => {
    const path = files().make("tool", script, 0o644);
    expect(explainExec(path, "/", denied, only("/")).message).toContain("has no execute permission");
  });
});

test("whatever the errno and the file, there is an explanation and no mistake of ours", () => {
  const { directory, folder, link, make } = files();
  const paths = [
    make("script", script),
    make("odd", "#!"),
    make("spaces", "#!   \n"),
    make("long", `#!/${"x".repeat(70_000)}`),
    make("self", `#!${directory}/self\n`),
    make("binary", Buffer.from("\x7fELF\x02".padEnd(64, "\xff"), "latin1")),
    make("short", "\x7fELF"),
    folder("folder"),
    link("loop", "loop"),
    "/dev/null",
    "/proc/self/mem",
    "",
    "relative",
  ];
  for (const path of paths) {
    for (const number of [1, 2, 5, 7, 8, 12, 13, 20, 21, 22, 26, 36, 40, 80, 131]) {
      const error = explainExec(path, directory, -number, unrestricted);
      expect(error.code).toMatch(/^FENCE_PROGRAM_(CANNOT_RUN|NOT_FOUND)$/);
      expect(error.message).toMatch(/^cannot run .*: execve: (E\w+|errno \d+) \(/s);
    }
  }
});

/** A program of this machine that wants another loader. The name must not be longer than its own. */
function withLoader(name: string): Buffer {
  const bytes = readFileSync(realpathSync("/bin/sh"));
  const at = bytes.indexOf("/lib");
  const end = bytes.indexOf(0, at);
  if (at < 0 || name.length > end - at) throw new Error("/bin/sh names no loader that is long enough");
  bytes.fill(0, at, end);
  bytes.write(name, at);
  return bytes;
}
