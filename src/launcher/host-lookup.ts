/**
 * Finds the addresses of a host: /etc/hosts, then DNS.
 *
 * Runs:     host.
 * Promises: never getaddrinfo(3), which may load the host's NSS modules, made for another C library than ours; ends after a
 *           few seconds whatever the servers do.
 * Source:   hosts(5), resolv.conf(5): search and ndots; RFC 6761 for localhost
 */
import { readFileSync } from "node:fs";
import { FenceError } from "../base/errors.ts";
import { parseAddress } from "../bridge/address.ts";

/** Addresses to try in order: IPv4, or IPv6 in its shortest form. Throws FENCE_RESOLVE. */
export type HostLookup = (name: string) => Promise<readonly string[]>;

export interface LookupFiles {
  readonly hosts: string;
  readonly resolver: string;
}

interface Resolver {
  resolve4(name: string): Promise<readonly string[]>;
  resolve6(name: string): Promise<readonly string[]>;
}

const systemFiles: LookupFiles = { hosts: "/etc/hosts", resolver: "/etc/resolv.conf" };
const maxFileBytes = 1 << 20;
const timeoutMs = 2500;
const tries = 2;
/** What DNS answers when there is nothing, as opposed to when it does not answer. */
const absences = ["ENOTFOUND", "ENODATA"];

/** Labels of letters, digits, `-` and `_`, and not a number at the end, which would be an address that is none. */
export function isHostName(text: string): boolean {
  const label = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
  return text.length <= 253 && new RegExp(`^${label}(?:\\.${label})*\\.?$`).test(text) && !/(?:^|\.)\d+\.?$/.test(text);
}

export async function lookUp(name: string, files = systemFiles, resolver?: Resolver): Promise<readonly string[]> {
  const plain = name.toLowerCase().replace(/\.$/, "");
  const listed = hostsAddresses(read(files.hosts), plain);
  if (listed.length > 0) return listed;
  if (plain === "localhost" || plain.endsWith(".localhost")) return ["127.0.0.1", "::1"];
  const asked = resolver ?? (await systemResolver());
  for (const candidate of candidates(name, read(files.resolver))) {
    const found = await ask(asked, candidate);
    if (found.length > 0) return found;
  }
  return [];
}

/** Loaded only when there is a name to be asked for. */
async function systemResolver(): Promise<Resolver> {
  const { Resolver } = await import("node:dns/promises");
  return new Resolver({ timeout: timeoutMs, tries });
}

/** In the order of the file. */
export function hostsAddresses(text: string, name: string): readonly string[] {
  const lines = text.split("\n").map((line) => line.replace(/#.*/, "").trim().split(/\s+/));
  const found = lines.flatMap(([address = "", ...names]) =>
    names.some((each) => each.toLowerCase() === name) ? canonical(address) : [],
  );
  return [...new Set(found)];
}

/** The names to ask for, in order: those with few dots are tried in the domains of the search list first. */
export function candidates(name: string, resolverFile: string): readonly string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const words = resolverFile.split("\n").map((line) => line.trim().split(/\s+/));
  const [, ...domains] = words.findLast(([key]) => key === "search" || key === "domain") ?? [];
  const options = words.filter(([key]) => key === "options").flat();
  const ndots = Number(options.findLast((word) => /^ndots:\d+$/.test(word))?.slice("ndots:".length) ?? 1);
  const searched = domains
    .filter((domain) => isHostName(domain))
    .map((domain) => `${name}.${domain.replace(/\.$/, "")}`);
  const dots = name.split(".").length - 1;
  return dots >= ndots ? [name, ...searched] : [...searched, name];
}

async function ask(resolver: Resolver, name: string): Promise<readonly string[]> {
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  if (found.length > 0) return [...new Set(found.flatMap(canonical))];
  const failed = answers.flatMap((answer) => (answer.status === "rejected" ? [answer.reason] : []));
  const error = failed.find(({ code }) => !absences.includes(code));
  if (error === undefined) return [];
  throw new FenceError("FENCE_RESOLVE", `cannot resolve ${name}: the DNS servers answered ${error.code}`, {
    step: "resolve",
    hint: "see /etc/resolv.conf, or name the proxy by its address, tcp:IP:PORT",
    cause: error,
  });
}

/** As bridges spell it; none for what is no address, or one of a zone. */
function canonical(text: string): readonly string[] {
  try {
    const address = parseAddress(`tcp:${text.includes(":") ? `[${text}]` : text}:1`, "an address");
    return address.kind === "tcp" ? [address.host] : [];
  } catch {
    return [];
  }
}

/** Empty when there is none. */
function read(path: string): string {
  try {
    const text = readFileSync(path, "utf8");
    return text.slice(0, maxFileBytes);
  } catch {
    return "";
  }
}
