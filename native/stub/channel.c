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

/* @second only with @descriptor. */
static long send_with(int socket, struct message *message, int descriptor, int second, int flags)
{
	struct sys_control control = {
		.length = offsetof(struct sys_control, descriptors) + sizeof(int) * (second == NO_DESCRIPTOR ? 1 : 2),
		.level = SOL_SOCKET,
		.type = SCM_RIGHTS,
		.descriptors = { descriptor, second },
	};
	struct sys_iovec part = { .base = message, .length = sizeof(*message) };
	struct sys_message packet = { .parts = &part, .part_count = 1 };
	long result;

	message->magic = PROTOCOL_MAGIC;
	if (descriptor != NO_DESCRIPTOR) {
		packet.control = &control;
		packet.control_length = sizeof(control);
	}
	do {
		result = sys_sendmsg(socket, &packet, flags);
	} while (result == -EINTR);
	return result < 0 ? result : 0;
}

long channel_send(int socket, struct message *message, int descriptor)
{
	return send_with(socket, message, descriptor, NO_DESCRIPTOR, 0);
}

long channel_send_both(int socket, struct message *message, int first, int second)
{
	return send_with(socket, message, first, second, 0);
}

long channel_offer(int socket, struct message *message, int descriptor)
{
	return send_with(socket, message, descriptor, NO_DESCRIPTOR, MSG_DONTWAIT);
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
		.control_length = sizeof(control),
	};
	size_t count = 0;
	long result;

	/* ECONNRESET is said once, before what the other end sent and when it closed with messages unread: those stand behind it. */
	do {
		result = sys_recvmsg(socket, &packet);
	} while (result == -EINTR || result == -ECONNRESET);
	if (result == 0)
		return -EPIPE;
	if (result < 0)
		return result;
	if (packet.control_length >= offsetof(struct sys_control, descriptors) && control.level == SOL_SOCKET &&
	    control.type == SCM_RIGHTS)
		count = (control.length - offsetof(struct sys_control, descriptors)) / sizeof(int);
	for (size_t i = 0; i < CHANNEL_DESCRIPTORS; i++)
		delivery->descriptors[i] = i < count ? descriptor_above_stdio(control.descriptors[i]) : NO_DESCRIPTOR;
	if ((packet.flags & MSG_CTRUNC) != 0)
		result = -EMFILE;
	else if (result < (long)sizeof(delivery->message) || delivery->message.magic != PROTOCOL_MAGIC ||
		 (packet.flags & MSG_TRUNC) != 0)
		result = -EPROTO;
	for (size_t i = 0; i < count && i < CHANNEL_DESCRIPTORS && result >= 0; i++)
		result = delivery->descriptors[i] < 0 ? delivery->descriptors[i] : result;
	if (result < 0) {
		channel_drop(delivery);
		return result;
	}
	delivery->payload_length = (size_t)result - sizeof(delivery->message);
	return 0;
}

void channel_drop(struct delivery *delivery)
{
	for (size_t i = 0; i < CHANNEL_DESCRIPTORS; i++) {
		if (delivery->descriptors[i] >= 0)
			(void)sys_close(delivery->descriptors[i]);
		delivery->descriptors[i] = NO_DESCRIPTOR;
	}
}
