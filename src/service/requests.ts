/**
 * Reads what the library asks of its service.
 *
 * Runs:     host, in the service. Pure.
 * Promises: what is no request is FENCE_SERVICE; no message shows the value of a variable.
 * Source:   src/base/service-protocol.ts
 */
import { FenceError } from "../base/errors.ts";
import type { OpenRequest, RunRequest, ServiceRequest, ServiceVariables } from "../base/service-protocol.ts";
import {
  absolutePath,
  exactly,
  type Json,
  list,
  mismatch,
  orNone,
  record,
  required,
  type Schema,
  secretText,
  text,
  word,
} from "../plan/schema.ts";

/** The two numbers of the message of the stub, in hexadecimal. */
const id: Schema<string> = {
  parse(value, where) {
    const given = text.parse(value, where);
    if (/^[0-9a-f]{8}-[0-9a-f]{8}$/.test(given)) return given;
    throw mismatch(where, "two numbers of eight hexadecimal digits, with a dash between them", value);
  },
  describe: () => ({ type: "string" }),
};

const variables: Schema<ServiceVariables> = list({
  parse(value, where): readonly [string, string] {
    if (!Array.isArray(value) || value.length !== 2) throw mismatch(where, "a name and a value", value);
    return [text.parse(value[0], `${where}[0]`), secretText.parse(value[1], `${where}[1]`)];
  },
  describe: () => ({ type: "array" }),
});

const anything: Schema<Json> = { parse: (value) => value as Json, describe: () => ({}) };

const settings: Schema<NonNullable<OpenRequest["settings"]>> = {
  parse(value, where) {
    const isFile = typeof value === "object" && value !== null && "file" in value;
    return (isFile ? file : given).parse(value, where);
  },
  describe: () => ({ type: "object" }),
};
const file = record({ file: required(text, "A settings file.") });
const given = record({ given: required(anything, "What a settings file holds.") });

const open: Schema<OpenRequest> = record({
  request: required(word(["open"]), ""),
  version: required(exactly(1), ""),
  buildId: required(text, ""),
  settings: required(orNone(settings), ""),
  template: required(orNone(text), ""),
  isolation: required(orNone(word(["strict", "best-effort"])), ""),
  directory: required(absolutePath, ""),
  environment: required(variables, ""),
  httpProxy: required(orNone(text), ""),
  socksProxy: required(orNone(text), ""),
  publish: required(list(text), ""),
});

const run: Schema<RunRequest> = record({
  request: required(word(["run"]), ""),
  id: required(id, ""),
  argv: required(list(text), ""),
  environment: required(orNone(variables), ""),
  directory: required(orNone(text), ""),
});

const others = record({ request: required(word(["ended", "refuse"]), ""), id: required(id, "") });

/** Throws FENCE_SERVICE. */
export function parseRequest(line: string): ServiceRequest {
  try {
    const value: unknown = JSON.parse(line);
    switch ((value as { readonly request?: unknown } | null)?.request) {
      case "open":
        return open.parse(value, "the request");
      case "run":
        return run.parse(value, "the request");
      default:
        return others.parse(value, "the request") as ServiceRequest;
    }
  } catch (cause) {
    const what = cause instanceof FenceError ? cause.message : "a line is not JSON";
    throw new FenceError("FENCE_SERVICE", `the library asks for what its service does not know: ${what}`, {
      step: "hear-library",
      hint: "the library and the executable are of different versions",
    });
  }
}
