/**
 * The options of `fence bootstrap`.
 *
 * Runs:     sandbox. Pure.
 * Source:   docs/options.md
 */
import { optionNames as namesOf, type OptionKind, type OptionTable } from "../base/command-line.ts";

const optionKinds = {
  plan: "once",
  "plan-fd": "once",
  bridge: "many",
  "allow-non-loopback": "flag",
  "http-proxy": "once",
  "socks-proxy": "once",
  "no-proxy": "once",
  "no-all-proxy": "flag",
  env: "many",
  "unset-env": "many",
  "clear-env": "flag",
  chdir: "once",
  ro: "many",
  rox: "many",
  rw: "many",
  rwx: "many",
  unix: "many",
  "bind-tcp": "many",
  "connect-tcp": "many",
  "bind-udp": "many",
  "connect-udp": "many",
  scope: "many",
  quiet: "many",
  "landlock-log": "many",
  landlock: "once",
  "ignore-missing": "flag",
  seccomp: "once",
  init: "flag",
  verify: "flag",
  "status-fd": "once",
  debug: "flag",
  help: "flag",
} as const satisfies Record<string, OptionKind>;

export type OptionName = keyof typeof optionKinds;

export const bootstrapOptions: OptionTable<OptionName> = { kinds: optionKinds, short: {}, elsewhere: {}, texts: {} };

export const optionNames = namesOf(bootstrapOptions);
