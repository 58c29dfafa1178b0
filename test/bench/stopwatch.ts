/**
 * How long programs take, from the moment they are started until they have ended and said all they had to say.
 *
 * Runs:     on the host (npm run bench).
 */
import { parts, root } from "../../build/paths.ts";
import { type Environment, outputOf } from "./children.ts";
import { compile } from "./peers.ts";

const stopwatch = compile(`${root}/test/bench/stopwatch.c`, `${parts}/stopwatch`);

interface Around {
  /** Added to our own. */
  readonly environment?: Environment;
  /** A file with the exec plan that waits behind the descriptor whose number takes the place of the word FD. */
  readonly plan?: string;
}

/** How long the command takes until it has ended; it must end well. */
export function milliseconds(
  command: string,
  args: readonly string[],
  { environment = {}, plan = "-" }: Around = {},
): number {
  return Number(outputOf(stopwatch, [plan, command, ...args], environment)) / 1e6;
}
