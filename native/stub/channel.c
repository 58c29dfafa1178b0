/* Messages between the stub's processes and Node: see channel.h. */
#include "channel.h"

#include "descriptor.h"
#include "sys.h"

long channel_pair(int sockets[2])
{
	int pair[2] = { NO_DESCRIPTOR, NO_DESCRIPTOR };
	long result = sys_socketpair(SOCK_SEQPACKET | SOCK_CLOEXEC, pair);

	if (result < 0)
		return result;
	for (int i = 0; i < 2; i++) {
		sockets[i] = descriptor_above_stdio(pair[i]);
		if (sockets[i] < 0)
			return sockets[i]; /* whoever cannot make a pair ends, and its descriptors with it */
	}
	return 0;
}

/* What goes with a message. */
struct extras {
	int first; /* NO_DESCRIPTOR: there is none */
	int second; /* only with the first */
	const void *payload;
	size_t size;
};

static long send_with(int socket, struct message *message, const struct extras *extras, int flags)
{
	struct sys_control control = {
		.length = offsetof(struct sys_control, descriptors) + sizeof(int) * (extras->second == NO_DESCRIPTOR ? 1 : 2),
		.level = SOL_SOCKET,
		.type = SCM_RIGHTS,
		.descriptors = { extras->first, extras->second },
	};
	struct sys_iovec parts[] = {
		{ .base = message, .length = sizeof(*message) },
		{ .base = (void *)extras->payload, .length = extras->size }, /* sendmsg(2) only reads it */
	};
	struct sys_message packet = { .parts = parts, .part_count = sizeof(parts) / sizeof(parts[0]) };
	long result;

	message->magic = PROTOCOL_MAGIC;
	if (extras->first != NO_DESCRIPTOR) {
		packet.control = &control;
		packet.control_length = offsetof(struct sys_control, descriptors) + sizeof(int) * CHANNEL_DESCRIPTORS;
	}
	do {
		result = sys_sendmsg(socket, &packet, flags);
	} while (result == -EINTR);
	return result < 0 ? result : 0;
}

long channel_send(int socket, struct message *message, int descriptor)
{
	const struct extras extras = { .first = descriptor, .second = NO_DESCRIPTOR };

	return send_with(socket, message, &extras, 0);
}

long channel_send_both(int socket, struct message *message, int first, int second)
{
	const struct extras extras = { .first = first, .second = second };

	return send_with(socket, message, &extras, 0);
}

long channel_send_more(int socket, struct message *message, int descriptor, const void *payload, size_t size)
{
	const struct extras extras = {
		.first = descriptor,
		.second = NO_DESCRIPTOR,
		.payload = payload,
		.size = size,
	};

	return send_with(socket, message, &extras, 0);
}

long channel_offer(int socket, struct message *message, int descriptor)
{
	const struct extras extras = { .first = descriptor, .second = NO_DESCRIPTOR };

	return send_with(socket, message, &extras, MSG_DONTWAIT);
}

/* Takes the descriptors that came in @control. Returns 0, or -errno when one is not above 2 and cannot be moved there. */
static long take_descriptors(struct delivery *delivery, const struct sys_message *packet, const struct sys_control *control)
{
	long result = 0;

	if (packet->control_length < offsetof(struct sys_control, descriptors) || control->level != SOL_SOCKET ||
	    control->type != SCM_RIGHTS)
		return 0;
	delivery->count = (unsigned int)((control->length - offsetof(struct sys_control, descriptors)) / sizeof(int));
	for (unsigned int i = 0; i < delivery->count; i++) {
		delivery->descriptors[i] = descriptor_above_stdio(control->descriptors[i]);
		if (delivery->descriptors[i] < 0)
			result = delivery->descriptors[i];
	}
	return result;
}

/* Whether the packet of @length bytes is a message of ours. */
static int is_message(const struct delivery *delivery, const struct sys_message *packet, long length)
{
	unsigned int most = delivery->message.kind == MESSAGE_GIVE ? GIVEN_DESCRIPTORS : CHANNEL_DESCRIPTORS;

	return length >= (long)sizeof(delivery->message) && delivery->message.magic == PROTOCOL_MAGIC &&
	       (packet->flags & MSG_TRUNC) == 0 && delivery->count <= most;
}

long channel_receive(int socket, struct delivery *delivery, void *payload, size_t size)
{
	struct sys_control control = { .length = 0 };
	struct sys_iovec parts[] = {
		{ .base = &delivery->message, .length = sizeof(delivery->message) },
		{ .base = payload, .length = size },
	};
	struct sys_message packet = {
		.parts = parts,
		.part_count = sizeof(parts) / sizeof(parts[0]),
		.control = &control,
		.control_length = offsetof(struct sys_control, descriptors) + sizeof(control.descriptors),
	};
	long length, result;

	delivery->message.kind = 0;
	delivery->count = 0;
	for (unsigned int i = 0; i < GIVEN_DESCRIPTORS; i++)
		delivery->descriptors[i] = NO_DESCRIPTOR;
	/* ECONNRESET is said once, before what the other end sent and when it closed with messages unread: those stand behind it. */
	do {
		length = sys_recvmsg(socket, &packet);
	} while (length == -EINTR || length == -ECONNRESET);
	if (length <= 0)
		return length == 0 ? -EPIPE : length;
	result = take_descriptors(delivery, &packet, &control);
	if (!is_message(delivery, &packet, length))
		result = -EPROTO;
	else if ((packet.flags & MSG_CTRUNC) != 0)
		result = -EMFILE;
	if (result < 0) {
		channel_drop(delivery);
		return result;
	}
	delivery->payload_length = (size_t)length - sizeof(delivery->message);
	return 0;
}

void channel_drop(struct delivery *delivery)
{
	for (unsigned int i = 0; i < delivery->count; i++) {
		if (delivery->descriptors[i] >= 0)
			(void)sys_close(delivery->descriptors[i]);
		delivery->descriptors[i] = NO_DESCRIPTOR;
	}
	delivery->count = 0;
}
