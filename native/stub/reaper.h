/*
 * `--init`: this process stays as reaper and signal forwarder, a child becomes the program.
 *
 * Runs:     in P0, as PID 1 of a container or wherever --init asks for it. Single-threaded, no heap.
 * Promises: what a shell or a container engine sees is what it would see of the program: its exit status, its death by
 *           a signal, its stops. Has no capability but CAP_KILL, is not dumpable, holds no descriptor of the caller's.
 *           Ends only when the bridges have delivered what the program wrote.
 * Source:   docs/init.md; pid_namespaces(7), signalfd(2), wait(2)
 */
#ifndef FENCE_STUB_REAPER_H
#define FENCE_STUB_REAPER_H

#include "start.h"

/*
 * Returns 0 in the child, which is as this process was. Does not return in the reaper. -errno: there is no child.
 * @life leads to the keeper.
 */
long reaper_fork(const struct start *start, int life);

#endif
