import { expect, test } from "vitest";
import { takeStubRole } from "../../../src/sys/stub-role.ts";

test("the role is taken out of the environment", () => {
  const environment = { FENCE_STUB: "command:7", HOME: "/" };
  expect(takeStubRole(environment)).toEqual({ name: "command", addon: 7 });
  expect(environment).toEqual({ HOME: "/" });
});

test("the set-up has a socket to the program's process and one to the keeper", () => {
  const role = { name: "set-up", addon: 7, socket: 8, keeper: 9 };
  expect(takeStubRole({ FENCE_STUB: "set-up:7,8,9" })).toEqual(role);
});

test("the bridge process has a listener for each bridge, and may have no reports and no messages", () => {
  expect(takeStubRole({ FENCE_STUB: "bridges:7,8,9,-1,-1,20,21" })).toEqual({
    name: "bridges",
    addon: 7,
    control: 8,
    relayPlan: 9,
    status: -1,
    debug: -1,
    listeners: [20, 21],
  });
});

test("the network part has a channel to its launcher", () => {
  expect(takeStubRole({ FENCE_STUB: "network:7,3" })).toEqual({ name: "network", addon: 7, channel: 3 });
});

test.for([undefined, "", "7", "command", "command:", "command:x", "command: 7", "commands:7", "command:7;8"])(
  "there is none when it is %o",
  (given) => {
    expect(takeStubRole(given === undefined ? {} : { FENCE_STUB: given })).toBeNull();
  },
);

test("a descriptor that is missing is our mistake", () => {
  expect(() => takeStubRole({ FENCE_STUB: "set-up:7,8" })).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
});
