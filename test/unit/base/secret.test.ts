import { inspect } from "node:util";
import { expect, test } from "vitest";
import { Secret } from "../../../src/base/secret.ts";

test("a secret is shown by reveal() alone", () => {
  const secret = new Secret("hunter2");
  const shown = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ a: [secret] }),
    Object.keys(secret).join(),
  ];
  expect(shown.filter((text) => text.includes("hunter2"))).toEqual([]);
  expect(String(secret)).toBe("[secret]");
  expect(secret.reveal()).toBe("hunter2");
});
