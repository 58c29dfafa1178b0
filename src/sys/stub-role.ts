/**
 * What the stub started this Node for, and the descriptors it left for that.
 *
 * Runs:     in every Node that the stub became.
 * Source:   native/stub/node.h; docs/bootstrap.md
 */
import { bug } from "../base/errors.ts";

export type StubRole =
  /** A command on the host, or `fence bridge`. */
  | { readonly name: "command"; readonly addon: number }
  | {
      readonly name: "set-up";
      readonly addon: number;
      /** To the process that becomes the program. */
      readonly socket: number;
      /** To the keeper. */
      readonly keeper: number;
    }
  | {
      /** `fence run` on the host. */
      readonly name: "launcher";
      readonly addon: number;
      /** To the process that becomes bubblewrap. */
      readonly socket: number;
      /** To the front, which stays until the sandbox and this process are done. */
      readonly life: number;
      /** The environment as it was given, for reading. */
      readonly environment: number;
    }
  | {
      readonly name: "bridges";
      readonly addon: number;
      /** To the keeper. */
      readonly control: number;
      readonly relayPlan: number;
      /** -1: nobody asked for reports. */
      readonly status: number;
      /** Where messages go; -1: nowhere. */
      readonly debug: number;
      readonly listeners: readonly number[];
    }
  | {
      /** The process on the host that talks to sandboxes. */
      readonly name: "network";
      readonly addon: number;
      /** To the launcher. */
      readonly channel: number;
    };

/** Takes FENCE_STUB out of the environment; null when the stub did not start us. */
export function takeStubRole(environment: NodeJS.ProcessEnv): StubRole | null {
  const given = environment["FENCE_STUB"];
  delete environment["FENCE_STUB"];
  const [, name, list = ""] = /^([a-z-]+):((?:-1|\d+)(?:,(?:-1|\d+))*)$/.exec(given ?? "") ?? [];
  const numbers = list.split(",").map(Number);
  const at = (index: number): number => {
    const number = numbers[index];
    if (number === undefined) throw bug(`the stub left ${numbers.length} descriptors for ${name}`);
    return number;
  };
  switch (name) {
    case "command":
      return { name, addon: at(0) };
    case "set-up":
      return { name, addon: at(0), socket: at(1), keeper: at(2) };
    case "launcher":
      return { name, addon: at(0), socket: at(1), life: at(2), environment: at(3) };
    case "bridges":
      return {
        name,
        ...{ addon: at(0), control: at(1), relayPlan: at(2), status: at(3), debug: at(4) },
        listeners: numbers.slice(5),
      };
    case "network":
      return { name, addon: at(0), channel: at(1) };
    default:
      return null;
  }
}
