/**
 * The values that a settings file holds: host patterns, paths, commands, proxies.
 *
 * Runs:     host. Pure.
 * Promises: what is read means one thing; what looks like something that fence does not do, such as `$HOME`, is refused;
 *           no message shows a proxy's password.
 * Source:   docs/configuration.md
 */
import { FenceError } from "../base/errors.ts";
import { maxPathBytes, mismatch, type Schema, text } from "../plan/schema.ts";

/** Of one list in one file. */
export const maxItems = 1000;
const maxTextBytes = 4096;

/** `mistake` says what a string must be that it is not. */
function checkedText(pattern: string, mistake: (given: string) => string | null): Schema<string> {
  return {
    parse(value, where) {
      const given = text.parse(value, where);
      if (Buffer.byteLength(given) > maxTextBytes) {
        throw mismatch(where, `a string of at most ${maxTextBytes} bytes`, given);
      }
      const expected = mistake(given);
      if (expected !== null) throw mismatch(where, expected, given);
      return given;
    },
    describe: () => ({ type: "string", pattern, maxLength: maxTextBytes }),
  };
}

const label = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
const hostName = `${label}(?:\\.${label})*`;
const domainPattern = `^(?:\\*|${hostName}|\\*\\.${label}(?:\\.${label})+)$`;
const domainExpression = new RegExp(domainPattern);
/** A host pattern's longest name, RFC 1035. */
const maxHostBytes = 255;

/** Read in lower case: names of hosts have no case. */
export const domain: Schema<string> = lowerCase(checkedText(domainPattern, domainMistake));

function domainMistake(given: string): string | null {
  if (given.length <= maxHostBytes && domainExpression.test(given)) return null;
  if (/^\*\.[^.]*$/.test(given)) return "a host pattern with at least two names behind *.";
  if (given.includes("://") || given.includes("/")) return "a host pattern, without a scheme or a path";
  if (given.includes(":")) return "a host pattern, without a port";
  if (/[^\0-\x7f]/.test(given)) return "a host pattern in ASCII, such as xn--bcher-kva.example";
  return "a host pattern: example.com, *.example.com or *";
}

function lowerCase(schema: Schema<string>): Schema<string> {
  return { ...schema, parse: (value, where) => schema.parse(value, where).toLowerCase() };
}

const sshHostExpression = /^[A-Za-z0-9._*?:%-]{1,255}$/;
/** Wildcards may stand anywhere: `prod-*`. */
export const sshHost: Schema<string> = lowerCase(
  checkedText(sshHostExpression.source, (given) =>
    sshHostExpression.test(given) ? null : "the name of a host, without a user, a port or a path",
  ),
);

export const command: Schema<string> = checkedText("\\S", (given) =>
  /\S/.test(given) ? null : "a command, such as git push",
);

/** `~`, `~/x`, `./x`, `x` and `/x`, with wildcards. */
export const pathPattern: Schema<string> = checkedText("^[^$\\x00]", patternMistake);

function patternMistake(given: string): string | null {
  if (given === "") return "a path";
  if (given.startsWith("$"))
    return "a path: variables are not expanded; ~ is the home directory, ./$ a name with a dollar";
  if (/^~[^/]/.test(given)) return "a path: of home directories only your own is known, as ~ or ~/";
  if (/[*?[].*\/\.\.(?:\/|$)/s.test(given)) return "a path without .. behind a wildcard";
  return Buffer.byteLength(given) > maxPathBytes ? `a path of at most ${maxPathBytes} bytes` : null;
}

/** The same without wildcards. */
export const plainPath: Schema<string> = checkedText("^[^$*?\\[\\x00][^*?\\[\\x00]*$", (given) =>
  /[*?[]/.test(given) ? "a path without wildcards" : patternMistake(given),
);

/** Below /dev. */
export const devicePath: Schema<string> = checkedText("^/dev/[^\\x00]", (given) => {
  if (given.startsWith("/dev/") && !given.split("/").includes("..") && /[^/.]/.test(given.slice(5))) return null;
  return 'a path below /dev/; "mode": "host" gives all of /dev';
});

/** A template's name, `@base`, or a path. */
export const extended: Schema<string> = checkedText("^[^\\x00]", (given) =>
  given === "" ? "the name of a template, a path or @base" : null,
);

/** `http://[USER:PASSWORD@]HOST[:PORT]`. */
export const upstreamProxy: Schema<string> = {
  parse(value, where) {
    if (typeof value === "string" && isProxyUrl(value)) return value;
    throw new FenceError("FENCE_PLAN", `${where} must be a URL of the form http://[USER:PASSWORD@]HOST[:PORT]`, {
      hint: "its value is not shown",
    });
  },
  describe: () => ({ type: "string", pattern: "^http://[^/?#\\s]+/?$", maxLength: maxTextBytes }),
};

function isProxyUrl(value: string): boolean {
  if (!/^http:\/\/[^/?#\s\0]+\/?$/.test(value) || value.length > maxTextBytes) return false;
  const url = URL.parse(value);
  return url !== null && url.hostname !== "" && url.port !== "0";
}

/** The URL as it may be shown. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/.*@/s, "//[secret]@");
}
