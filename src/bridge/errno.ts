/**
 * Which of the relay calls' negative results are not the end of something.
 *
 * Runs:     host and sandbox. Pure.
 * Source:   errno(3). The numbers are those of asm-generic, x86-64's and arm64's; loading node:os for them costs 0.3 ms.
 */
export const EAGAIN = 11;
export const EPIPE = 32;
export const ECONNREFUSED = 111;
export const EINPROGRESS = 115;

const ENOMEM = 12;
const ENFILE = 23;
const EMFILE = 24;
const ENOBUFS = 105;

/** Out of descriptors or memory: asking again later may help. */
export function isShortage(result: number): boolean {
  return result === -EMFILE || result === -ENFILE || result === -ENOBUFS || result === -ENOMEM;
}
