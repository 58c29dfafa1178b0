/*
 * What the set-up gives to the keeper: the listeners, and all that a bridge process is made of.
 *
 * Runs:     in the keeper, until the program runs.
 * Promises: what the set-up was told to be kept is kept, whatever becomes of it; what cannot be kept is told with its
 *           kind, its place and its errno.
 * Source:   protocol.h; src/sys/keeper.ts speaks the other end
 */
#ifndef FENCE_STUB_KEPT_H
#define FENCE_STUB_KEPT_H

#include "bridge-process.h"

#include <stdint.h>

#define MAX_PATH 108 /* of a Unix socket, with its NUL: unix(7) */

/* Of the file of a Unix listener that is made only after the keeper has heard of its place. */
enum socket_file_state {
	SOCKET_FILE_OTHERS, /* something was there already: bind(2) is about to refuse it */
	SOCKET_FILE_COMING, /* nothing was there */
	SOCKET_FILE_OURS,   /* it is made */
};

/* By its directory, whose path others may change while the program runs. */
struct socket_file {
	int directory;
	enum socket_file_state state;
	uint32_t device_major;
	uint32_t device_minor;
	uint64_t inode;
	char name[MAX_PATH];
};

struct kept {
	struct bridge_process parts;
	int idle_report; /* a memory file: what is reported when nobody ever connected */
	int has_reaper;	 /* P0 stays, and says when the program has ended */
	struct socket_file files[MAX_LISTENERS];
	uint32_t file_count;
};

/* Takes what comes from @setup until the program runs. Ends this process when there is nothing to keep. */
void kept_take(struct kept *kept, int setup);

/* Removes our Unix sockets, unless something else has taken their places. Once. */
void kept_remove_files(struct kept *kept);

#endif
