import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { run } from "../../../build/run.ts";
import { requires } from "../../kit/requires.ts";
import { compileLauncher, fence, planFor } from "./launched.ts";

const folder = mkdtempSync(join(tmpdir(), "attach-"));
afterAll(() => rmSync(folder, { recursive: true }));
const launched = compileLauncher(folder);
let sockets = 0;

/** What comes of `fence attach` with a service that does what the words of launcher.c say. */
function attached(words: string, { plan = planFor(), listens = "listen", process = "SELF", arranged = "" } = {}) {
  const path = join(folder, `s${++sockets}`);
  const command = ["sh", "-c", `${arranged} exec "$@"`, "sh", fence, "attach", path, process, "1f-a0000000"];
  return launched(`${listens} ${path} start ${words}`, { plan, command });
}

function nuls(count: number): string {
  return "\\000".repeat(count);
}

/** A program that says this to the front on the descriptor that leads there, and goes on. */
function saying(message: string, then: string): readonly string[] {
  return ["sh", "-c", `for fd in 3 4 5 6 7 8 9; do printf '${message}' >&$fd; done 2>/dev/null; ${then}`];
}

describe("fence attach", () => {
  const plan = planFor(["sh", "-c", "cat; echo error >&2; exit 7"]);

  test("is the front of what the service launches", () => {
    expect(attached("accept heard plan setup drained life-drain leave", { plan })).toEqual({
      status: 7,
      stdout: "",
      stderr: "error\n",
      heard: [
        "service 64: 1f-a0000000",
        "service closed",
        "setup taken",
        "setup closed",
        "life 33: value 1792, step 0, index 0, error 0, none",
      ],
    });
  });

  test("ends as the service says, before the program and after it", () => {
    expect(attached("accept heard exit 77 drained life-drain")).toMatchObject({ status: 77, stderr: "" });
    expect(attached("accept heard exit 78 drained life-exit 79")).toMatchObject({ status: 79, stderr: "" });
    const ended = attached("accept heard plan setup drained life-exit 80", { plan });
    expect(ended).toMatchObject({ status: 80, stderr: "error\n" });
  });

  test("what the caller left open is not the program's", () => {
    const opened = "for fd in 3 4 5 6 7 8 9; do if true >&$fd; then echo open; fi 2>/dev/null; done; true";
    const { stdout, status } = attached("accept heard plan setup drained life-drain leave", {
      plan: planFor(["sh", "-c", opened]),
      arranged: "exec 3</dev/null 8</dev/null 9</dev/null;",
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "open\n" }); // what leads to the front
  });

  test("standard streams that the caller had closed are told, and nothing of fence's is in their place", () => {
    const { stdout, status } = attached("accept heard plan setup drained life-drain leave", {
      plan: planFor(["sh", "-c", "readlink /proc/self/fd/0 /proc/self/fd/2"]),
      arranged: "exec <&- 2>&-;",
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "/dev/null\n/dev/null\n" });
  });

  describe("is given what the program inherits", () => {
    const plan = planFor(["ls", "-l", "/proc/self/fd"]);
    const ending = "plan setup drained life-drain leave";
    const refusing = "heard plan exit 77 drained life-exit 79";
    const numbers = (text: string, what: RegExp) =>
      [...text.matchAll(/ (\d+) -> (.*)$/gm)].flatMap(([, fd, to = ""]) => (what.test(to) ? Number(fd) : []));

    test.for([
      ["as it is", "heard give 5", ""],
      ["where the caller had other descriptors", "heard give 5", "exec 3</dev/null 7</dev/null 9</dev/null;"],
      ["where standard error was given up", "heard take 2 heard give 5", ""],
      ["where two standard streams were", "heard take 0 heard take 2 heard give 5", ""],
      ["where the caller had closed the standard streams", "heard give 5", "exec <&- 2>&-;"],
    ])("under the numbers that were asked for: %s", ([, words, arranged]) => {
      const { stdout, status } = attached(`accept ${words} ${ending}`, { plan, arranged });
      expect(status).toBe(0);
      const given = numbers(stdout, /memfd:plan/).toSorted((one, other) => one - other);
      const [first = 0] = given;
      expect(first).toBeGreaterThan(3);
      expect(given).toEqual([0, 1, 2, 3, 4].map((i) => first + i));
      const others = numbers(stdout, /socket:|null/).filter((fd) => fd > 2);
      expect(others).toEqual([first - 1]); // what leads to the front
    });

    test("as many as one message may have", () => {
      const { stdout, status } = attached(`accept heard give 253 ${ending}`, { plan });
      expect(status).toBe(0);
      expect(numbers(stdout, /memfd:plan/)).toHaveLength(253);
    });

    test.for([
      ["with a number that is taken", "give-at 3 give-at 3", "", "error 16 of call 0"],
      ["with a standard stream's number", "give-at 2", "", "error 9 of call 0"],
      ["with no number", "give-at 4294967295", "", "error 9 of call 0"],
      ["with a number past the limit", "give-at 40", "ulimit -n 32;", "error 24 of call 0"],
      ["fewer than was said", "give-fewer 3", "", "error 24 of call 7"],
      ["more than there is room for", "give 40", "ulimit -n 32;", "error 24 of call 7"],
      ["more than that, in several messages", "give 40 give 40", "ulimit -n 32;", "error 24 of call 7"],
    ])("or says why not, and starts nothing: %s", ([, words, arranged, says]) => {
      const { status, stdout, stderr, heard } = attached(`accept heard ${words} ${refusing}`, {
        plan,
        arranged,
      });
      expect({ status, stdout, stderr }).toEqual({ status: 79, stdout: "", stderr: "" });
      expect(heard).toContain(`setup taken: ${says}`);
      expect(heard.at(-1)).toBe(`life 33: value ${77 << 8}, step 0, index 0, error 0, none`);
    });
  });

  test("when the sandbox has told how its program ended no answer is awaited", () => {
    const ended = `FNCP3${nuls(3)}${nuls(1)}\\007${nuls(14)}`; // MESSAGE_ENDED, as a sandbox says it: exit status 7
    const { status, heard } = attached("accept heard plan setup drained", { plan: planFor(saying(ended, "exit 8")) });
    expect(status).toBe(7);
    expect(heard.at(-1)).toBe("life 33: value 1792, step 0, index 1, error 0, none");
  });

  test("a service that ends before there is a program is said to have ended", () => {
    for (const words of ["refuse", "accept close leave", "accept close drained leave"]) {
      const { status, stderr } = attached(words);
      expect(status).toBe(125);
      expect(stderr).toMatch(
        /^fence: the service ended before the program was started\n(.*\n)* {2}code: {2}FENCE_LAUNCH\n$/,
      );
    }
  });

  test("a service that ends while the program runs takes it along, and is said to have ended", () => {
    const fifo = join(folder, "started");
    run("mkfifo", [fifo]);
    const started = `FNCP1${nuls(19)}`; // MESSAGE_STARTED, as a sandbox says it
    const { status, stderr } = attached(`accept heard plan opened ${fifo} leave`, {
      plan: planFor(saying(started, `exec sleep 1000 >${fifo}`)),
    });
    expect(status).toBe(125);
    expect(stderr).toMatch(/^fence: the launcher has ended before its sandbox, which ends with it\n/);
    expect(stderr).toContain("the service that has launched it ended, or was killed");
  });

  test("a service that says no sense is not obeyed", () => {
    const { status, stderr } = attached("accept junk 24 drained life-exit 125");
    expect(status).toBe(125);
    expect(stderr).toContain("fence: bad message from the service\n");
  });

  test("another user's service gets nothing", (context) => {
    requires("root")(context);
    const { status, stderr, heard } = attached("accept", { listens: "listen-as 65534" });
    expect({ status, heard }).toEqual({ status: 125, heard: ["service closed"] });
    expect(stderr).toMatch(
      /^fence: another user listens on .*\n {2}step: {2}attach\n(.*\n)* {2}code: {2}FENCE_LAUNCH\n$/,
    );
  });

  test("another process gets nothing, though it is this user's own", () => {
    const { status, stderr, heard } = attached("accept", { process: "1" });
    expect({ status, heard }).toEqual({ status: 125, heard: ["service closed"] });
    expect(stderr).toMatch(
      /^fence: another process than the service listens on .*\n {2}step: {2}attach\n(.*\n)* {2}code: {2}FENCE_LAUNCH\n$/,
    );
  });

  test.for([
    { what: "no ID", args: ["/s", "1"], says: "the path of a socket, a process and an ID" },
    { what: "more than an ID", args: ["/s", "1", "1-2", "3"], says: "the path of a socket, a process and an ID" },
    { what: "no process", args: ["/s", "0", "1-2"], says: "the number of the service's process" },
    { what: "a process that is none", args: ["/s", "1x", "1-2"], says: "the number of the service's process" },
    { what: "half an ID", args: ["/s", "1", "1"], says: "an ID of two numbers" },
    { what: "more than two numbers", args: ["/s", "1", "1-2-3"], says: "an ID of two numbers" },
    { what: "too large a number", args: ["/s", "1", "1-100000000"], says: "an ID of two numbers" },
    { what: "a path that is too long", args: [`/${"x".repeat(107)}`, "1", "1-2"], says: "of at most 107 bytes" },
    { what: "no path", args: ["", "1", "1-2"], says: "of at most 107 bytes" },
  ])("given $what it says what it needs", ({ args, says }) => {
    const { status, stderr } = launched("start", { command: [fence, "attach", ...args] });
    expect(status).toBe(125);
    expect(stderr).toMatch(/^fence: attach must be given .*\n {2}step: {2}attach\n(.*\n)* {2}code: {2}FENCE_USAGE\n$/);
    expect(stderr).toContain(says);
  });

  test("without a service it says whom it missed", () => {
    const longest = `/${"x".repeat(106)}`;
    const { status, stderr } = launched("start", { command: [fence, "attach", longest, "1", "1-2"] });
    expect(status).toBe(125);
    expect(stderr).toContain(`fence: cannot reach the service on ${longest}: connect: ENOENT\n`);
  });
});
