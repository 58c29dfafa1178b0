import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { parseRequest } from "../../../src/service/requests.ts";

const open = {
  ...{ request: "open", version: 1, buildId: "0", settings: null, template: null, isolation: null },
  ...{ directory: "/", environment: [["A", "1"]], httpProxy: null, socksProxy: null, publish: ["80"] },
};
const run = { request: "run", id: "00000001-ffffffff", argv: ["a"], environment: null, directory: null };

describe("a request is read as it was written:", () => {
  test.for([
    open,
    { ...open, settings: { file: "fence.json" }, isolation: "strict" },
    { ...open, settings: { given: { network: {} } }, template: "code" },
    run,
    { ...run, environment: [["NAME", "VALUE"]], directory: "sub" },
    { request: "ended", id: run.id },
    { request: "refuse", id: run.id },
  ])("%j", (request) => {
    expect(parseRequest(JSON.stringify(request))).toEqual(request);
  });
});

test.for<[what: string, request: object]>([
  ["of another version", { ...open, version: 2 }],
  ["with another key", { ...open, more: 1 }],
  ["without a key", { ...run, argv: undefined }],
  ["with an ID that is none", { ...run, id: "1-2" }],
  ["with a relative directory", { ...open, directory: "a" }],
  ["with a variable that is no pair", { ...run, environment: [["A"]] }],
  ["of another kind", { request: "stop", id: run.id }],
])("a request %s is refused", ([, request]) => {
  expect(() => parseRequest(JSON.stringify(request))).toThrow(expect.objectContaining({ code: "FENCE_SERVICE" }));
});

test("no message shows a variable's value", () => {
  const request = JSON.stringify({ ...run, environment: [["SECRET", "hidden\0value"]] });
  expect(() => parseRequest(request)).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining("hidden") }),
  );
});

test("any line is a request or FENCE_SERVICE", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
      try {
        parseRequest(line);
      } catch (error) {
        expect(error).toBeInstanceOf(FenceError);
        expect(error).toMatchObject({ code: "FENCE_SERVICE" });
      }
    }),
  );
});
