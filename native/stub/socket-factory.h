/*
 * Makes sockets of this network namespace for whoever connects to ports in it from outside.
 *
 * Runs:     in the reaper in the sandbox of a launcher, which nobody in there can look into.
 * Promises: never blocks; takes no request before the answer to it has room; keeps no descriptor.
 * Source:   docs/launch.md; socket(2), unix(7)
 */
#ifndef FENCE_STUB_SOCKET_FACTORY_H
#define FENCE_STUB_SOCKET_FACTORY_H

/* What poll(2) is to wait for next: POLLOUT when whoever asks does not take the answers. */
struct socket_factory {
	int socket; /* NO_DESCRIPTOR: there is none, or none any more */
	short awaits;
};

struct socket_factory socket_factory_on(int socket);

/* Answers one request, if there is one, after poll(2) has said that something has @happened. */
void socket_factory_serve(struct socket_factory *factory, short happened);

#endif
