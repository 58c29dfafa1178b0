/*
 * The front of `fence run`: the process that the user started stays as reaper, a child becomes bubblewrap.
 *
 * Runs:     in P0 on the host.
 * Promises: what the caller left open beyond the standard streams is not inherited by the sandbox.
 * Source:   docs/launch.md
 */
#ifndef FENCE_STUB_FRONT_H
#define FENCE_STUB_FRONT_H

#include "set-up.h"

/*
 * As reaper_fork(), but in the child: closes what it inherited but own->setup, opens the standard streams that the caller had
 * closed as /dev/null, and returns a bit for each of those. @control is its end to the front, for the sandbox to inherit.
 * Or -errno, of @call (enum taken_call).
 */
long front_fork(const struct own *own, int *control, uint32_t *call);

#endif
