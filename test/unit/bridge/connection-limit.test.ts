import { expect, test } from "vitest";
import { ConnectionLimit } from "../../../src/bridge/connection-limit.ts";

test("there is room until the last is taken, and whoever joined is told when there is room again", () => {
  const told: string[] = [];
  const limit = new ConnectionLimit(2);
  const left = () => told.push("left");
  limit.join(() => told.push("one"));
  limit.join(left);
  limit.join(() => told.push("other"));
  limit.leave(left);
  expect(limit.hasRoom).toBe(true);
  limit.opened();
  limit.opened();
  expect(limit.hasRoom).toBe(false);
  limit.closed();
  expect([limit.hasRoom, told]).toEqual([true, ["one", "other"]]);
  limit.closed();
  expect(told).toHaveLength(2);
});
