import { expect, test } from "vitest";
import { endPayload, type NetworkEnd, parseEnd, targetOf } from "../../../src/network/network-end.ts";

const listen = { kind: "tcp", host: "::1", port: 3128 } as const;
const outbound: NetworkEnd = {
  ...{ kind: "outbound", listener: 7, listen },
  targets: [
    { kind: "unix", path: "/run/proxy" },
    { kind: "tcp", host: "192.0.2.1", port: 80 },
  ],
};
const published: NetworkEnd = { kind: "published", listener: 7, listen, port: 8080 };

test.for([outbound, published])("$kind is read as it was written, with its descriptor", (end) => {
  expect(parseEnd(endPayload({ ...end, listener: 99 }), 7)).toEqual(end);
});

test("a target is called by its first address, or by its port", () => {
  expect([outbound, published].map(targetOf)).toEqual(["unix:/run/proxy", "port 8080 of the sandbox"]);
});

test.for(["{}", '{"listen":"tcp:127.0.0.1:1"}', '{"listen":"tcp:127.0.0.1:1","targets":[]}', "[]", "null"])(
  "%s is our mistake",
  (text) => {
    expect(() => parseEnd(Buffer.from(text), 7)).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
  },
);
