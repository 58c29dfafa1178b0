/* `fence attach`: see attach.h. */
#include "attach.h"

#include "bootstrap.h"
#include "channel.h"
#include "descriptor.h"
#include "fail.h"
#include "p0.h"
#include "setup-limits.h"
#include "sys.h"
#include "text.h"

#define STEP "attach"

_Noreturn static void die_wrong(const char *message)
{
	const struct failure failure = {
		.message = message,
		.step = STEP,
		.hint = "fence starts this by itself: fence run -- PROGRAM",
		.code = "FENCE_USAGE",
	};

	die(&failure);
}

_Noreturn static void die_of_service(const char *message, const char *path, const char *syscall, long result, const char *hint)
{
	const struct failure failure = {
		.message = message,
		.path = path,
		.syscall = syscall,
		.error = (int)-result,
		.step = STEP,
		.hint = hint,
		.code = "FENCE_LAUNCH",
	};

	die(&failure);
}

/* Two numbers in hexadecimal, separated by a dash. */
static struct message message_for(const char *id)
{
	struct message message = { .kind = MESSAGE_ATTACH };
	const char *at = text_read_number(id, 16, &message.value);

	if (at != NULL && *at == '-')
		at = text_read_number(at + 1, 16, &message.index);
	else
		at = NULL;
	if (at == NULL || *at != '\0')
		die_wrong("attach must be given an ID of two numbers in hexadecimal, separated by a dash");
	return message;
}

static struct sys_unix_address address_of(const char *path)
{
	struct sys_unix_address address = { .family = AF_UNIX };
	size_t length = text_length(path);

	if (length == 0 || length >= UNIX_PATH_SIZE)
		die_wrong("attach must be given the path of a socket, of at most 107 bytes");
	memcpy(address.path, path, length);
	return address;
}

/*
 * Whoever gets the other ends decides what this process becomes. The path alone is no proof: a program in a sandbox may be
 * able to write there, as this very user. The kernel says which process listens, unix(7) SO_PEERCRED.
 */
static void check_peer(int socket, const char *path, uint32_t process)
{
	struct sys_peer peer = { .process = 0 };
	long result = sys_peer_of(socket, &peer);

	if (result < 0)
		die_of_service("cannot tell whose the service is on", path, "getsockopt", result, NULL);
	if (peer.user != 0 && peer.user != (uint32_t)sys_geteuid())
		die_of_service("another user listens on", path, NULL, 0, "the directory of the socket must be yours alone");
	if (peer.process != process)
		die_of_service("another process than the service listens on", path, NULL, 0,
			       "a program in a sandbox may have put it there: set XDG_RUNTIME_DIR to a directory that none can write to");
}

static uint32_t process_number(const char *word)
{
	uint32_t process = 0;
	const char *end = text_read_number(word, 10, &process);

	if (end == NULL || *end != '\0' || process == 0)
		die_wrong("attach must be given the number of the service's process");
	return process;
}

static int connect_to(const char *path, uint32_t process)
{
	const struct sys_unix_address address = address_of(path);
	int socket = descriptor_above_stdio(sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	long result;

	if (socket == -EMFILE)
		die_open_files("socket");
	if (socket < 0)
		die_call(STEP, "cannot make a socket", "socket", socket);
	do {
		result = sys_connect(socket, &address);
	} while (result == -EINTR);
	if (result < 0)
		die_of_service("cannot reach the service on", path, "connect", result,
			       result == -ENOENT || result == -ECONNREFUSED ? "it has ended: start it again" : NULL);
	check_peer(socket, path, process);
	return socket;
}

static void make_channel(int pair[2])
{
	long result = channel_pair(pair);

	if (result == -EMFILE)
		die_open_files("socketpair");
	if (result < 0)
		die_call(STEP, "cannot make a socket pair", "socketpair", result);
}

_Noreturn void attach(const struct start *start)
{
	const struct message front = { .kind = MESSAGE_REFER, .value = REAPER_FRONT };
	struct own own = { .start = start, .face = SET_UP_ATTACHED };
	struct message message;
	int service, setup[2], life[2];
	long result;

	if (start->argc != 5)
		die_wrong("attach must be given the path of a socket, a process and an ID");
	message = message_for(start->argv[4]);
	/* Nobody else looks into this process; execve(2) resets it for the program. */
	result = sys_prctl(PR_SET_DUMPABLE, 0);
	if (result < 0)
		die_call(STEP, "cannot protect this process", "prctl", result);
	service = connect_to(start->argv[2], process_number(start->argv[3]));
	make_channel(setup);
	make_channel(life);
	result = channel_send_both(service, &message, setup[1], life[1]);
	if (result < 0 && result != -EPIPE && result != -ECONNRESET) /* if it has ended, nobody has the other ends */
		die_of_service("cannot attach to the service on", start->argv[2], "sendmsg", result, NULL);
	(void)sys_close(service); /* this process never wrote to these */
	(void)sys_close(setup[1]);
	(void)sys_close(life[1]);
	own.setup = setup[0];
	own.life = life[0];
	p0_refer(&own, &front); /* as every launcher says first: nobody waits for that word */
	bootstrap_obey(&own);
}
