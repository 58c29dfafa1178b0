/**
 * What a JSON plan says: the one source of its types, its validation and the published JSON Schema.
 *
 * Runs:     sandbox. Pure.
 * Promises: an absent key means what the absent option means.
 * Source:   docs/plan.md
 */
import { maxDescriptor, variableName } from "../base/option-values.ts";
import { addressPattern, descriptorPattern, parseAddress, parseListenAddress } from "../bridge/address.ts";
import { maxBridges } from "../bridge/bridge-set.ts";
import { accessWords, logWords, scopeWords } from "../landlock/options.ts";
import {
  absolutePath,
  checked,
  dictionary,
  exactly,
  flag,
  type Infer,
  integer,
  type JsonSchema,
  list,
  mismatch,
  optional,
  orNone,
  record,
  required,
  type Schema,
  secretText,
  text,
  textAs,
  word,
} from "../plan/schema.ts";
import { defaultNoProxy, deniedAreas, deniedSockets, landlockModes, seccompModes } from "./request.ts";
import { resourceLimits } from "./resource-limits.ts";

/** RLIM_INFINITY, getrlimit(2). */
const infinity = 2n ** 64n - 1n;
/** Of a resource limit: JSON has no exact numbers above it. */
export const maxLimit = Number.MAX_SAFE_INTEGER;
export const maxPort = 65535;

const address = textAs(parseAddress, addressPattern);
const listenAddress = textAs(parseListenAddress, `${addressPattern}|${descriptorPattern}`);
const name = textAs(variableName, "^[^=\\x00]+$");
const host: Schema<string> = {
  parse(value, where) {
    const given = text.parse(value, where);
    if (given !== "" && !given.includes(",")) return given;
    throw mismatch(where, "one host, without a comma", given);
  },
  describe: () => ({ type: "string", pattern: "^[^,\\x00]+$" }),
};
const umask: Schema<number> = {
  parse(value, where) {
    const digits = text.parse(value, where);
    if (/^0?[0-7]{1,3}$/.test(digits)) return Number.parseInt(digits, 8);
    throw mismatch(where, 'octal digits such as "022"', digits);
  },
  describe: () => ({ type: "string", pattern: "^0?[0-7]{1,3}$" }),
};
const limitNumber = integer(0, maxLimit);
const limitValue: Schema<bigint> = {
  parse(value, where) {
    if (value === "unlimited") return infinity;
    if (typeof value === "string") throw mismatch(where, 'a number or "unlimited"', value);
    return BigInt(limitNumber.parse(value, where));
  },
  describe: () => ({ anyOf: [limitNumber.describe(), { const: "unlimited" }] }),
};

const bridge = record({
  listen: required(
    listenAddress,
    "Where connections are accepted: tcp:HOST:PORT on loopback, unix:PATH, or fd:N, a descriptor that listens already.",
  ),
  connect: required(address, "Where each connection is relayed to: tcp:HOST:PORT or unix:PATH."),
  acknowledge: optional(
    flag,
    false,
    "Whether a client is sent one byte, ASCII ACK, before all others when that is reached.",
  ),
});
const limit = checked(
  record({
    soft: required(limitValue, "The limit that holds; at most the hard one."),
    hard: required(limitValue, "How far the program may raise the soft limit."),
  }),
  ({ soft, hard }) => (soft > hard ? ".soft must not be above its hard limit" : null),
);
const rule = record({
  access: required(word(accessWords), "Read (ro), and execute (rox); read and write (rw), and execute (rwx)."),
  path: required(absolutePath, "A file, or a directory with all beneath it."),
});

const quiet = record({
  paths: optional(list(absolutePath), [], "Denials at these files and beneath these directories."),
  ports: optional(list(integer(0, maxPort)), [], "Denials for these ports."),
  scopes: optional(list(word(scopeWords)), [], "Denials by these scopes."),
});

const launcher = record({
  control: required(integer(3, maxDescriptor), "The descriptor that leads to the front, the process that was started."),
  standardError: optional(orNone(integer(3, maxDescriptor)), null, "The program's standard error; null: as inherited."),
  closedStreams: optional(list(integer(0, 2), 3), [], "The standard streams that the program is to find closed."),
  blockedSignals: required(list(integer(1, 64), 64), "The signals that the program is to find blocked."),
  ignoredSignals: required(list(integer(1, 64), 64), "Those that it is to find ignored."),
  denied: optional(list(word(deniedAreas)), [], "What Landlock denies even where no rule names a part of it."),
  exactPaths: optional(flag, false, "Whether a rule is skipped whose path leads elsewhere, through a symlink."),
  bindsAnyPort: optional(flag, false, "Whether TCP ports to listen on stay free where ports to connect to are denied."),
  deniedSockets: optional(list(word(deniedSockets)), [], "Sockets that the system call filter denies."),
});

export const planSchema = record({
  version: required(exactly(1), "The version of this format."),
  bridges: optional(list(bridge, maxBridges), [], "Relays that the program reaches at their listeners."),
  nonLoopbackListeners: optional(flag, false, "Whether bridges may listen beyond loopback, where others can connect."),
  httpProxy: optional(orNone(address), null, "An HTTP proxy: a bridge on 127.0.0.1:3128, and HTTP_PROXY, HTTPS_PROXY."),
  socksProxy: optional(orNone(address), null, "A SOCKS proxy: a bridge on 127.0.0.1:1080, and ALL_PROXY."),
  noProxy: optional(list(host), defaultNoProxy.split(","), "Hosts that are reached without a proxy: NO_PROXY."),
  allProxy: optional(flag, true, "Whether ALL_PROXY announces the SOCKS proxy."),
  env: optional(dictionary(name, secretText), {}, "Variables to set. Their values are in no message."),
  unsetEnv: optional(list(name), [], "Variables to remove, fence's own too."),
  clearEnv: optional(flag, false, "Whether nothing is inherited."),
  chdir: optional(orNone(absolutePath), null, "The program's working directory."),
  umask: optional(orNone(umask), null, "The program's umask, in octal digits."),
  rlimits: optional(dictionary(word(resourceLimits), limit), {}, "Resource limits of the program, see getrlimit(2)."),
  capabilities: optional(word(["keep", "drop"]), "keep", "Whether the program loses all capabilities."),
  rules: optional(list(rule), [], "Landlock file rules: with any, what no rule names is out of reach."),
  unixSockets: optional(
    list(absolutePath),
    [],
    "Unix sockets, or directories with some, to connect to: and to no other.",
  ),
  bindTcp: optional(
    list(integer(0, maxPort)),
    [],
    "TCP ports to listen on, and no other; 0 is any that the kernel picks.",
  ),
  connectTcp: optional(list(integer(1, maxPort)), [], "TCP ports to connect to, and no other but those of bridges."),
  bindUdp: optional(
    list(integer(0, maxPort)),
    [],
    "UDP ports to receive on, and no other; 0 is any that the kernel picks.",
  ),
  connectUdp: optional(list(integer(1, maxPort)), [], "UDP ports to send to, and no other."),
  scopes: optional(list(word(scopeWords)), [], "What ends at the sandbox: signals, abstract Unix sockets."),
  quiet: optional(quiet, {}, "What the kernel's audit log leaves out."),
  landlockLog: optional(list(word(logWords)), [], "Flags of landlock_restrict_self(2) for the kernel's audit log."),
  landlock: optional(word(landlockModes), "required", "What to do when the kernel has less Landlock than is needed."),
  ignoreMissing: optional(flag, false, "Whether rules for paths that do not exist are skipped."),
  seccomp: optional(word(seccompModes), "default", "The system call filter."),
  init: optional(flag, false, "Whether fence stays as a reaper and signal forwarder, for PID 1 of a container."),
  verify: optional(flag, false, "Whether a throw-away child tries the restrictions before the program starts."),
  launcher: optional(orNone(launcher), null, "What fence run needs of its sandbox: not for others."),
  program: optional(list(text), [], "The program and its arguments, unless the command line names them."),
});

export type JsonPlan = Infer<typeof planSchema>;

/** docs/plan.schema.json. */
export function planJsonSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "urn:fence:bootstrap-plan:1",
    title: "A plan of fence bootstrap",
    description: "What --plan and --plan-fd read. docs/plan.md explains the keys, and what a schema cannot say.",
    ...planSchema.describe(),
  };
}
