/**
 * The constants of epoll(7).
 *
 * Runs:     host and sandbox. Pure.
 * Source:   linux/eventpoll.h; the same on every architecture
 */
export const EPOLLIN = 0x1;
export const EPOLLPRI = 0x2;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
/** Bit 31, as the signed number that the addon takes. */
export const EPOLLET = 0x80000000 | 0;

export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
