/**
 * Chooses the Landlock ruleset for one ABI.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: grants nothing that no rule names (but for the local port of who sends by UDP), and takes nothing that no
 *           option denies; lists every right that the kernel is too old for, or throws FENCE_LANDLOCK_ABI when the mode
 *           is `required`.
 * Source:   https://docs.kernel.org/userspace-api/landlock.html
 */
import { FenceError } from "../base/errors.ts";
import { linuxOf, maskOf, type RightKind, type RightName, rightOf, rights } from "./abi.ts";
import { areaRights } from "./options.ts";
import { type Cause, type RulesetRequest, type Wish, wishesOf } from "./request.ts";

export type LandlockMode = "required" | "best-effort" | "off";

/** A right that the kernel is too old for. */
export interface MissingRight {
  readonly right: RightName;
  readonly neededBy: Cause;
  readonly firstAbi: number;
}

export interface PathRule {
  readonly path: string;
  /** What to allow when the path is a directory. */
  readonly directoryAccess: number;
  /** What to allow when it is anything else, where the kernel takes fewer rights. 0: no rule is possible. */
  readonly fileAccess: number;
  /** Denials here are left out of the kernel's audit log; a rule may do only that. */
  readonly quiet: boolean;
  /** Who named the path. */
  readonly causes: readonly Cause[];
}

export interface PortRule {
  readonly port: number;
  readonly access: number;
  readonly quiet: boolean;
}

interface Facts {
  readonly mode: LandlockMode;
  /** The kernel's, 0 when it has no Landlock. It may be newer than the table, of which all is then used. */
  readonly abi: number;
  /** To be denied, but allowed by this kernel: protection that is gone. And what was to change its audit log. */
  readonly dropped: readonly MissingRight[];
  /** To be allowed, but denied by this kernel: no protection is gone, the program may miss it. */
  readonly unavailable: readonly MissingRight[];
}

/** What landlock_create_ruleset(2) takes. */
export interface RulesetMasks {
  readonly handledFs: number;
  readonly handledNet: number;
  readonly scoped: number;
  /** Of what is handled, what a quiet rule keeps out of the audit log; scopes need no rule. */
  readonly quietFs: number;
  readonly quietNet: number;
  readonly quietScoped: number;
}

export interface Ruleset extends Facts, RulesetMasks {
  readonly kind: "ruleset";
  readonly handled: readonly RightName[];
  /** For landlock_restrict_self(2). */
  readonly restrictFlags: number;
  readonly paths: readonly PathRule[];
  readonly ports: readonly PortRule[];
}

/** `none`: nothing was asked for, or nothing of it is known to this kernel, so there is nothing to enforce. */
export type RulesetChoice = Ruleset | (Facts & { readonly kind: "none" | "off" });

/** `kernelAbi` is landlockAbi()'s answer: 0 or less stands for a kernel without Landlock. */
export function chooseRuleset(request: RulesetRequest, kernelAbi: number, mode: LandlockMode): RulesetChoice {
  const abi = Math.max(0, kernelAbi);
  if (mode === "off") return { kind: "off", mode, abi, dropped: [], unavailable: [] };

  const asked = wishesOf(request);
  const dropped = missing(asked, (wish) => areaRights[wish.area], abi).filter(({ right }) => !deniedAnyhow(right, abi));
  if (mode === "required" && dropped.length > 0) throw abiError(dropped, abi);
  const unavailable = missing(asked, (wish) => wish.grants, abi).filter(({ right }) => deniedAnyhow(right, abi));

  const wishes = [...asked, ...renamesLeftAlone(asked, abi)];
  const wanted = new Set(wishes.flatMap((wish) => [...areaRights[wish.area], ...wish.grants]));
  const known = rights.filter(
    ({ name, firstAbi }) => firstAbi <= abi && wanted.has(name) && !request.leftAlone.includes(name),
  );
  const handled = known.filter(({ kind }) => isHandled.has(kind)).map(({ name }) => name);
  const facts = { mode, abi, dropped, unavailable };
  if (handled.length === 0) return { kind: "none", ...facts };
  const names = known.map(({ name }) => name);
  return {
    kind: "ruleset",
    ...facts,
    handled,
    handledFs: maskOf("fs", handled),
    handledNet: maskOf("net", handled),
    scoped: maskOf("scope", handled),
    restrictFlags: maskOf("restrict-flag", names),
    ...rulesOf(wishes, handled, names.includes("QUIET")),
  };
}

/** The kinds of what a ruleset denies. */
const isHandled: ReadonlySet<RightKind> = new Set<RightKind>(["fs", "net", "scope"]);

/** The kernel takes a quiet rule only in a ruleset that has something to be quiet about. */
function rulesOf(wishes: readonly Wish[], handled: readonly RightName[], knowsQuiet: boolean) {
  const quiet = knowsQuiet ? wishes.filter(({ area }) => area === "quiet") : [];
  const about = (kind: Wish["on"]["kind"]) => quiet.some(({ on }) => on.kind === kind);
  const quietFs = about("path") ? maskOf("fs", handled) : 0;
  const quietNet = about("port") ? maskOf("net", handled) : 0;
  const scopes = quiet.flatMap(({ on }) => (on.kind === "scope" ? areaRights[on.scope] : []));
  return {
    quietFs,
    quietNet,
    quietScoped: maskOf("scope", scopes) & maskOf("scope", handled),
    paths: pathRules(wishes, handled, quietFs !== 0),
    ports: portRules(wishes, handled, quietNet !== 0),
  };
}

/** Every ruleset that handles any file right denies REFER, also where it cannot be named yet (ABI 1), landlock(7). */
function deniedAnyhow(right: RightName, abi: number): boolean {
  return right === "REFER" && abi >= 1;
}

/** Because of the same, a ruleset for Unix sockets alone would stop renames that no option speaks of. */
function renamesLeftAlone(asked: readonly Wish[], abi: number): readonly Wish[] {
  const has = (area: Wish["area"]) => asked.some((wish) => wish.area === area);
  if (!has("unix-sockets") || has("files") || rightOf("RESOLVE_UNIX").firstAbi > abi) return [];
  return [{ cause: "fence", area: "unix-sockets", grants: ["REFER"], on: { kind: "path", path: "/" } }];
}

/** Each right of `rightsOf` that the kernel is too old for, once, with the first who needs it. */
function missing(
  wishes: readonly Wish[],
  rightsOf: (wish: Wish) => readonly RightName[],
  abi: number,
): readonly MissingRight[] {
  const found = new Map<RightName, MissingRight>();
  for (const wish of wishes) {
    for (const right of rightsOf(wish)) {
      const { firstAbi } = rightOf(right);
      if (firstAbi > abi && !found.has(right)) found.set(right, { right, neededBy: wish.cause, firstAbi });
    }
  }
  return [...found.values()];
}

/** One rule a path: what any option grants on it, as far as it is handled. */
function pathRules(wishes: readonly Wish[], handled: readonly RightName[], canBeQuiet: boolean): readonly PathRule[] {
  const named = wishes.flatMap(({ on, ...wish }) => (on.kind === "path" ? [{ path: on.path, ...wish }] : []));
  return [...Map.groupBy(named, ({ path }) => path)].flatMap(([path, same]) => {
    const granted = handled.filter((right) => same.some(({ grants }) => grants.includes(right)));
    const quiet = canBeQuiet && same.some(({ area }) => area === "quiet");
    if (granted.length === 0 && !quiet) return [];
    const onAnyFile = granted.filter((right) => rightOf(right).rule === "any-file");
    const causes = [...new Set(same.map(({ cause }) => cause))];
    return { path, directoryAccess: maskOf("fs", granted), fileAccess: maskOf("fs", onAnyFile), quiet, causes };
  });
}

/** One rule a port. */
function portRules(wishes: readonly Wish[], handled: readonly RightName[], canBeQuiet: boolean): readonly PortRule[] {
  const named = wishes.flatMap(({ on, ...wish }) => (on.kind === "port" ? [{ port: on.port, ...wish }] : []));
  return [...Map.groupBy(named, ({ port }) => port)].flatMap(([port, same]) => {
    const granted = handled.filter((right) => same.some(({ grants }) => grants.includes(right)));
    const quiet = canBeQuiet && same.some(({ area }) => area === "quiet");
    return granted.length === 0 && !quiet ? [] : { port, access: maskOf("net", granted), quiet };
  });
}

function abiError(dropped: readonly MissingRight[], abi: number): FenceError {
  const worst = dropped.reduce((most, next) => (next.firstAbi > most.firstAbi ? next : most));
  const needs = `${worst.neededBy} needs Landlock ABI ${worst.firstAbi} (${worst.right})`;
  const linux = linuxOf(worst.firstAbi);
  const enable =
    abi === 0
      ? `enable Landlock in the kernel's lsm= list (Linux ${linux} or newer), allow it in the container's seccomp profile`
      : `use Linux ${linux} or newer`;
  return new FenceError("FENCE_LANDLOCK_ABI", `${needs}, this kernel has ${abi === 0 ? "no Landlock" : `ABI ${abi}`}`, {
    step: "enforce-landlock",
    hint: `${enable}, or accept less with --landlock=best-effort (in a plan "landlock": "best-effort")`,
  });
}
