import { constants } from "node:os";
import { expect, test } from "vitest";
import { describeFailure, errnoName, nodeError, systemError } from "../../../src/sys/errno.ts";

test("every errno that libuv or the exec of a program can give has its name", () => {
  const { ENOTSUP, EWOULDBLOCK, ...errnos } = constants.errno; // the same numbers as EOPNOTSUPP and EAGAIN
  const common = ["ENOENT", "EACCES", "ENOEXEC", "E2BIG", "EPERM", "ENOSYS", "ELOOP", "ENOTDIR", "ETXTBSY", "EINVAL"];
  for (const name of common) {
    expect(errnoName(-(errnos[name as keyof typeof errnos] ?? 0))).toBe(name);
  }
  expect([ENOTSUP, EWOULDBLOCK].map((number) => errnoName(-number))).toEqual(["ENOTSUP", "EAGAIN"]);
});

test("an errno without a name is a number", () => {
  expect(errnoName(-131)).toBe("errno 131");
  expect(describeFailure("sendmsg", -109)).toMatch(/^sendmsg: ETOOMANYREFS \(too many descriptors /);
  expect(describeFailure("open", -131)).toBe("open: errno 131 (unknown)");
});

test("a failure names the call, the errno and its meaning", () => {
  expect(describeFailure("open", -2)).toBe("open: ENOENT (no such file or directory)");
});

test("a system error says what was tried, and carries the call, the errno and what else is known", () => {
  const error = systemError("FENCE_RULE_PATH", "cannot open /srv", "open", -13, {
    step: "enforce-landlock",
    path: "/srv",
  });
  expect(error.message).toBe("cannot open /srv: open: EACCES (permission denied)");
  expect(error).toMatchObject({
    code: "FENCE_RULE_PATH",
    details: { syscall: "open", errno: "EACCES", step: "enforce-landlock", path: "/srv" },
  });
});

test("an exception of Node's own call becomes one of ours with it as the cause, any other stays what it is", () => {
  const thrown = Object.assign(new Error("ENOENT: no such file"), { errno: -2, syscall: "open" });
  const error = nodeError("FENCE_PLAN", "cannot read the plan", thrown);
  expect(error.message).toBe("cannot read the plan: open: ENOENT (no such file or directory)");
  expect(error.cause).toBe(thrown);
  const other = new TypeError("not ours");
  expect(() => nodeError("FENCE_PLAN", "cannot read the plan", other)).toThrow(other);
});
