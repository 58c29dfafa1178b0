/**
 * The options of `fence run`.
 *
 * Runs:     host. Pure.
 * Promises: words of bwrap, landrun and the Go fence mean here what they mean there, or are refused with what to write.
 * Source:   docs/run.md
 */
import type { OptionKind, OptionTable } from "../base/command-line.ts";

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

export const runOptions: OptionTable<RunOption> = { kinds: optionKinds, short: shortOptions, elsewhere };
