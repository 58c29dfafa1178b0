/**
 * The options of `fence run`.
 *
 * Runs:     host. Pure.
 * Promises: words of bwrap, landrun and the Go fence mean here what they mean there, or are refused with what to write.
 * Source:   docs/run.md
 */
import type { OptionKind, OptionTable, OptionText } from "../base/command-line.ts";
import { templateNames } from "../config/templates.ts";

const optionKinds = {
  settings: "once",
  template: "once",
  publish: "many",
  "local-port": "many",
  "http-proxy": "once",
  "socks-proxy": "once",
  "allow-domain": "many",
  "deny-domain": "many",
  "allow-read": "many",
  "allow-execute": "many",
  "allow-write": "many",
  "deny-read": "many",
  "deny-write": "many",
  mask: "many",
  env: "many",
  "unset-env": "many",
  "clear-env": "flag",
  chdir: "once",
  command: "once",
  isolation: "once",
  backend: "once",
  "no-fast-path": "flag",
  "force-new-session": "flag",
  verify: "flag",
  "dry-run": "flag",
  json: "flag",
  "linux-features": "flag",
  "status-fd": "once",
  "fence-log-file": "once",
  monitor: "flag",
  debug: "flag",
  help: "flag",
} as const satisfies Record<string, OptionKind>;

export type RunOption = keyof typeof optionKinds;

const shortOptions = {
  s: "settings",
  t: "template",
  p: "publish",
  m: "monitor",
  d: "debug",
  c: "command",
  h: "help",
} as const satisfies Record<string, RunOption>;

const readOnly = "--allow-read PATH: read, list and execute; --allow-execute PATH: read and execute, not list";
const readWrite = "--allow-write PATH: read, write and execute";

/** Words that others use, or that `fence bootstrap` uses for other rights. */
const elsewhere = {
  "--ro": readOnly,
  "--rox": readOnly,
  "--rw": readWrite,
  "--rwx": readWrite,
  "--ro-bind": readOnly,
  "--bind": readWrite,
  "--expose-host-path": readOnly,
  "--expose-host-path-rw": readWrite,
  "--port": "--publish PORT, -p PORT",
  "--setenv": "--env NAME=VALUE",
  "--unsetenv": "--unset-env NAME",
  "--clearenv": "--clear-env",
  "--new-session": "--force-new-session",
  "--list-templates": "fence config templates",
  "-v": "fence --version",
} as const;

export const isolationWords = ["strict", "best-effort"] as const;
export const backends = ["bwrap", "landlock"] as const;

/** In the order of docs/run.md. */
const texts: Readonly<Record<RunOption, OptionText>> = {
  settings: { value: "FILE", says: "read this settings file instead of the one that is found", words: "files" },
  template: { value: "NAME", says: "use this template and no file", words: templateNames },
  "allow-read": { value: "PATH", says: "read, list and execute PATH", words: "files" },
  "allow-execute": { value: "PATH", says: "read and execute PATH, without listing its directory", words: "files" },
  "allow-write": { value: "PATH", says: "write PATH, and read and execute it", words: "files" },
  "deny-read": { value: "PATH", says: "hide PATH, whatever else allows it", words: "files" },
  "deny-write": { value: "PATH", says: "keep PATH as it is, whatever else allows writing", words: "files" },
  mask: { value: "PATH", says: "put an empty file or an empty directory in the place of PATH", words: "files" },
  "allow-domain": { value: "HOST", says: "reach HOST: example.com or *.example.com" },
  "deny-domain": { value: "HOST", says: "never reach HOST" },
  "local-port": { value: "PORT", says: "reach PORT of the host's loopback on the sandbox's own" },
  publish: {
    value: "[ADDR:][HOSTPORT:]PORT",
    says: "let the host reach PORT of the sandbox, at 127.0.0.1 or ADDR; HOSTPORT 0 is any free one",
  },
  "http-proxy": { value: "ADDR", says: "reach hosts through this HTTP proxy, which decides about them" },
  "socks-proxy": { value: "ADDR", says: "reach hosts through this SOCKS5 proxy, which decides about them" },
  env: { value: "NAME=VALUE", says: "set a variable of the program" },
  "unset-env": { value: "NAME", says: "remove a variable of the program" },
  "clear-env": { value: "", says: "start from no variables instead of the inherited ones" },
  chdir: { value: "DIR", says: "start the program in DIR of the sandbox", words: "directories" },
  command: { value: "COMMAND", says: "run COMMAND with the sandbox's own shell instead of a program" },
  isolation: { value: "strict|best-effort", says: "what to do when a layer cannot be had", words: isolationWords },
  backend: { value: "bwrap|landlock", says: "how to confine; landlock does without namespaces", words: backends },
  "force-new-session": { value: "", says: "give the program a session of its own: no Ctrl-C, no job control" },
  "no-fast-path": { value: "", says: "let a Node in the sandbox set it up and relay; slower, otherwise the same" },
  verify: {
    value: "",
    says: "let a throw-away child try the restrictions before the program starts; implies --no-fast-path",
  },
  "dry-run": { value: "", says: "say what would be done, and do nothing" },
  json: { value: "", says: "with --dry-run or --linux-features: as one JSON object" },
  "linux-features": { value: "", says: "do what fence check does" },
  "status-fd": { value: "N", says: "report as JSON lines on this descriptor, 3 or more" },
  monitor: { value: "", says: "say what was denied, as it happens" },
  debug: { value: "", says: "say what is done" },
  "fence-log-file": { value: "FILE", says: "write what --monitor and --debug say to FILE", words: "files" },
  help: { value: "", says: "list the options" },
};

export const runOptions: OptionTable<RunOption> = { kinds: optionKinds, short: shortOptions, elsewhere, texts };
