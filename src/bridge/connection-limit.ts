/**
 * How many connections several bridges have together.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: whoever found no room is told as soon as there is some.
 */
export class ConnectionLimit {
  readonly #most: number;
  readonly #roomMade = new Set<() => void>();
  #open = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get hasRoom(): boolean {
    return this.#open < this.#most;
  }

  /** Told when there is room where there was none, until leave(). */
  join(roomMade: () => void): void {
    this.#roomMade.add(roomMade);
  }

  leave(roomMade: () => void): void {
    this.#roomMade.delete(roomMade);
  }

  opened(): void {
    this.#open++;
  }

  closed(): void {
    const wasFull = !this.hasRoom;
    this.#open--;
    // All of them: whoever is told may have no client.
    if (wasFull && this.hasRoom) for (const roomMade of this.#roomMade) roomMade();
  }
}
