/*
 * Sends and receives the messages of protocol.h.
 *
 * Runs:     in P0, in the reaper and in the keeper.
 * Promises: received descriptors are close-on-exec and above 2; a message that does not fit is refused whole.
 * Source:   unix(7), sendmsg(2), recvmsg(2)
 */
#ifndef FENCE_STUB_CHANNEL_H
#define FENCE_STUB_CHANNEL_H

#include "protocol.h"

#include <stddef.h>

/* Of any message but GIVE. */
#define CHANNEL_DESCRIPTORS 2

/* A message with its descriptors; NO_DESCRIPTOR from @count on. */
struct delivery {
	struct message message;
	int descriptors[GIVEN_DESCRIPTORS];
	unsigned int count;
	size_t payload_length;
};

/* A pair of connected sockets above 2. Returns 0 or -errno. */
long channel_pair(int sockets[2]);

/* Sends the message with a descriptor, or NO_DESCRIPTOR. Returns 0 or -errno. */
long channel_send(int socket, struct message *message, int descriptor);

/* The same with two. */
long channel_send_both(int socket, struct message *message, int first, int second);

/* The same with @size bytes of @payload. */
long channel_send_more(int socket, struct message *message, int descriptor, const void *payload, size_t size);

/* As channel_send() if that is possible at once. Returns 0 or -errno: -EAGAIN when the other end does not listen. */
long channel_offer(int socket, struct message *message, int descriptor);

/*
 * Waits for a message with at most @size bytes of payload. Returns 0, or -errno: -EPIPE when the other end is closed,
 * -EPROTO for what is no message, -EMFILE when there was no room for its descriptors. No descriptor is left open then; the
 * message's kind is 0 when nothing came.
 */
long channel_receive(int socket, struct delivery *delivery, void *payload, size_t size);

/* Closes the descriptors that came with a message. */
void channel_drop(struct delivery *delivery);

#endif
