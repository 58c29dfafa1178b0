/**
 * JSON plans for property tests: valid ones, spoiled ones, and bytes that are nearly plans.
 *
 * Runs:     in tests, and in the long run of test/fuzz.
 * Promises: what `bothSay` and `wholePlans` give is accepted.
 */
import fc from "fast-check";
import { FenceError } from "../../src/base/errors.ts";
import { maxDescriptor } from "../../src/base/option-values.ts";
import { parseJsonPlan, planText } from "../../src/inside/json-plan.ts";
import type { ProgramRequest } from "../../src/inside/request.ts";
import { resourceLimits } from "../../src/inside/resource-limits.ts";
import { logWords, scopeWords } from "../../src/landlock/options.ts";
import type { Json } from "../../src/plan/schema.ts";

export const noProgram: ProgramRequest = { kind: "original", first: 4, argv: [] };

const port = fc.integer({ min: 1, max: 65535 });
const path = fc.string({ unit: "binary", maxLength: 20 }).map((text) => `/${text.replace(/[\0\ufffd]/g, "_")}`);
const word = path.map((text) => text.slice(1));
const name = word.map((text) => text.replaceAll("=", "_"));
/** Where nothing listens in `listeners`. */
const target = fc.oneof(
  fc.integer({ min: 1, max: 999 }).map((number) => `tcp:localhost:${number}`),
  fc
    .tuple(fc.constantFrom("10.1.2.3", "[::1]", "[2001:db8::a]"), fc.integer({ min: 1, max: 999 }))
    .map(([host, number]) => `tcp:${host}:${number}`),
  path.map((text) => `unix:${text}`),
);
const listener = fc.oneof(
  fc.integer({ min: 4000, max: 65535 }).map((number) => `tcp:127.0.0.1:${number}`),
  fc.nat({ max: 999 }).map((number) => `unix:/the listener ${number}`),
  fc.integer({ min: 3, max: maxDescriptor }).map((number) => `fd:${number}`),
);

/** What options and plans can both say. */
const sayings = fc.record({
  bridges: fc.uniqueArray(fc.record({ listen: listener, connect: target }), {
    selector: ({ listen }) => listen,
    maxLength: 3,
  }),
  nonLoopbackListeners: fc.boolean(),
  httpProxy: fc.option(target),
  socksProxy: fc.option(target),
  noProxy: fc.option(
    fc.array(
      word.map((text) => `h${text.replaceAll(",", "_")}`),
      { maxLength: 3 },
    ),
  ),
  allProxy: fc.boolean(),
  env: fc.uniqueArray(
    fc.tuple(
      name.map((text) => `N${text}`),
      word,
    ),
    { selector: ([key]) => key, maxLength: 3 },
  ),
  unsetEnv: fc.array(
    name.map((text) => `U${text}`),
    { maxLength: 3 },
  ),
  clearEnv: fc.boolean(),
  chdir: fc.option(path),
  rules: fc.array(fc.record({ access: fc.constantFrom("ro", "rox", "rw", "rwx"), path }), { maxLength: 4 }),
  unixSockets: fc.array(path, { maxLength: 2 }),
  bindTcp: fc.array(fc.nat({ max: 65535 }), { maxLength: 2 }),
  connectTcp: fc.array(port, { maxLength: 2 }),
  bindUdp: fc.array(fc.nat({ max: 65535 }), { maxLength: 2 }),
  connectUdp: fc.array(port, { maxLength: 2 }),
  scopes: fc.array(fc.constantFrom(...scopeWords), { maxLength: 2 }),
  quiet: fc.record({
    paths: fc.array(path, { maxLength: 1 }),
    ports: fc.array(fc.nat({ max: 65535 }), { maxLength: 1 }),
    scopes: fc.array(fc.constantFrom(...scopeWords), { maxLength: 1 }),
  }),
  landlockLog: fc.array(fc.constantFrom(...logWords), { maxLength: 2 }),
  landlock: fc.constantFrom("required", "best-effort", "off"),
  ignoreMissing: fc.boolean(),
  seccomp: fc.constantFrom("default", "strict", "off"),
  init: fc.boolean(),
  verify: fc.boolean(),
});
type Saying = typeof sayings extends fc.Arbitrary<infer T> ? T : never;

/** Landlock is on wherever there is a rule. */
export const bothSay = sayings.map((saying): Saying => {
  const { files, ports, scopes } = denialsOf(saying);
  const hasRules = files + ports + scopes.length > 0;
  return withoutLonely(hasRules && saying.landlock === "off" ? { ...saying, landlock: "required" } : saying);
});

/** How many rules there are for files and for ports, and the scopes. */
function denialsOf(saying: Partial<Saying>) {
  const { rules = [], unixSockets = [], bindTcp = [], connectTcp = [], bindUdp = [], connectUdp = [] } = saying;
  return {
    files: rules.length + unixSockets.length,
    ports: bindTcp.length + connectTcp.length + bindUdp.length + connectUdp.length,
    scopes: saying.scopes ?? [],
  };
}

/** Quiet is only what can be denied, and logs are of something. */
function withoutLonely<S extends Partial<Saying>>(saying: S): S {
  const { files, ports, scopes } = denialsOf(saying);
  const { quiet, landlockLog } = saying;
  return {
    ...saying,
    ...(quiet !== undefined && {
      quiet: {
        paths: files > 0 ? quiet.paths : [],
        ports: ports > 0 ? quiet.ports : [],
        scopes: quiet.scopes.filter((scope) => scopes.includes(scope)),
      },
    }),
    ...(landlockLog !== undefined && { landlockLog: files + ports + scopes.length > 0 ? landlockLog : [] }),
  };
}

type Plan = Readonly<Record<string, Json>>;

export function asPlan({ env, noProxy, ...rest }: Saying): Plan {
  return { version: 1, ...rest, ...(noProxy !== null && { noProxy }), env: Object.fromEntries(env) };
}

export function asOptions(saying: Saying): string[] {
  const one = (option: string, value: unknown) => (value === null ? [] : [`--${option}=${value}`]);
  const many = (option: string, values: readonly unknown[]) => values.flatMap((value) => one(option, value));
  const flag = (option: string, isGiven: boolean) => (isGiven ? [`--${option}`] : []);
  const bridges = saying.bridges.map(({ listen, connect }) => `${listen}=${connect}`);
  const env = saying.env.map(([key, value]) => `${key}=${value}`);
  return [
    ...many("bridge", bridges),
    ...flag("allow-non-loopback", saying.nonLoopbackListeners),
    ...one("http-proxy", saying.httpProxy),
    ...one("socks-proxy", saying.socksProxy),
    ...one("no-proxy", saying.noProxy?.join(",") ?? null),
    ...flag("no-all-proxy", !saying.allProxy),
    ...many("env", env),
    ...many("unset-env", saying.unsetEnv),
    ...flag("clear-env", saying.clearEnv),
    ...one("chdir", saying.chdir),
    ...saying.rules.map((rule) => `--${rule.access}=${rule.path}`),
    ...many("unix", saying.unixSockets),
    ...many("bind-tcp", saying.bindTcp),
    ...many("connect-tcp", saying.connectTcp),
    ...many("bind-udp", saying.bindUdp),
    ...many("connect-udp", saying.connectUdp),
    ...many("quiet", [...saying.quiet.paths, ...saying.quiet.ports, ...saying.quiet.scopes]),
    ...many("landlock-log", saying.landlockLog),
    ...many("scope", saying.scopes),
    ...one("landlock", saying.landlock),
    ...flag("ignore-missing", saying.ignoreMissing),
    ...one("seccomp", saying.seccomp),
    ...flag("init", saying.init),
    ...flag("verify", saying.verify),
  ];
}

const limit = fc.oneof(
  fc.tuple(fc.maxSafeNat(), fc.maxSafeNat()).map(([one, other]) => ({
    soft: Math.min(one, other),
    hard: Math.max(one, other),
  })),
  fc.maxSafeNat().map((soft) => ({ soft, hard: "unlimited" })),
  fc.constant({ soft: "unlimited", hard: "unlimited" }),
);

/** The version, and what would be required beside rules when it said off. */
const alwaysThere = ["version", "landlock"];

/** Every other key may be there, or not. */
export const wholePlans: fc.Arbitrary<Plan> = fc
  .tuple(
    bothSay.map(asPlan),
    fc.record({
      umask: fc.option(fc.stringMatching(/^0?[0-7]{1,3}$/)),
      rlimits: fc.dictionary(fc.constantFrom(...resourceLimits), limit, { maxKeys: 3 }),
      capabilities: fc.constantFrom("keep", "drop"),
      launcher: fc.option(
        fc.record({
          control: fc.integer({ min: 3, max: 2 ** 20 }),
          standardError: fc.option(fc.integer({ min: 3, max: 2 ** 20 })),
          closedStreams: fc.uniqueArray(fc.nat({ max: 2 })),
          blockedSignals: fc.uniqueArray(fc.integer({ min: 1, max: 64 }), { maxLength: 5 }),
          ignoredSignals: fc.uniqueArray(fc.integer({ min: 1, max: 64 }), { maxLength: 5 }),
        }),
      ),
      program: fc.array(word, { maxLength: 3 }),
    }),
    fc.nat(),
  )
  .map(([shared, own, kept]) => {
    const all = Object.entries({ ...shared, ...own });
    return withoutLonely(Object.fromEntries(all.filter(([key], i) => alwaysThere.includes(key) || (kept >>> i) & 1)));
  });

/** What is right somewhere, or nowhere. */
const anything: fc.Arbitrary<Json> = fc.oneof(
  fc.jsonValue() as fc.Arbitrary<Json>,
  target,
  listener,
  fc.constantFrom<Json>(
    ...["022", "0", "unlimited", "drop", "off", "best-effort", "signal", "ro", "rwx", "/x", "a=b", "\0", "\ud800"],
    ...[
      "tcp:0.0.0.0:3128",
      "tcp:[::]:1080",
      "tcp:127.0.0.1:0",
      `unix:/${"x".repeat(107)}`,
      "unix:@a",
      "x".repeat(5000),
    ],
    ...[-1, 0, 65535, 65536, 1.5, 2 ** 53, true, null],
    ...[[], ["/x"], [1], [{}], {}, { soft: 2, hard: 1 }, { listen: "unix:/a", connect: "unix:/a" }],
  ),
);

/** Where a value stands in a plan: keys and indices from the outside in. */
type Place = readonly (string | number)[];

function placesIn(value: Json, place: Place = []): readonly Place[] {
  if (typeof value !== "object" || value === null) return [place];
  const inner = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [place, ...inner.flatMap(([key, element]) => placesIn(element as Json, [...place, key]))];
}

function replaced(value: Json, [key, ...rest]: Place, by: Json): Json {
  if (key === undefined) return by;
  if (Array.isArray(value)) return value.map((element, i) => (i === key ? replaced(element, rest, by) : element));
  const inner = value as Plan;
  return { ...inner, [key]: replaced(inner[key] ?? null, rest, by) };
}

/** Valid plans with something else in up to three places, or with keys that are none. */
export const spoiledPlans: fc.Arbitrary<Json> = fc
  .tuple(
    wholePlans,
    fc.array(fc.tuple(fc.nat(), anything), { maxLength: 3 }),
    fc.dictionary(fc.string(), anything, { maxKeys: 1 }),
  )
  .map(([plan, changes, more]) => {
    const spoiled = changes.reduce<Json>((json, [where, by]) => {
      const places = placesIn(json);
      return replaced(json, places[where % places.length] ?? [], by);
    }, plan);
    return typeof spoiled === "object" && !Array.isArray(spoiled) ? { ...(spoiled as Plan), ...more } : spoiled;
  });

const bytes = fc.uint8Array({ maxLength: 60 });
const edit = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat({ max: 3 }), bytes);

/** Any bytes; JSON; plans; and plans with up to four places overwritten. */
export const planBytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  bytes,
  fc.json().map((json) => Buffer.from(json)),
  fc
    .tuple(fc.oneof(wholePlans, spoiledPlans), fc.array(edit, { maxLength: 4 }))
    .map(([plan, edits]) => edits.reduce(edited, Buffer.from(JSON.stringify(plan)))),
);

function edited(text: Buffer, [at, removed, added]: readonly [number, number, Uint8Array]): Buffer {
  const start = Math.floor(at * text.length);
  return Buffer.concat([text.subarray(0, start), added.subarray(0, removed + 1), text.subarray(start + removed)]);
}

/** Whether the bytes are a plan. Throws what no bytes may ever cause. */
export function isPlan(given: Uint8Array): boolean {
  try {
    parseJsonPlan(planText(given, "the plan"), noProgram);
    return true;
  } catch (error) {
    if (!(error instanceof FenceError) || error.code !== "FENCE_PLAN") throw error;
    if (error.message.length > 1000) throw new Error("the message is too long", { cause: error });
    return false;
  }
}
