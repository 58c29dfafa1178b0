/**
 * What is in a sandbox before the policy names anything: system directories, devices, a /tmp of its own, no sockets.
 *
 * Runs:     host. Pure.
 * Promises: no socket of a service is shown by default where fence knows of it.
 * Source:   docs/mounts.md
 */
import { isWithin } from "../base/paths.ts";
import * as defaults from "./mount-defaults.ts";
import { baseOf, claim, claimLinks, type Draft, existing, note, type Wish } from "./mount-draft.ts";
import { childOf, followPath } from "./mount-paths.ts";

/** /tmp as the host means it: nothing is mounted through a symlink. */
export function temporaryPlace({ view }: Pick<Draft, "view">): string {
  const resolved = followPath(view, "/tmp");
  return resolved?.entry?.type === "directory" ? resolved.path : "/tmp";
}

export function claimBase(draft: Draft): void {
  if (baseOf(draft) === "nothing") claimReadable(draft);
  claimDevicesAndProc(draft);
  const place = temporaryPlace(draft);
  draft.claims.push({ ...byDefault("private", "temporary", "default: /tmp"), path: place, type: "directory" });
  if (place !== "/tmp")
    claimLinks(draft, followPath(draft.view, "/tmp")?.links ?? [], byDefault("link", "temporary", "default: /tmp"));
  if (!draft.policy.network.allowAllUnixSockets) hideSockets(draft);
  showNeeded(draft);
}

function claimReadable(draft: Draft): void {
  const { strictDenyRead } = draft.policy.filesystem;
  const key = strictDenyRead ? "filesystem.strictDenyRead" : "filesystem.defaultDenyRead";
  const wish = byDefault("show", "base", `${key}: what is readable all the same`);
  if (strictDenyRead) return;
  for (const path of defaults.readableByDefault) show(draft, path, wish);
  const { home } = draft.facts;
  for (const path of [home, "/run", "/var/run"]) {
    const place = existing(draft, path);
    if (place?.entry?.type !== "directory") continue;
    claim(draft, place, { ...wish, effect: "exist" });
    claimLinks(draft, place.links, wish);
  }
  for (const path of presentInHome(draft, defaults.readableInHome)) show(draft, path, wish);
}

function claimDevicesAndProc(draft: Draft): void {
  const isHost = draft.policy.devices.mode === "host";
  const devices = byDefault(isHost ? "show-devices" : "dev", "devices", `devices.mode "${draft.policy.devices.mode}"`);
  draft.claims.push({ ...devices, path: "/dev", type: "directory" });
  draft.claims.push({ ...byDefault("proc", "devices", "default: /proc"), path: "/proc", type: "directory" });
}

function hideSockets(draft: Draft): void {
  const wish = byDefault("hide", "base", "default: sockets of services are not shown (network.allowUnixSockets)");
  const { environment, home, uid } = draft.facts;
  const runtime = environment["XDG_RUNTIME_DIR"];
  const usual = draft.view.present("/", [...defaults.socketDirectories, ...defaults.socketDirectoriesOf(uid)]);
  for (const path of isUsable(runtime, home) ? [...usual, runtime] : usual) {
    const place = existing(draft, path);
    if (place?.entry?.type === "directory") claim(draft, place, wish);
  }
  const inHome = presentInHome(draft, defaults.socketFilesInHome);
  const named = defaults.socketVariables.flatMap((name) => socketsIn(environment[name]));
  for (const path of [...draft.view.present("/", defaults.socketFiles), ...inHome, ...named]) {
    const place = existing(draft, path);
    if (place?.entry?.type === "socket") claim(draft, place, wish);
  }
}

function presentInHome({ view, facts: { home } }: Draft, names: readonly string[]): readonly string[] {
  const place = followPath(view, home);
  if (place?.entry?.type !== "directory") return [];
  return view.present(place.path, names).map((name) => childOf(home, name));
}

/** A directory of its own, not one that hiding would make useless. */
function isUsable(directory: string | undefined, home: string): directory is string {
  return directory?.startsWith("/") === true && !isWithin(home, directory);
}

function socketsIn(value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  const paths = value.matchAll(/(?:^|;|,)\s*(?:unix:(?:path=|\/\/)?)?(?<path>\/[^,;:]*)/g);
  return [...paths].map(({ groups }) => groups?.["path"] ?? "").filter((path) => path.length > 1);
}

/** What would be missed in what is hidden or not shown. */
function showNeeded(draft: Draft): void {
  const { view } = draft;
  for (const path of view.present("/", defaults.filesBehindLinks))
    show(draft, path, byDefault("show", "resolver", `default: ${path} leads there`));
  for (const path of view.present("/", defaults.neededInRun))
    show(draft, path, byDefault("show", "base", `default: ${path}`));
  showWindows(draft);
}

/** The socket in /run/WSL starts Windows programs, which nothing confines. */
function showWindows(draft: Draft): void {
  const { wslInterop } = draft.policy.filesystem;
  const key = "filesystem.wslInterop";
  if (wslInterop === null && existing(draft, "/run/WSL") !== null)
    note(draft, key, "Windows programs cannot be started; with true they could, and would run outside of the sandbox");
  if (wslInterop !== true) return;
  for (const path of ["/init", "/run/WSL"])
    show(draft, path, { ...byDefault("show", "rebind", key), isDefault: false });
}

function show(draft: Draft, path: string, wish: Wish): void {
  const place = existing(draft, path);
  if (place === null) return;
  claim(draft, place, wish);
  claimLinks(draft, place.links, wish);
}

function byDefault(effect: Wish["effect"], phase: Wish["phase"], because: string): Wish {
  return { effect, phase, because, isDefault: true };
}
