import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { maxDepth, parseJsonc } from "../../../src/config/jsonc.ts";
import { type Settings, settingsSchema } from "../../../src/config/keys.ts";
import { maxItems } from "../../../src/config/values.ts";
import { failure } from "../../kit/errors.ts";

const parse = (text: string): Settings => parseJsonc(text, "f.json", settingsSchema);

function refusal(text: string): FenceError {
  const error = failure(() => parse(text));
  expect(error.code).toBe("FENCE_CONFIG");
  return error;
}

test("comments, trailing commas and a byte order mark's absence are no matter", () => {
  const { network, isolation } = parse(`{
    // why
    "network": { "allowedDomains": ["a.example", /* b */ "c.example",], },
    "isolation": "best-effort",
  }`);
  expect(network.allowedDomains).toEqual(["a.example", "c.example"]);
  expect(isolation).toBe("best-effort");
});

describe("a mistake is named with its line, its column and its key:", () => {
  test.for<[text: string, says: string]>([
    ["{", "f.json:1:2: not JSON: close brace expected"],
    ['{\n  "network": {]\n}', "f.json:2:15: not JSON: property name expected"],
    ["{'a': 1}", "f.json:1:2: not JSON: invalid symbol"],
    ["[]", "f.json:1:1: the settings must be an object, got a list"],
    ['{"a": 1} x', "f.json:1:10: not JSON: invalid symbol"],
    ['{\n  "netwrk": {}\n}', 'f.json:2:3: the settings has the unknown key "netwrk"'],
    ['{"network": {\n"allowDomains": []}}', 'f.json:2:1: network has the unknown key "allowDomains"'],
    ['{"__proto__": {}}', 'f.json:1:2: the settings has the unknown key "__proto__"'],
    [
      '{"network": {"allowedDomains": [\n "a.example",\n  "b.example:80"]}}',
      'f.json:3:3: network.allowedDomains[1] must be a host pattern, without a port, got "b.example:80"',
    ],
    ['{"network": []}', "f.json:1:13: network must be an object, got a list"],
    ['{"network": null}', "f.json:1:13: network must be an object, got null"],
    ['{"network": {"allowedDomains": null}}', "f.json:1:32: network.allowedDomains must be a list, got null"],
    [
      '{"filesystem": {"allowGitConfig": "yes"}}',
      'f.json:1:35: filesystem.allowGitConfig must be true or false, got "yes"',
    ],
    ['{"filesystem": {"decoys": [{"path": "/a"}]}}', "f.json:1:28: filesystem.decoys[0].kind is missing"],
    [
      '{"isolation": {"mount": "of"}}',
      'f.json:1:25: isolation.mount must be "required" or "best-effort" or "off", got "of"',
    ],
    ['{"isolation": "of"}', 'f.json:1:15: isolation must be "strict" or "best-effort", got "of"'],
    ['{"isolation": 1}', 'f.json:1:15: isolation must be "strict", "best-effort" or an object, got 1'],
    [
      '{"network": {"httpProxyPort": 0}}',
      "f.json:1:31: network.httpProxyPort must be an integer from 1 to 65535, got 0",
    ],
    ['{"a": 1, "a": 1}', 'f.json:1:10: the key "a" stands twice in one object'],
    ['{"network": {"x": 1,\n  "\\u0078": 1}}', 'f.json:2:3: the key "x" stands twice in one object'],
  ])("%s", ([text, says]) => {
    expect(refusal(text).message).toBe(says);
  });

  test("the hint is the nearest word", () => {
    expect(refusal('{"netwrk": {}}').details.hint).toBe("did you mean network?");
    expect(refusal('{"devices": {"mode": "minimel"}}').details.hint).toBe("did you mean minimal?");
  });
});

describe("values that are refused:", () => {
  test.for<[group: string, key: string, value: unknown, says: RegExp]>([
    ["network", "allowedDomains", "*.com", /at least two names behind \*\./],
    ["network", "allowedDomains", "a.*.com", /must be a host pattern: /],
    ["network", "allowedDomains", "", /must be a host pattern: /],
    ["network", "allowedDomains", "http://a.example", /without a scheme/],
    ["network", "allowedDomains", "bücher.example", /in ASCII/],
    ["network", "allowedDomains", "a..example", /must be a host pattern: /],
    ["network", "allowedDomains", "a.example.", /must be a host pattern: /],
    [
      "network",
      "allowedDomains",
      `${"a".repeat(63)}.`.repeat(4).slice(0, -1).padEnd(260, "b"),
      /must be a host pattern: /,
    ],
    ["network", "allowLocalOutboundPorts", 65536, /from 1 to 65535, got 65536/],
    ["filesystem", "allowRead", "", /must be a path, got ""/],
    ["filesystem", "allowRead", "$HOME/x", /variables are not expanded/],
    ["filesystem", "allowRead", "~root/x", /only your own is known/],
    ["filesystem", "allowRead", "/a/*/../b", /without \.\. behind a wildcard/],
    ["filesystem", "allowRead", "/a\0", /without NUL/],
    ["filesystem", "allowRead", `/${"é".repeat(2048)}`, /at most 4096 bytes/],
    ["filesystem", "restore", "/a/*", /without wildcards/],
    ["devices", "allow", "/dev", /below \/dev\//],
    ["devices", "allow", "/dev/../etc", /below \/dev\//],
    ["devices", "allow", "dev/kvm", /below \/dev\//],
    ["command", "deny", " ", /must be a command/],
    ["ssh", "allowedHosts", "me@host", /without a user/],
  ])("%s.%s %s", ([group, key, value, says]) => {
    expect(refusal(JSON.stringify({ [group]: { [key]: [value] } })).message).toMatch(says);
  });

  test("lists are bounded, and nesting is", () => {
    const list = (length: number) => JSON.stringify({ command: { deny: Array.from({ length }, (_, i) => `c${i}`) } });
    expect(parse(list(maxItems)).command.deny).toHaveLength(maxItems);
    expect(refusal(list(maxItems + 1)).message).toMatch(/command.deny must be a list of at most 1000, got 1001$/);
    const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
    expect(refusal(nested(maxDepth)).message).toMatch(/must be an object/);
    expect(refusal(nested(maxDepth + 1)).message).toBe(
      "f.json:1:17: lists and objects must be in each other at most 16 deep",
    );
    expect(refusal("[".repeat(1 << 20)).message).toMatch(/at most 16 deep$/);
  });
});

describe("the password of a proxy is in no message:", () => {
  test.for([
    "http://u:hunter2@",
    "https://u:hunter2@h",
    "u:hunter2@h:1",
    "http://u:hunter2@h/path",
    7,
    ["http://u:hunter2@h"],
  ])("upstreamProxy %s", (value) => {
    const error = refusal(JSON.stringify({ network: { upstreamProxy: value } }));
    expect(`${error.message} ${error.details.hint}`).not.toContain("hunter2");
  });

  test("nor where the URL stands in the place of something else", () => {
    expect(refusal('{"network": {"httpProxyPort": "http://u:hunter2@h"}}').message).not.toContain("hunter2");
    expect(refusal('{"network": {"allowedDomains": ["http://u:hunter2@h"]}}').message).not.toContain("hunter2");
  });

  test.for(["http://h", "http://u:p@h:8080", "http://127.0.0.1:1/", "http://[::1]:8"])("%s is read", (value) => {
    expect(parse(JSON.stringify({ network: { upstreamProxy: value } })).network.upstreamProxy).toBe(value);
  });
});

test("any JSON value, and any text, is read or FENCE_CONFIG with a place", () => {
  const texts = fc.oneof(
    fc.json(),
    fc.string(),
    fc
      .array(
        fc.constantFrom(
          "{",
          "}",
          "[",
          "]",
          ",",
          ":",
          '"network"',
          '"allowedDomains"',
          "1",
          "null",
          "//",
          "/*",
          "*/",
          '"',
          "\n",
        ),
      )
      .map((parts) => parts.join("")),
    fc
      .record({ network: fc.jsonValue(), isolation: fc.jsonValue() }, { requiredKeys: [] })
      .map((value) => JSON.stringify(value)),
  );
  let read = 0;
  fc.assert(
    fc.property(texts, (text) => {
      try {
        parse(text);
        read++;
      } catch (error) {
        if (!(error instanceof FenceError) || error.code !== "FENCE_CONFIG") throw error;
        expect(error.message).toMatch(/^f\.json(?::\d+:\d+: | is empty)/);
        expect(error.message.length).toBeLessThan(600);
      }
    }),
    { numRuns: 3000 },
  );
  expect(read).toBeGreaterThan(10);
});
