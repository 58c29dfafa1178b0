import { expect, test } from "vitest";
import { encodeRelayPlan, parseRelayPlan } from "../../../src/bootstrap/relay-plan.ts";

test("what is parsed is what was written", () => {
  const plan = {
    bridges: [
      {
        listen: { kind: "tcp", host: "127.0.0.1", port: 3128 },
        connect: { kind: "unix", path: "/run/a=b\n\u{1f600}" },
      },
      { listen: { kind: "unix", path: "/run/x" }, connect: { kind: "tcp", host: "::1", port: 1 } },
      {
        listen: { kind: "descriptor", descriptor: 7 },
        connect: { kind: "tcp", host: "127.0.0.1", port: 8080 },
        acknowledge: true,
      },
    ],
  } as const;
  expect(parseRelayPlan(encodeRelayPlan(plan).toString())).toEqual(plan);
  expect(parseRelayPlan(encodeRelayPlan({ bridges: [] }).toString())).toEqual({ bridges: [] });
});

test.for(["{}", "[1]", "[[]]", '[["unix:/a"]]', '[["unix:/a",7]]'])(
  "%s, which we never write, is our mistake",
  (text) => {
    expect(() => parseRelayPlan(text)).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
  },
);
