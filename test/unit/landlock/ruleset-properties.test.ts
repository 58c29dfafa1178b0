import fc from "fast-check";
import { expect, test } from "vitest";
import { maskOf, newestAbi, type RightName, rights } from "../../../src/landlock/abi.ts";
import { accessWords, areaRights, options, scopeWords } from "../../../src/landlock/options.ts";
import { type RulesetRequest, wishesOf } from "../../../src/landlock/request.ts";
import { chooseRuleset, type RulesetChoice } from "../../../src/landlock/ruleset.ts";

const path = fc.constantFrom("/", "/usr", "/work", "/run/a.sock", "/dev/null");
const port = fc.constantFrom(0, 80, 443, 65535);
const requests: fc.Arbitrary<RulesetRequest> = fc.record({
  rules: fc.array(fc.record({ access: fc.constantFrom(...accessWords), path }), { maxLength: 6 }),
  unixSockets: fc.array(path, { maxLength: 3 }),
  bindTcp: fc.array(port, { maxLength: 3 }),
  connectTcp: fc.array(port, { maxLength: 3 }),
  scopes: fc.array(fc.constantFrom(...scopeWords), { maxLength: 2 }),
  denied: fc.array(fc.constantFrom("files", "unix-sockets", "tcp", "signal", "abstract-unix"), { maxLength: 2 }),
});
const abis = fc.integer({ min: -1, max: newestAbi + 2 });

/** Masks by what they are about; `where` is a field, a path or a port. */
function masks(choice: RulesetChoice): ReadonlyMap<string, number> {
  if (choice.kind !== "ruleset") return new Map();
  return new Map([
    ["fs", choice.handledFs],
    ["net", choice.handledNet],
    ["scoped", choice.scoped],
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

test("no rule is empty and no subject has two", () => {
  fc.assert(
    fc.property(requests, abis, (request, abi) => {
      const choice = bestEffort(request, abi);
      if (choice.kind !== "ruleset") return;
      for (const { directoryAccess } of choice.paths) expect(directoryAccess).not.toBe(0);
      for (const { access } of choice.ports) expect(access).not.toBe(0);
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
      const wanted = new Set(wishesOf(request).flatMap(({ area }) => areaRights[area]));
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
        scopes: request.scopes.toReversed(),
        denied: request.denied.toReversed(),
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
        scopes: twice(request.scopes),
        denied: twice(request.denied),
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
