import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { maskOf } from "../../../src/landlock/abi.ts";
import { emptyRequest, type RulesetRequest } from "../../../src/landlock/request.ts";
import { chooseRuleset, type Ruleset } from "../../../src/landlock/ruleset.ts";

const lessIsAccepted = 'accept less with --landlock=best-effort (in a plan "landlock": "best-effort")';

const readUsr: RulesetRequest = { ...emptyRequest, rules: [{ access: "ro", path: "/usr" }] };
const writeWork: RulesetRequest = { ...emptyRequest, rules: [{ access: "rw", path: "/work" }] };
const oneSocket: RulesetRequest = { ...emptyRequest, unixSockets: ["/run/db.sock"] };

function ruleset(request: RulesetRequest, abi: number): Ruleset {
  const choice = chooseRuleset(request, abi, "best-effort");
  if (choice.kind !== "ruleset") throw new Error(`expected a ruleset, got ${choice.kind}`);
  return choice;
}

function refusal(request: RulesetRequest, abi: number): FenceError {
  try {
    chooseRuleset(request, abi, "required");
  } catch (error) {
    if (error instanceof FenceError) return error;
    throw error;
  }
  throw new Error("expected a FenceError");
}

describe("what is denied", () => {
  test("any file rule denies every file right that the kernel knows", () => {
    expect(ruleset(readUsr, 1).handledFs).toBe(0x1fff);
    expect(ruleset(readUsr, 2).handledFs).toBe(0x3fff);
    expect(ruleset(readUsr, 4).handledFs).toBe(0x7fff);
    expect(ruleset(readUsr, 7).handledFs).toBe(0xffff);
  });

  test("file rules leave the network, signals and Unix sockets alone", () => {
    expect(ruleset(readUsr, 10)).toMatchObject({ handledFs: 0xffff, handledNet: 0, scoped: 0 });
  });

  test("one TCP option denies both bind and connect elsewhere", () => {
    const bind = ruleset({ ...emptyRequest, bindTcp: [8080] }, 4);
    expect(bind).toMatchObject({ handledFs: 0, handledNet: 0b11, ports: [{ port: 8080, access: 0b01 }] });
    const connect = ruleset({ ...emptyRequest, connectTcp: [443] }, 10);
    expect(connect).toMatchObject({ handledNet: 0b11, ports: [{ port: 443, access: 0b10 }] });
  });

  test("each scope is denied by its own word", () => {
    expect(ruleset({ ...emptyRequest, scopes: ["signal"] }, 6).scoped).toBe(0b10);
    expect(ruleset({ ...emptyRequest, scopes: ["abstract-unix"] }, 6).scoped).toBe(0b01);
  });

  test("an area that fence denies needs no rule", () => {
    expect(ruleset({ ...emptyRequest, denied: ["files", "tcp"] }, 7)).toMatchObject({
      handledFs: 0xffff,
      handledNet: 0b11,
      paths: [],
      ports: [],
    });
  });

  test("a newer ABI than the table knows is used up to the table's end", () => {
    const { abi: _, ...newest } = ruleset(readUsr, 10);
    expect(ruleset(readUsr, 99)).toEqual({ ...newest, abi: 99 });
  });

  test("handled lists the names of what the masks say", () => {
    const { handled, handledFs } = ruleset({ ...readUsr, scopes: ["signal"] }, 7);
    expect(maskOf("fs", handled)).toBe(handledFs);
    expect(handled).toContain("SIGNAL");
    expect(handled).not.toContain("BIND_TCP");
  });
});

describe("what is allowed", () => {
  test("a rule on a directory has all its rights, on another file only those of files", () => {
    const [rule] = ruleset(writeWork, 7).paths;
    expect(rule?.directoryAccess).toBe(0xffff & ~maskOf("fs", ["EXECUTE"]));
    expect(rule?.fileAccess).toBe(maskOf("fs", ["READ_FILE", "WRITE_FILE", "TRUNCATE", "IOCTL_DEV"]));
  });

  test("two rules of one path become one with the rights of both", () => {
    const { paths } = ruleset(
      { ...emptyRequest, rules: [...readUsr.rules, { access: "rwx", path: "/usr" }, { access: "ro", path: "/etc" }] },
      7,
    );
    expect(paths.map(({ path, causes }) => ({ path, causes }))).toEqual([
      { path: "/usr", causes: ["--ro", "--rwx"] },
      { path: "/etc", causes: ["--ro"] },
    ]);
    expect(paths[0]?.directoryAccess).toBe(0xffff);
  });

  test("a port that may be bound and connected to is one rule", () => {
    expect(ruleset({ ...emptyRequest, bindTcp: [80], connectTcp: [80] }, 4).ports).toEqual([
      { port: 80, access: 0b11, quiet: false },
    ]);
  });

  test("a Unix socket inside a readable directory has its own rule", () => {
    const { handledFs, paths } = ruleset({ ...readUsr, unixSockets: ["/usr/run/s"] }, 9);
    expect(handledFs).toBe(0x1ffff);
    expect(paths.map(({ path, fileAccess }) => [path, fileAccess])).toEqual([
      ["/usr", maskOf("fs", ["READ_FILE"])],
      ["/usr/run/s", maskOf("fs", ["RESOLVE_UNIX"])],
    ]);
  });

  test("a ruleset for Unix sockets alone leaves renames between directories alone", () => {
    const { handled, paths } = ruleset(oneSocket, 9);
    expect(handled).toEqual(["REFER", "RESOLVE_UNIX"]);
    expect(paths).toContainEqual({
      path: "/",
      directoryAccess: maskOf("fs", ["REFER"]),
      quiet: false,
      fileAccess: 0,
      causes: ["fence"],
    });
  });

  test("with file rules no right is added at the root", () => {
    expect(ruleset({ ...oneSocket, rules: readUsr.rules }, 9).paths.map(({ path }) => path)).toEqual([
      "/usr",
      "/run/db.sock",
    ]);
  });
});

describe("UDP", () => {
  test("who may send to a port may have a local port that the kernel chooses, and no other", () => {
    expect(ruleset({ ...emptyRequest, connectUdp: [53] }, 10)).toMatchObject({
      handledNet: maskOf("net", ["BIND_UDP", "CONNECT_SEND_UDP"]),
      ports: [
        { port: 53, access: maskOf("net", ["CONNECT_SEND_UDP"]) },
        { port: 0, access: maskOf("net", ["BIND_UDP"]) },
      ],
    });
  });

  test("its ports and those of TCP do not mix, one number is one rule", () => {
    const both = ruleset({ ...emptyRequest, connectTcp: [53], bindUdp: [53] }, 10);
    expect(both.handledNet).toBe(0b1111);
    expect(both.ports).toEqual([{ port: 53, access: maskOf("net", ["CONNECT_TCP", "BIND_UDP"]), quiet: false }]);
    expect(ruleset({ ...emptyRequest, bindUdp: [53] }, 10).handledNet).toBe(0b1100);
    expect(ruleset({ ...emptyRequest, bindTcp: [53] }, 10).handledNet).toBe(0b0011);
  });

  test("needs ABI 10, and below it only TCP stays restricted", () => {
    const request = { ...emptyRequest, connectTcp: [80], connectUdp: [53] };
    expect(refusal(request, 9).message).toContain("--connect-udp needs Landlock ABI 10 (BIND_UDP)");
    expect(ruleset(request, 9)).toMatchObject({
      handledNet: 0b0011,
      ports: [{ port: 80 }],
      dropped: [{ right: "BIND_UDP" }, { right: "CONNECT_SEND_UDP" }],
    });
  });
});

describe("the audit log", () => {
  const quiet = { paths: ["/usr/lib", "/usr"], ports: [53], scopes: ["signal"] } as const;
  const request: RulesetRequest = { ...readUsr, connectTcp: [80], scopes: ["signal", "abstract-unix"], quiet };

  test("a quiet path or port is quiet about all that is denied of its kind, with its rights or with none", () => {
    const made = ruleset(request, 10);
    expect(made).toMatchObject({ quietFs: made.handledFs, quietNet: made.handledNet });
    expect(made.paths).toMatchObject([
      { path: "/usr", directoryAccess: maskOf("fs", ["READ_FILE", "READ_DIR"]), quiet: true },
      { path: "/usr/lib", directoryAccess: 0, fileAccess: 0, quiet: true, causes: ["--quiet"] },
    ]);
    expect(made.ports).toEqual([
      { port: 80, access: maskOf("net", ["CONNECT_TCP"]), quiet: false },
      { port: 53, access: 0, quiet: true },
    ]);
  });

  test("a quiet scope is quiet itself", () => {
    expect(ruleset(request, 10)).toMatchObject({ scoped: 0b11, quietScoped: maskOf("scope", ["SIGNAL"]) });
  });

  test("needs ABI 10 for quiet rules, which are then left out", () => {
    expect(refusal(request, 9).message).toContain("--quiet needs Landlock ABI 10 (QUIET)");
    const made = ruleset(request, 9);
    expect(made).toMatchObject({ quietFs: 0, quietNet: 0, quietScoped: 0, dropped: [{ right: "QUIET" }] });
    expect(made.paths.map(({ path }) => path)).toEqual(["/usr"]);
    expect(made.ports.map(({ port }) => port)).toEqual([80]);
  });

  test.for([
    ["same-exec-off", "LOG_SAME_EXEC_OFF", 0b001],
    ["new-exec-on", "LOG_NEW_EXEC_ON", 0b010],
    ["subdomains-off", "LOG_SUBDOMAINS_OFF", 0b100],
  ] as const)("%s is the flag %s from ABI 7 on", ([word, right, flag]) => {
    const logged: RulesetRequest = { ...readUsr, log: [word] };
    expect(ruleset(logged, 7).restrictFlags).toBe(flag);
    expect(refusal(logged, 6).message).toContain(`--landlock-log ${word} needs Landlock ABI 7 (${right})`);
    expect(ruleset(logged, 6)).toMatchObject({ restrictFlags: 0, dropped: [{ right, firstAbi: 7 }] });
  });

  test("is left as it is unless an option speaks of it", () => {
    expect(ruleset(readUsr, 10)).toMatchObject({ quietFs: 0, quietNet: 0, quietScoped: 0, restrictFlags: 0 });
  });
});

describe("on an older kernel", () => {
  test("best-effort lists each right that stays allowed, with who needed it", () => {
    expect(ruleset(readUsr, 3).dropped).toEqual([{ right: "IOCTL_DEV", neededBy: "--ro", firstAbi: 5 }]);
    expect(chooseRuleset({ ...readUsr, connectTcp: [1] }, 2, "best-effort").dropped).toEqual([
      { right: "TRUNCATE", neededBy: "--ro", firstAbi: 3 },
      { right: "IOCTL_DEV", neededBy: "--ro", firstAbi: 5 },
      { right: "BIND_TCP", neededBy: "--connect-tcp", firstAbi: 4 },
      { right: "CONNECT_TCP", neededBy: "--connect-tcp", firstAbi: 4 },
    ]);
  });

  test("renames stay denied on ABI 1: named as unavailable when a rule grants them, never as dropped", () => {
    const write = ruleset(writeWork, 1);
    expect(write.unavailable).toEqual([{ right: "REFER", neededBy: "--rw", firstAbi: 2 }]);
    expect(write.dropped.map(({ right }) => right)).toEqual(["TRUNCATE", "IOCTL_DEV"]);
    expect(ruleset(readUsr, 1).unavailable).toEqual([]);
    expect(ruleset(writeWork, 2).unavailable).toEqual([]);
  });

  test("without Landlock everything is dropped, renames too, and nothing is left to enforce", () => {
    const choice = chooseRuleset(readUsr, 0, "best-effort");
    expect(choice).toMatchObject({ kind: "none", abi: 0, unavailable: [] });
    expect(choice.dropped.map(({ right }) => right)).toContain("REFER");
    expect(choice.dropped).toHaveLength(16);
  });

  test("a Unix socket rule below ABI 9 leaves nothing to enforce", () => {
    expect(chooseRuleset(oneSocket, 8, "best-effort")).toMatchObject({
      kind: "none",
      dropped: [{ right: "RESOLVE_UNIX", neededBy: "--unix", firstAbi: 9 }],
    });
  });

  test("required refuses, and names the option, the ABI it needs and the kernel's", () => {
    const error = refusal({ ...readUsr, scopes: ["signal"] }, 4);
    expect(error.code).toBe("FENCE_LANDLOCK_ABI");
    expect(error.message).toBe("--scope signal needs Landlock ABI 6 (SIGNAL), this kernel has ABI 4");
    expect(error.details).toEqual({
      step: "enforce-landlock",
      hint: `use Linux 6.12 or newer, or ${lessIsAccepted}`,
    });
  });

  test("required without Landlock says how to get it", () => {
    const error = refusal(readUsr, -95);
    expect(error.message).toBe("--ro needs Landlock ABI 5 (IOCTL_DEV), this kernel has no Landlock");
    expect(error.details.hint).toBe(
      `enable Landlock in the kernel's lsm= list (Linux 6.10 or newer), allow it in the container's seccomp profile, or ${lessIsAccepted}`,
    );
  });

  test("required accepts exactly from the ABI on that the options need", () => {
    expect(chooseRuleset(readUsr, 5, "required")).toMatchObject({ kind: "ruleset", mode: "required", dropped: [] });
    expect(refusal(readUsr, 4).message).toContain("--ro needs Landlock ABI 5");
    expect(refusal(oneSocket, 8).message).toContain("--unix needs Landlock ABI 9");
    expect(chooseRuleset(oneSocket, 9, "required").kind).toBe("ruleset");
  });
});

test("off is an answer of its own, whatever was asked", () => {
  expect(chooseRuleset(readUsr, 7, "off")).toEqual({ kind: "off", mode: "off", abi: 7, dropped: [], unavailable: [] });
});

test("nothing asked is nothing to enforce, also when required on a kernel without Landlock", () => {
  expect(chooseRuleset(emptyRequest, -38, "required")).toMatchObject({ kind: "none", abi: 0, dropped: [] });
});

test("a right that is left alone stays allowed, though its area is denied", () => {
  const choice = chooseRuleset({ ...emptyRequest, denied: ["tcp"], leftAlone: ["BIND_TCP"] }, 7, "required");
  expect(choice).toMatchObject({ kind: "ruleset", handled: ["CONNECT_TCP"], ports: [] });
});
