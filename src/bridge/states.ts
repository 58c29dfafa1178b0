/**
 * The states of a relay's two directions, and how the relay ends.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: an end is passed on only after all that came before it; a direction never leaves a final state.
 * Source:   docs/bridges.md
 */
import { bug } from "../base/errors.ts";

export type DirectionState =
  /** Bytes may still come from the source. */
  | "open"
  /** The source has ended; what is held goes to the sink. */
  | "draining"
  /** The source was reset; what is held goes to the sink. */
  | "aborting"
  /** The sink takes no more; what still comes from the source is read and thrown away, so that it can end in order. */
  | "discarding"
  /** Final: everything was delivered, then shutdown(SHUT_WR). */
  | "shut"
  /** Final but for a change of mind: everything was delivered, and the sink is to be reset. */
  | "aborted"
  /** Final: the source has ended, the sink did not take everything. */
  | "lost";

export type DirectionEvent =
  | "source-ended"
  | "source-reset"
  | "sink-gone"
  /** The sink has been given everything. */
  | "drained"
  /** The sink is not to be reset after all. */
  | "spared";

const transitions: Readonly<Record<DirectionState, Partial<Record<DirectionEvent, DirectionState>>>> = {
  open: { "source-ended": "draining", "source-reset": "aborting", "sink-gone": "discarding" },
  draining: { drained: "shut", "sink-gone": "lost" },
  aborting: { drained: "aborted", "sink-gone": "lost" },
  discarding: { "source-ended": "lost", "source-reset": "lost" },
  shut: {},
  aborted: { spared: "shut" },
  lost: {},
};

export function nextState(state: DirectionState, event: DirectionEvent): DirectionState {
  const next = transitions[state][event];
  if (next === undefined) throw bug(`a relay's direction met ${event} while it was ${state}`);
  return next;
}

export function isFinal(state: DirectionState): boolean {
  return state === "shut" || state === "aborted" || state === "lost";
}

/** What is left to do for the two ends of a relay. */
export type Ending =
  | "none"
  /** Close both. */
  | "close"
  /** Reset this end as soon as nothing is unsent to it, and close the other. */
  | "reset-client"
  | "reset-target"
  /** Nobody listens to the target any more: close both when it has taken everything. */
  | "leave-target"
  /** Nobody listens to the client any more, which may be busy sending before it reads its answer: let it, for a while. */
  | "linger";

/**
 * How a relay ends, `up` being the direction from the client to the target. The client asked for the connection: when
 * it is gone, the target need not go on. When the target is gone, the client is given time to take the answer.
 */
export function endingOf(up: DirectionState, down: DirectionState): Ending {
  if (up === "aborted") return "reset-target";
  if (down === "aborted") return "reset-client";
  if (isFinal(up) && isFinal(down)) return "close";
  if (isFinal(up) && down === "discarding") return "leave-target";
  if (isFinal(down) && up === "discarding") return "linger";
  return "none";
}
