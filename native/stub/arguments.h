/*
 * Takes this process's inherited arguments and environment out of /proc.
 *
 * Runs:     in the keeper and in the reaper, which live as long as the program; never in the program's own process.
 * Promises: /proc/PID/cmdline and environ show the title and nothing else.
 * Source:   proc(5): cmdline stays readable for everybody, whatever the dumpable flag
 */
#ifndef FENCE_STUB_ARGUMENTS_H
#define FENCE_STUB_ARGUMENTS_H

#include "start.h"

/* @start is of no use afterwards but for its auxiliary vector. @title is cut to the room that there is. */
void arguments_replace(const struct start *start, const char *title);

#endif
