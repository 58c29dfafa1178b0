import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { requires } from "../../kit/requires.ts";
import { compileLauncher, fence, planFor } from "./launched.ts";

const folder = mkdtempSync(join(tmpdir(), "launched-"));
afterAll(() => rmSync(folder, { recursive: true }));
const launched = compileLauncher(folder);

const sandbox = "bwrap --unshare-all --as-pid-1 --ro-bind / / --dev /dev --tmpfs /proc".split(" ");
const printed = (heard: readonly string[], name: string) => heard.filter((line) => line.startsWith(name));

describe("fence launched", () => {
  test("becomes the program when all messages were there before it", () => {
    const plan = planFor(["sh", "-c", "echo out; echo error >&2; exit 7"]);
    expect(launched("refer plan start heard setup control", { plan })).toEqual({
      status: 7,
      stdout: "out\n",
      stderr: "error\n",
      heard: [
        "setup 24: value 0, step 0, index 0, error 0, none",
        "setup closed",
        "control 49: value 1, step 0, index 0, error 0, none",
        "control 51: value 1792, step 0, index 0, error 0, none",
        "control closed",
      ],
    });
  });

  test("is PID 1 of a sandbox without /proc, and leaves its program nothing but the standard streams", (context) => {
    requires("bwrap")(context);
    const opened = "for fd in 3 4 5 6 7 8 9; do if true >&$fd; then echo $fd; fi 2>/dev/null; done; echo $$; ls /proc";
    const { status, stdout, stderr, heard } = launched("factory plan start heard setup control", {
      plan: planFor(["sh", "-c", opened]),
      command: [...sandbox, fence, "launched", "FD"],
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "2\n", stderr: "" });
    expect(heard.at(-2)).toBe("control 51: value 0, step 0, index 0, error 0, none");
  });

  test("passes the signals on that it is told", () => {
    const plan = planFor(["sh", "-c", "trap 'exit 5' USR1; kill -STOP $$"]);
    const { status, heard } = launched("refer plan start setup said said signal 10 signal 18 control", { plan });
    expect(status).toBe(5);
    expect(printed(heard, "control 50")).toEqual(["control 50: value 19, step 0, index 1, error 0, none"]);
  });

  test("ends as it is told before there is a plan", () => {
    expect(launched("exit 77 start setup")).toMatchObject({ status: 77, stdout: "", stderr: "" });
    expect(launched("refer exit 78 start heard setup")).toMatchObject({ status: 78, stderr: "" });
  });

  test("a program that is not there is told, with the root directory to look for it in", () => {
    const plan = planFor(["nosuch"]);
    const { status, stderr, heard } = launched("refer plan start heard heard exit 76 setup", { plan });
    expect({ status, stderr }).toEqual({ status: 76, stderr: "" });
    expect(printed(heard, "setup 5")).toEqual(["setup 5: value 0, step 176, index 4, error 2, root"]);
  });

  test("and by itself when the launcher has gone", () => {
    const { status, stderr } = launched("refer plan start heard close", { plan: planFor(["nosuch"]) });
    expect(status).toBe(127);
    expect(stderr).toMatch(/^fence: a step of the exec plan failed on \/bin\/nosuch: ENOENT\n/);
    expect(stderr).toContain("the launcher, which would explain it, has ended");
  });

  test("a launcher that ends before the plan came is said to have ended", () => {
    const said =
      /^fence: the launcher ended before the program was started\n {2}step: {2}bootstrap\n {2}hint: .*\n {2}code: {2}FENCE_LAUNCH\n$/;
    for (const words of ["close start", "refer close start"]) {
      const { status, stderr } = launched(words);
      expect(status).toBe(125);
      expect(stderr).toMatch(said);
    }
  });

  test.for([
    { what: "bytes that are no message", words: "junk 24 start setup", says: "bad message from the launcher" },
    { what: "too short a message", words: "junk 3 start setup", says: "bad message from the launcher" },
    { what: "an unknown message", words: "kind 4711 start setup", says: "unknown message from the launcher" },
    { what: "a message of its own", words: "kind 5 start setup", says: "unknown message from the launcher" },
  ])("$what ends it", ({ words, says }) => {
    const { status, stdout, stderr } = launched(words);
    expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
    expect(stderr).toContain(`fence: ${says}\n`);
    expect(stderr).toContain("\n  code:  FENCE_EXEC_PLAN\n");
  });

  test.for(["refer-numbers 999 0", "refer-numbers 1 0", "refer-numbers 0 999"])(
    "without its reaper (%s) there is no program, though the plan was sent already",
    (refer) => {
      const plan = planFor(["echo", "started"]);
      const { status, stdout, stderr, heard } = launched(`${refer} plan start heard exit 75 setup`, { plan });
      expect({ status, stdout, stderr }).toEqual({ status: 75, stdout: "", stderr: "" });
      expect(heard[0]).toBe("setup taken: error 9 of call 0");
    },
  );

  describe("the socket factory", () => {
    // Whatever was asked, the reaper goes on: it passes a signal on, and says that the program has ended by it.
    const plan = planFor(["sleep", "1000"]);
    const sockets = (words: string) => launched(`factory plan start setup said ${words} signal 15 control`, { plan });
    const ended = 128 + 15;

    test("makes TCP sockets of both families, and no others", () => {
      const { status, heard } = sockets("ask 2 ask 10 ask 1 ask 4711");
      expect(status).toBe(ended);
      expect(printed(heard, "factory")).toEqual([
        "factory 54: value 2, step 0, index 1, error 0, IPv4 socket",
        "factory 54: value 10, step 0, index 2, error 0, IPv6 socket",
        "factory 54: value 0, step 0, index 3, error 97, none",
        "factory 54: value 0, step 0, index 4, error 97, none",
      ]);
    });

    test("they are of the sandbox's own network", (context) => {
      requires("bwrap")(context);
      const listener = "import socket;l=socket.create_server(('127.0.0.1',0));print(l.getsockname()[1],flush=True);";
      const { heard, status } = launched("factory plan start setup said reach 2 control", {
        plan: planFor(["python3", "-c", `${listener}c,_=l.accept();raise SystemExit(c.recv(1)[0])`], {
          kind: "exec",
          path: "/usr/bin/python3",
        }),
        command: [...sandbox, fence, "launched", "FD"],
      });
      expect(printed(heard, "reach")).toEqual(["reach: connected"]);
      expect(status).toBe("x".charCodeAt(0));
    });

    test("does nothing for another message, nor keeps what comes with it", () => {
      const { status, heard } = sockets(`${"factory-kind 3 ".repeat(40)}ask 2`);
      expect(status).toBe(ended);
      expect(printed(heard, "factory")).toEqual(["factory 54: value 2, step 0, index 1, error 0, IPv4 socket"]);
    });

    test("ends with what is no message, or with its other end, and nothing else does", () => {
      const { status, heard } = sockets("factory-junk 24 factory-closed");
      expect(status).toBe(ended);
      expect(printed(heard, "factory")).toEqual(["factory closed"]);
      expect(sockets("end-factory").status).toBe(ended);
      expect(sockets("ask 2 end-factory").status).toBe(ended);
    });

    test("whoever asks without end and reads nothing gets no more than fits, and delays no signal", () => {
      const { status, heard } = sockets("flood");
      expect(status).toBe(ended);
      expect(printed(heard, "control 51")).toEqual(["control 51: value 15, step 0, index 0, error 0, none"]);
    });

    test("answers whoever has asked faster than read, once all is read", () => {
      const { status, heard } = sockets("flood answers");
      expect(status).toBe(ended);
      expect(printed(heard, "answers")).toEqual(["answers: as many as asked"]);
    });
  });

  test.for([
    { what: "no argument", args: [], says: "one descriptor above 2" },
    { what: "two arguments", args: ["FD", "4"], says: "one descriptor above 2" },
    { what: "a standard stream", args: ["2"], says: "one descriptor above 2" },
    { what: "no number", args: ["3x"], says: "one descriptor above 2" },
    { what: "a number that is too large", args: ["4294967299"], says: "one descriptor above 2" },
    { what: "what is not open", args: ["999"], says: "a socket to the launcher: getsockopt: EBADF" },
  ])("given $what it says what it needs", ({ args, says }) => {
    const { status, stderr } = launched("close start", { command: [fence, "launched", ...args] });
    expect(status).toBe(125);
    expect(stderr).toContain(`fence: launched must be given ${says}\n`);
    expect(stderr).toContain("\n  code:  FENCE_USAGE\n");
  });

  test("given another file it says so", () => {
    const command = ["sh", "-c", `exec "${fence}" launched 5 5</dev/null`];
    expect(launched("start", { command }).stderr).toContain("getsockopt: errno 88\n");
  });
});
