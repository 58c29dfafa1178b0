/* Makes sockets for others: see socket-factory.h. */
#include "socket-factory.h"

#include "channel.h"
#include "descriptor.h"
#include "sys.h"

/* What MESSAGE_SOCKET says has failed. */
enum socket_call { SOCKET_SOCKET = 0, SOCKET_SENDMSG = 1 };

struct socket_factory socket_factory_on(int socket)
{
	return (struct socket_factory){ .socket = socket, .awaits = POLLIN };
}

static void end(struct socket_factory *factory)
{
	(void)sys_close(factory->socket);
	factory->socket = NO_DESCRIPTOR;
}

static long make_socket(uint32_t family)
{
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	return descriptor_above_stdio(sys_socket((int)family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/* Returns whether whoever asked can still be answered. */
static int answer(const struct socket_factory *factory, const struct message *asked)
{
	long made = make_socket(asked->value), result;
	struct message message = {
		.kind = MESSAGE_SOCKET,
		.value = made < 0 ? SOCKET_SOCKET : asked->value,
		.step = asked->step,
		.index = asked->index,
		.error = made < 0 ? (uint32_t)-made : 0,
	};

	result = channel_offer(factory->socket, &message, made < 0 ? NO_DESCRIPTOR : (int)made);
	if (made < 0)
		return result >= 0;
	(void)sys_close((int)made); /* it is the other end's */
	if (result < 0) { /* too many descriptors are under way, sendmsg(2) */
		message.value = SOCKET_SENDMSG;
		message.error = (uint32_t)-result;
		result = channel_offer(factory->socket, &message, NO_DESCRIPTOR);
	}
	return result >= 0;
}

void socket_factory_serve(struct socket_factory *factory, short happened)
{
	struct sys_poll room = { .fd = factory->socket, .events = POLLOUT };
	struct delivery delivery;

	if (factory->socket == NO_DESCRIPTOR || happened == 0)
		return;
	/* Without room there is nothing to be heard: else whoever asks without end would keep this process busy. */
	factory->awaits = sys_poll(&room, 1, 0) == 1 ? POLLIN : POLLOUT;
	if (factory->awaits == POLLOUT || (happened & ~POLLOUT) == 0)
		return;
	if (channel_receive(factory->socket, &delivery, NULL, 0) < 0) {
		end(factory);
		return;
	}
	channel_drop(&delivery);
	if (delivery.message.kind == MESSAGE_SOCKET && !answer(factory, &delivery.message))
		end(factory);
}
