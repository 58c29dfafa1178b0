import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { decideHostNetwork, type NetworkQuestion } from "../../../src/launcher/landlock-backend-network.ts";
import { type PolicyParts, policyOf } from "../../kit/policies.ts";

function decided(parts: PolicyParts = {}, question: Partial<NetworkQuestion> = {}) {
  const policy = policyOf(parts);
  return decideHostNetwork({ policy, hostNetwork: false, publish: [], landlockAbi: 7, hasFilter: true, ...question });
}

function refusal(parts: PolicyParts, question: Partial<NetworkQuestion>) {
  try {
    decided(parts, question);
  } catch (error) {
    if (error instanceof FenceError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("nothing was refused");
}

const nothingListens = { bindTcp: [], bindsAnyPort: false };

test.for<[abi: number, denied: readonly string[], deniedSockets: readonly string[]]>([
  [4, ["tcp"], ["datagrams", "unix-sockets"]],
  [8, ["tcp"], ["datagrams", "unix-sockets"]],
  [9, ["tcp", "unix-sockets"], ["datagrams"]],
  [10, ["tcp", "udp", "unix-sockets"], ["datagrams"]],
])("with ABI %i all that leads out is denied, by one or the other", ([landlockAbi, denied, deniedSockets]) => {
  expect(decided({}, { landlockAbi })).toEqual({
    denials: { ...nothingListens, denied, deniedSockets },
    deniesTcp: true,
    notes: [],
  });
});

test("the host's network is left alone where it is granted, its Unix sockets are not", () => {
  expect(decided({}, { hostNetwork: true })).toEqual({
    denials: { ...nothingListens, denied: [], deniedSockets: ["unix-sockets"] },
    deniesTcp: false,
    notes: [],
  });
});

test("Unix sockets are left alone where all of them are granted", () => {
  const { denials } = decided({ network: { allowAllUnixSockets: true } });
  expect(denials).toEqual({ ...nothingListens, denied: ["tcp"], deniedSockets: ["datagrams"] });
});

test("published ports can be listened on, and every one where the policy says so", () => {
  const publish = [{ host: "127.0.0.1", hostPort: 8080, port: 8080 }];
  expect(decided({}, { publish }).denials).toMatchObject({ bindTcp: [8080], bindsAnyPort: false });
  expect(decided({ network: { allowLocalBinding: true } }).denials).toMatchObject({ bindsAnyPort: true });
});

test("a port that is another outside than inside is refused", () => {
  const publish = [{ host: "127.0.0.1", hostPort: 8000, port: 8080 }];
  expect(refusal({}, { publish })).toMatchObject({ code: "FENCE_USAGE", message: expect.stringMatching(/8000:8080/) });
});

describe("what the kernel cannot deny", () => {
  test.for<[what: string, parts: PolicyParts, question: Partial<NetworkQuestion>, says: RegExp]>([
    ["TCP below ABI 4", {}, { landlockAbi: 3 }, /TCP is not restricted: .* ABI 3, it needs ABI 4 \(Linux 6\.7\)/],
    ["named Unix sockets below ABI 9", { network: { allowUnixSockets: ["/run/x"] } }, {}, /every Unix socket .* ABI 9/],
    ["sockets without a filter", {}, { hasFilter: false }, /datagrams and unix-sockets are not denied/],
  ])("%s is refused where the layer is required, and a note where it is not", ([, parts, question, says]) => {
    expect(refusal(parts, question)).toMatchObject({
      code: "FENCE_ISOLATION",
      message: expect.stringMatching(says),
    });
    expect(decided({ ...parts, isolation: "best-effort" }, question).notes).toEqual([
      { where: expect.any(String), says: expect.stringMatching(says) },
    ]);
  });
});
