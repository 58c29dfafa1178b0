/*
 * The program's reaper: this process stays behind, a child becomes the program.
 *
 * Runs:     in P0: for `--init`, in the sandbox of a launcher, and on the host as the launcher's front, whose program is
 *           bubblewrap. Single-threaded, no heap.
 * Promises: what a shell or a container engine sees is what it would see of the program: its exit status, its death by
 *           a signal, its stops. In the sandbox of a launcher the front shows all that, and the two are told by messages.
 *           Has no capability but CAP_KILL, is not dumpable, holds no descriptor of the caller's. Ends only when the
 *           bridges have delivered what the program wrote.
 * Source:   docs/init.md, docs/launch.md; pid_namespaces(7), signalfd(2), wait(2)
 */
#ifndef FENCE_STUB_REAPER_H
#define FENCE_STUB_REAPER_H

#include "protocol.h"
#include "start.h"

struct reaper_ends {
	enum reaper_place place;
	int life;    /* to the keeper, or NO_DESCRIPTOR when there is none; of the front: to the launcher */
	int control; /* between front and sandbox; NO_DESCRIPTOR when alone */
	int is_attached; /* front: the launcher is a service, which launches for others too */
	int factory; /* inside: to who asks for sockets of this network namespace, or NO_DESCRIPTOR */
};

/* Returns 0 in the child, which is as this process was. Does not return in the reaper. -errno: there is no child. */
long reaper_fork(const struct start *start, const struct reaper_ends *ends);

#endif
