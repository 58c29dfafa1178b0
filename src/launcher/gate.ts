/**
 * A pipe at which another process waits until it may go on: it reads to the end of it.
 *
 * Runs:     host, in the launcher.
 * Promises: whoever reads waits until open(). Without node:net, which takes 3 ms to load.
 * Source:   pipe(7), epoll(7)
 */
import { EPOLL_CTL_ADD, EPOLLERR, EPOLLOUT } from "../bridge/epoll.ts";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";
import { holdersOf } from "../sys/holders.ts";

const step = "check-mounts";
/** The kernel rounds it up to a page, fcntl(2). */
const smallestPipe = 1;

export class Gate {
  readonly #addon: Addon;
  readonly #fd: number;
  /** Readable when there is room in the pipe again, or nobody can read any more. */
  readonly #epoll: number;
  #watch = 0;
  #isOpen = false;

  /** `fd` is the pipe's writing end; it is closed by open(), or when this throws FENCE_LAUNCH. */
  constructor(addon: Addon, fd: number) {
    using opened = new DisposableStack(); // closes what is open when something fails
    opened.defer(() => addon.closeDescriptor(fd));
    this.#addon = addon;
    this.#fd = fd;
    const sizeBytes = checked("fcntl", addon.setPipeSize(fd, smallestPipe));
    const full = Buffer.alloc(sizeBytes, "\n");
    checked("write", addon.writePipe(fd, full, 0, full.length));
    this.#epoll = opened.adopt(checked("epoll_create1", addon.epollCreate()), (epoll) => addon.closeDescriptor(epoll));
    checked("epoll_ctl", addon.epollControl(this.#epoll, EPOLL_CTL_ADD, fd, EPOLLOUT, 0));
    opened.move();
  }

  /** Settles when it is being read (true), or when nobody can read any more (false). */
  reached(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const told = () => {
        this.#unwatch();
        try {
          resolve(this.#isRead());
        } catch (error) {
          reject(error);
        }
      };
      this.#watch = checked("uv_poll_start", this.#addon.watch(this.#epoll, told, true));
    });
  }

  /** Somebody may still read. */
  get isHeld(): boolean {
    if (this.#isOpen) return false; // and its descriptors may be others by now
    const pair = new Int32Array(2);
    return this.#addon.epollWait(this.#epoll, pair) <= 0 || !hasNoReader(pair);
  }

  /** Those who wait, or will: they have not come to it yet. */
  get holders(): readonly number[] {
    return this.#isOpen ? [] : holdersOf(this.#fd);
  }

  /** Whoever waits goes on. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#unwatch();
    this.#addon.closeDescriptor(this.#epoll);
    this.#addon.closeDescriptor(this.#fd);
  }

  #isRead(): boolean {
    const pair = new Int32Array(2);
    checked("epoll_wait", this.#addon.epollWait(this.#epoll, pair));
    return !hasNoReader(pair);
  }

  #unwatch(): void {
    if (this.#watch > 0) this.#addon.unwatch(this.#watch);
    this.#watch = 0;
  }
}

function hasNoReader([, events = 0]: Int32Array): boolean {
  return (events & EPOLLERR) !== 0;
}

function checked(syscall: string, result: number): number {
  if (result >= 0) return result;
  throw systemError("FENCE_LAUNCH", "cannot make the sandbox wait until its mounts are checked", syscall, result, {
    step,
  });
}
