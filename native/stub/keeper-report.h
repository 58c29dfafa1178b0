/*
 * What the keeper says on the status descriptor.
 *
 * Runs:     in the keeper.
 * Promises: waits a second at most for a reader.
 * Source:   docs/status.md
 */
#ifndef FENCE_STUB_KEEPER_REPORT_H
#define FENCE_STUB_KEEPER_REPORT_H

#include "kept.h"

enum report_end {
	REPORT_IDLE,	/* nobody has ever connected */
	REPORT_CRASHED, /* who would have counted has crashed */
};

/* The end of a sandbox, when no bridge process reports it. */
void report_end(const struct kept *kept, enum report_end how);

/* The bridge process has ended with this wait status before it was to. */
void report_crash(const struct bridge_process *parts, int status, uint32_t restarts_left);

#endif
