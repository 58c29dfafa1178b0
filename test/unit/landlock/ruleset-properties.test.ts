import fc from "fast-check";
import { expect, test } from "vitest";
import { maskOf, newestAbi, type RightName, rightOf, rights } from "../../../src/landlock/abi.ts";
import { accessWords, areaRights, logWords, options, scopeWords } from "../../../src/landlock/options.ts";
import { emptyRequest, type RulesetRequest, wishesOf } from "../../../src/landlock/request.ts";
import { chooseRuleset, type Ruleset, type RulesetChoice } from "../../../src/landlock/ruleset.ts";

const path = fc.constantFrom("/", "/usr", "/work", "/run/a.sock", "/dev/null");
const port = fc.constantFrom(0, 80, 443, 65535);
const requests: fc.Arbitrary<RulesetRequest> = fc.record({
  rules: fc.array(fc.record({ access: fc.constantFrom(...accessWords), path }), { maxLength: 6 }),
  unixSockets: fc.array(path, { maxLength: 3 }),
  bindTcp: fc.array(port, { maxLength: 3 }),
  connectTcp: fc.array(port, { maxLength: 3 }),
  bindUdp: fc.array(port, { maxLength: 3 }),
  connectUdp: fc.array(port, { maxLength: 3 }),
  scopes: fc.array(fc.constantFrom(...scopeWords), { maxLength: 2 }),
  quiet: fc.record({
    paths: fc.array(path, { maxLength: 2 }),
    ports: fc.array(port, { maxLength: 2 }),
    scopes: fc.array(fc.constantFrom(...scopeWords), { maxLength: 2 }),
  }),
  log: fc.array(fc.constantFrom(...logWords), { maxLength: 2 }),
  denied: fc.array(fc.constantFrom("files", "unix-sockets", "tcp", "udp", "signal", "abstract-unix"), { maxLength: 2 }),
  leftAlone: fc.constant([]),
});
const abis = fc.integer({ min: -1, max: newestAbi + 2 });

/** Masks by what they are about; `where` is a field, a path or a port. */
function masks(choice: RulesetChoice): ReadonlyMap<string, number> {
  if (choice.kind !== "ruleset") return new Map();
  return new Map([
    ["fs", choice.handledFs],
    ["net", choice.handledNet],
    ["scoped", choice.scoped],
    ["quiet fs", choice.quietFs],
    ["quiet net", choice.quietNet],
    ["quiet scoped", choice.quietScoped],
    ["restrict flags", choice.restrictFlags],
    ...choice.paths.flatMap((rule): [string, number][] => [
      [`directory ${rule.path}`, rule.directoryAccess],
      [`file ${rule.path}`, rule.fileAccess],
    ]),
    ...choice.ports.map((rule): [string, number] => [`port ${rule.port}`, rule.access]),
  ]);
}

const bestEffort = (request: RulesetRequest, abi: number) => chooseRuleset(request, abi, "best-effort");

test("the ruleset for an older ABI is a subset of that for a newer one", () => {
  fc.assert(
    fc.property(requests, abis, abis, (request, one, other) => {
      const newer = masks(bestEffort(request, Math.max(one, other)));
      for (const [where, mask] of masks(bestEffort(request, Math.min(one, other)))) {
        expect(mask & ~(newer.get(where) ?? 0), where).toBe(0);
      }
    }),
  );
});

test("no mask has a bit that the ABI does not know, or that is not handled", () => {
  fc.assert(
    fc.property(requests, abis, (request, abi) => {
      const choice = bestEffort(request, abi);
      if (choice.kind !== "ruleset") return;
      const known = rights.filter(({ firstAbi }) => firstAbi <= abi).map(({ name }) => name);
      expect(choice.handledFs & ~maskOf("fs", known)).toBe(0);
      expect(choice.handledNet & ~maskOf("net", known)).toBe(0);
      expect(choice.scoped & ~maskOf("scope", known)).toBe(0);
      expect(choice.restrictFlags & ~maskOf("restrict-flag", known)).toBe(0);
      for (const rule of choice.paths) expect(rule.directoryAccess & ~choice.handledFs).toBe(0);
      for (const rule of choice.ports) expect(rule.access & ~choice.handledNet).toBe(0);
    }),
  );
});

test("a rule on a non-directory never carries a directory's right", () => {
  const directoryRights = rights.filter(({ rule }) => rule === "directory").map(({ name }) => name);
  fc.assert(
    fc.property(requests, abis, (request, abi) => {
      const choice = bestEffort(request, abi);
      if (choice.kind !== "ruleset") return;
      for (const { fileAccess, directoryAccess } of choice.paths) {
        expect(fileAccess & maskOf("fs", directoryRights)).toBe(0);
        expect(fileAccess & ~directoryAccess).toBe(0);
      }
    }),
  );
});

test("nothing is quiet that is not handled, before ABI 10, or unless it was asked for", () => {
  fc.assert(
    fc.property(requests, abis, (request, abi) => {
      const choice = bestEffort(request, abi);
      if (choice.kind !== "ruleset") return;
      expect(choice.quietFs & ~choice.handledFs).toBe(0);
      expect(choice.quietNet & ~choice.handledNet).toBe(0);
      expect(choice.quietScoped & ~choice.scoped).toBe(0);
      const quietPaths = choice.paths.filter(({ quiet }) => quiet).map((rule) => rule.path);
      const quietPorts = choice.ports.filter(({ quiet }) => quiet).map((rule) => rule.port);
      for (const quietPath of quietPaths) expect(request.quiet.paths).toContain(quietPath);
      for (const quietPort of quietPorts) expect(request.quiet.ports).toContain(quietPort);
      // The kernel refuses a quiet rule in a ruleset that has nothing to be quiet about.
      expect(quietPaths.length > 0).toBe(choice.quietFs !== 0);
      expect(quietPorts.length > 0).toBe(choice.quietNet !== 0);
      if (abi < 10) expect([choice.quietFs, choice.quietNet, choice.quietScoped]).toEqual([0, 0, 0]);
    }),
  );
});

test("quiet rules and logs change neither what is denied nor what is granted", () => {
  fc.assert(
    fc.property(requests, abis, (request, abi) => {
      const loud = bestEffort({ ...request, quiet: emptyRequest.quiet, log: [] }, abi);
      const choice = bestEffort(request, abi);
      expect(choice.kind).toBe(loud.kind);
      if (choice.kind !== "ruleset" || loud.kind !== "ruleset") return;
      const { handledFs, handledNet, scoped } = loud;
      expect(choice).toMatchObject({ handledFs, handledNet, scoped });
      const granting = ({ paths, ports }: Ruleset) => [
        ...paths.filter((rule) => rule.directoryAccess !== 0).map((rule) => [rule.path, rule.directoryAccess]),
        ...ports.filter((rule) => rule.access !== 0).map((rule) => [rule.port, rule.access]),
      ];
      expect(new Set(granting(choice).map(String))).toEqual(new Set(granting(loud).map(String)));
    }),
  );
});

test("no rule is empty and no subject has two", () => {
  fc.assert(
    fc.property(requests, abis, (request, abi) => {
      const choice = bestEffort(request, abi);
      if (choice.kind !== "ruleset") return;
      for (const { directoryAccess, quiet } of choice.paths) expect(directoryAccess !== 0 || quiet).toBe(true);
      for (const { access, quiet } of choice.ports) expect(access !== 0 || quiet).toBe(true);
      expect(new Set(choice.paths.map((rule) => rule.path)).size).toBe(choice.paths.length);
      expect(new Set(choice.ports.map((rule) => rule.port)).size).toBe(choice.ports.length);
    }),
  );
});

test("nothing is granted that no rule names, except renames where no option denies files", () => {
  fc.assert(
    fc.property(requests, abis, (request, abi) => {
      const choice = bestEffort(request, abi);
      if (choice.kind !== "ruleset") return;
      const filesDenied = request.rules.length > 0 || request.denied.includes("files");
      const grantedOn = (subject: string): readonly RightName[] => [
        ...wishesOf(request)
          .filter(({ on }) => on.kind === "path" && on.path === subject)
          .flatMap(({ grants }) => grants),
        ...(subject === "/" && !filesDenied ? (["REFER"] as const) : []),
      ];
      for (const rule of choice.paths) expect(rule.directoryAccess & ~maskOf("fs", grantedOn(rule.path))).toBe(0);
      for (const rule of choice.ports) {
        const granted = [
          ...(request.bindTcp.includes(rule.port) ? options["--bind-tcp"].grants : []),
          ...(request.connectTcp.includes(rule.port) ? options["--connect-tcp"].grants : []),
          ...(request.bindUdp.includes(rule.port) ? options["--bind-udp"].grants : []),
          ...(request.connectUdp.includes(rule.port) ? options["--connect-udp"].grants : []),
          ...(request.connectUdp.length > 0 && rule.port === 0 ? (["BIND_UDP"] as const) : []),
        ];
        expect(rule.access & ~maskOf("net", granted)).toBe(0);
      }
    }),
  );
});

test("every right that the request denies is handled, dropped, or denied by the kernel anyhow", () => {
  fc.assert(
    fc.property(requests, abis, (request, abi) => {
      const choice = bestEffort(request, abi);
      const handled: readonly RightName[] = choice.kind === "ruleset" ? choice.handled : [];
      const dropped = choice.dropped.map(({ right }) => right);
      const wanted = wishesOf(request)
        .flatMap(({ area }) => areaRights[area])
        .filter((right) => ["fs", "net", "scope"].includes(rightOf(right).kind));
      const anyhow = abi === 1 ? ["REFER"] : [];
      for (const right of wanted) expect([...handled, ...dropped, ...anyhow]).toContain(right);
      for (const right of dropped) expect(handled).not.toContain(right);
    }),
  );
});

test("the order of the rules changes no mask", () => {
  fc.assert(
    fc.property(requests, abis, (request, abi) => {
      const reversed: RulesetRequest = {
        rules: request.rules.toReversed(),
        unixSockets: request.unixSockets.toReversed(),
        bindTcp: request.bindTcp.toReversed(),
        connectTcp: request.connectTcp.toReversed(),
        bindUdp: request.bindUdp.toReversed(),
        connectUdp: request.connectUdp.toReversed(),
        scopes: request.scopes.toReversed(),
        quiet: {
          paths: request.quiet.paths.toReversed(),
          ports: request.quiet.ports.toReversed(),
          scopes: request.quiet.scopes.toReversed(),
        },
        log: request.log.toReversed(),
        denied: request.denied.toReversed(),
        leftAlone: request.leftAlone,
      };
      expect(masks(bestEffort(reversed, abi))).toEqual(masks(bestEffort(request, abi)));
    }),
  );
});

test("naming everything twice changes nothing", () => {
  const twice = <Item>(items: readonly Item[]) => [...items, ...items];
  fc.assert(
    fc.property(requests, abis, (request, abi) => {
      const doubled: RulesetRequest = {
        rules: twice(request.rules),
        unixSockets: twice(request.unixSockets),
        bindTcp: twice(request.bindTcp),
        connectTcp: twice(request.connectTcp),
        bindUdp: twice(request.bindUdp),
        connectUdp: twice(request.connectUdp),
        scopes: twice(request.scopes),
        quiet: {
          paths: twice(request.quiet.paths),
          ports: twice(request.quiet.ports),
          scopes: twice(request.quiet.scopes),
        },
        log: twice(request.log),
        denied: twice(request.denied),
        leftAlone: request.leftAlone,
      };
      expect(bestEffort(doubled, abi)).toEqual(bestEffort(request, abi));
    }),
  );
});

test("required gives what best-effort gives, or refuses exactly when something would be dropped", () => {
  fc.assert(
    fc.property(requests, abis, (request, abi) => {
      const choice = bestEffort(request, abi);
      const required = () => chooseRuleset(request, abi, "required");
      if (choice.dropped.length > 0) expect(required).toThrow(expect.objectContaining({ code: "FENCE_LANDLOCK_ABI" }));
      else expect(required()).toEqual({ ...choice, mode: "required" });
    }),
  );
});
