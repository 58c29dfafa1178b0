/**
 * Settings for property tests: valid ones, and spoiled ones.
 *
 * Runs:     in tests.
 */
import fc from "fast-check";
import { decoyKinds, isolationLayers, type Policy } from "../../src/plan/policy.ts";
import type { Json } from "../../src/plan/schema.ts";

const some = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 3 });
const host = fc.constantFrom("example.com", "*.example.com", "*", "localhost", "A.Example", "10.0.0.1", "x");
const path = fc.constantFrom("/a", "~", "~/b", ".", "**/.env", "/a/[bc]/*", "../x", "/a/..");
const command = fc.constantFrom("git push", "rm", "dd if=", " x");
const port = fc.integer({ min: 1, max: 65535 });
const decoy = fc.record({ path: fc.constantFrom("/a", "~/.netrc"), kind: fc.constantFrom(...decoyKinds) });
const needed = fc.constantFrom("required", "best-effort", "off");
const group = <T>(keys: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T>(keys, { requiredKeys: [] });

export const isolations = fc.oneof(
  fc.constantFrom("strict", "best-effort"),
  group(Object.fromEntries(isolationLayers.map((layer) => [layer, needed]))),
);

/** What parses. */
export const validSettings = group({
  $schema: fc.string({ unit: "grapheme" }),
  extends: fc.constantFrom("code", "@base", "./x.json"),
  allowPty: fc.boolean(),
  forceNewSession: fc.option(fc.boolean()),
  isolation: isolations,
  network: group({
    allowedDomains: some(host),
    deniedDomains: some(host),
    defaultAction: fc.constantFrom("deny", "proxy"),
    allowUnixSockets: some(path),
    allowLocalBinding: fc.boolean(),
    allowLocalOutbound: fc.option(fc.boolean()),
    allowLocalOutboundPorts: some(port),
    httpProxyPort: fc.option(port),
    upstreamProxy: fc.option(fc.constantFrom("http://h", "http://u:p@h:80/")),
  }),
  filesystem: group({
    defaultDenyRead: fc.boolean(),
    wslInterop: fc.option(fc.boolean()),
    allowRead: some(path),
    denyWrite: some(path),
    mask: some(path),
    decoys: some(decoy),
    restore: some(fc.constantFrom("/a", "~/b")),
  }),
  devices: group({
    mode: fc.constantFrom("auto", "minimal", "host"),
    allow: some(fc.constantFrom("/dev/kvm", "/dev/dri/card*")),
  }),
  command: group({
    deny: some(command),
    useDefaults: fc.option(fc.boolean()),
    runtimeExecPolicy: fc.constantFrom("path", "argv"),
  }),
  ssh: group({ allowedHosts: some(fc.constantFrom("prod-*", "*", "h.example")), inheritDeny: fc.boolean() }),
  macos: group({ gpu: fc.option(fc.boolean()), mach: group({ lookup: some(fc.string({ unit: "grapheme" })) }) }),
});

const odd: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    0,
    1.5,
    65536,
    -1,
    "",
    "x",
    "$x",
    "~root",
    "/a/*/../b",
    "*.com",
    "a:1",
    "http://u@",
    [],
    {},
    [[]],
    ["/dev"],
  ),
  fc.string({ unit: "binary" }),
  fc.jsonValue() as fc.Arbitrary<Json>,
);

/** One value replaced, or one key added. */
export const spoiledSettings = fc
  .tuple(
    validSettings,
    fc.constantFrom("network", "filesystem", "devices", "command", "ssh", "isolation", "macos"),
    fc.nat(),
    odd,
  )
  .map(([settings, name, which, value]): Json => {
    const copy = JSON.parse(JSON.stringify(settings)) as Record<string, Json>;
    const inner = copy[name];
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return { ...copy, [name]: value };
    const keys = Object.keys(inner);
    const key = keys[which % (keys.length + 1)] ?? "more";
    const old = (inner as Record<string, Json>)[key];
    const next = Array.isArray(old) && which % 2 === 0 ? [...(old as Json[]), value] : value;
    return { ...copy, [name]: { ...(inner as Record<string, Json>), [key]: next } };
  });

/** Paths of the policy that are not absolute or not normalised. */
export function strayPaths({ filesystem, network, devices }: Policy): readonly string[] {
  const { allowRead, allowExecute, denyRead, allowWrite, denyWrite, mask, decoys, restore } = filesystem;
  const patterns = [
    allowRead,
    allowExecute,
    denyRead,
    allowWrite,
    denyWrite,
    mask,
    network.allowUnixSockets,
    devices.allow,
  ];
  const paths = [...patterns.flat(), ...restore, ...decoys.map(({ path }) => path)];
  return paths.filter((path) => !/^\/(?:(?!\.{1,2}(?:\/|$))[^/]+(?:\/(?!$)|$))*$/.test(path));
}
