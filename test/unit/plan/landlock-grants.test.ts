import fc from "fast-check";
import { expect, test } from "vitest";
import { isWithin } from "../../../src/base/paths.ts";
import { grantsWithoutMounts, mostGrants } from "../../../src/plan/landlock-grants.ts";
import type { GrantedPath } from "../../../src/plan/mounts.ts";
import { failure } from "../../kit/errors.ts";
import { factsOf, hostOf, type Tree } from "../../kit/hosts.ts";
import { merged } from "../../kit/odd-hosts.ts";
import { type PolicyParts, policyOf } from "../../kit/policies.ts";

const work = "/home/u/work";

function granted(tree: Tree, parts: PolicyParts) {
  const { grants, notes } = grantsWithoutMounts(policyOf(parts), factsOf(), hostOf({ ...merged, ...tree }));
  return { grants, says: notes.map(({ says }) => says).join("\n"), may: (path: string) => rights(grants, path) };
}

/** As Landlock: what any rule on a directory above grants. */
function rights(grants: readonly GrantedPath[], path: string): string {
  const all = grants
    .filter((grant) => isWithin(path, grant.path))
    .map(({ access }) => access)
    .join("");
  return ["r", "w", "x"].filter((right) => (right === "x" ? /x/ : right === "w" ? /w/ : /r/).test(all)).join("");
}

test("without denials the root is one rule, and what is writable another", () => {
  const { grants, may } = granted({}, { filesystem: { allowWrite: [work] } });
  expect(grants).toContainEqual({ access: "rox", path: "/" });
  expect(may(`${work}/main.c`)).toBe("rwx");
  expect(may("/usr/bin/dash")).toBe("rx");
  expect(may("/dev/null")).toBe("rwx");
  expect(may("/tmp/x")).toBe("rx");
});

test("beside what is denied everything is granted one by one, and symlinks are not", () => {
  const tree = { "/home/u/.ssh/id": "", "/home/u/a/x": "", "/home/v/x": "", "/home/u/link": "-> .ssh" };
  const { grants, may } = granted(tree, { filesystem: { denyRead: ["/home/u/.ssh"], allowWrite: [work] } });
  expect(may("/home/u/.ssh/id")).toBe("");
  for (const path of ["/home/u/a/x", "/home/v/x", "/usr/bin/dash"]) expect(may(path)).toBe("rx");
  expect(may(`${work}/main.c`)).toBe("rwx");
  expect(grants.map(({ path }) => path)).not.toContain("/home/u/link");
});

test("a narrower grant in what is denied is granted", () => {
  const tree = { "/home/u/a/b/x": "", "/home/u/a/y": "" };
  const { may } = granted(tree, { filesystem: { denyRead: ["/home/u/a"], allowRead: ["/home/u/a/b"] } });
  expect([may("/home/u/a/b/x"), may("/home/u/a/y")]).toEqual(["rx", ""]);
});

test("what rules cannot express is said", () => {
  const tree = { [`${work}/.git/config`]: "", "/home/u/.netrc": "" };
  const filesystem = { allowWrite: [work], decoys: [{ path: "/home/u/.netrc", kind: "netrc" as const }] };
  const { says } = granted(tree, { filesystem, command: { deny: ["git push"] } });
  expect(says).toContain(`stays writable, since rules take nothing away below allowWrite: ${work}/.git/config`);
  expect(says).toContain("decoys need mounts");
  expect(says).toContain("checked only before the start");
  expect(says).toContain("sockets are not hidden");
});

test("too many rules are an error with the remedy", () => {
  const tree = Object.fromEntries(Array.from({ length: mostGrants + 1 }, (_, index) => [`/srv/many/${index}`, ""]));
  const error = failure(() => granted(tree, { filesystem: { denyRead: ["/srv/many/1"] } }));
  expect(error).toMatchObject({ code: "FENCE_MOUNTS" });
  expect(error.details.hint).toContain("defaultDenyRead");
});

test("no rule reaches what is denied, and all else that can be read without a denial still can", () => {
  const names = fc.constantFrom("a", "b", "c");
  const place = fc.array(names, { minLength: 1, maxLength: 3 }).map((parts) => `/srv/${parts.join("/")}`);
  fc.assert(
    fc.property(
      fc.array(place, { maxLength: 10 }),
      fc.array(place, { maxLength: 3 }),
      fc.array(place, { maxLength: 2 }),
      (paths, denyRead, allowWrite) => {
        const tree = Object.fromEntries(paths.map((path) => [`${path}/file`, ""]));
        const { may } = granted(tree, { filesystem: { denyRead, allowWrite } });
        for (const file of Object.keys(tree)) {
          const longest = (among: readonly string[]) =>
            Math.max(0, ...among.filter((path) => isWithin(file, path)).map((path) => path.length));
          const [denied, writable] = [longest(denyRead), longest(allowWrite)];
          expect(may(file)).toBe(denied > 0 && denied >= writable ? "" : writable > 0 ? "rwx" : "rx");
        }
      },
    ),
  );
});
