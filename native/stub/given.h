/*
 * Gives the descriptors that came with MESSAGE_GIVE the numbers that it asks for.
 *
 * Runs:     in P0.
 * Promises: no other descriptor is replaced or closed; without an error each is where it was asked for, without close-on-exec.
 * Source:   docs/launched.md, fcntl(2)
 */
#ifndef FENCE_STUB_GIVEN_H
#define FENCE_STUB_GIVEN_H

#include "channel.h"

/* What found no place stays in @delivery, for channel_drop(). Returns 0 or -errno, of @call (enum taken_call). */
long given_place(struct delivery *delivery, uint32_t *call);

#endif
