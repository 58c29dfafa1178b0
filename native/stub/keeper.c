/* The keeper: see keeper.h. */
#include "keeper.h"

#include "arguments.h"
#include "bridge-process.h"
#include "channel.h"
#include "descriptor.h"
#include "fail.h"
#include "proc-list.h"
#include "restrict.h"
#include "sys.h"
#include "text.h"

#define STEP "keeper"
#define MAX_PATH 108 /* of a Unix socket, with its NUL: unix(7) */
#define MAX_CRASHES 5
#define AFTER_CRASH_MILLISECONDS 200 /* times the number of crashes */
#define QUIET_MILLISECONDS 10000     /* before daemons are taken to be done with the bridges */
#define LOOK_MILLISECONDS 200	     /* nothing tells when the last other process of a PID namespace ends */
#define DRAIN_MILLISECONDS 60000
#define REPORT_MILLISECONDS 1000

struct socket_file {
	uint64_t inode;
	uint32_t device_major;
	uint32_t device_minor;
	char path[MAX_PATH];
};

enum phase {
	PHASE_SETTING_UP,
	PHASE_PROGRAM_RUNS,
	PHASE_PROGRAM_ENDED, /* daemons that it left behind may use the bridges */
	PHASE_DRAINING,
};

/* The first message that could not be obeyed. */
struct refusal {
	uint32_t kind;
	uint32_t index; /* among those of its kind */
	uint32_t error;
};

static struct keeper {
	const struct start *start;
	struct keeper_inheritance own;
	struct bridge_process parts;
	int idle_report; /* a memory file: what is reported when nobody ever connected */
	struct socket_file files[MAX_LISTENERS];
	uint32_t file_count;
	uint32_t targets; /* that were looked at */
	struct refusal refusal;
	int is_ready; /* the set-up knows that all was kept: the program may have started */
	int has_reaper;

	enum phase phase;
	long phase_since; /* milliseconds of sys_now() */
	long bridges;	  /* PID of the bridge process, 0: there is none */
	int control;	  /* to it */
	uint32_t starts;
	uint32_t crashes;
	long crashed_at;
} keeper_state;

/* A message of the set-up's with its payload. */
static union {
	char bytes[MAX_FILTER_BYTES];
	char path[MAX_PATH];
} payload;

/* A path and nothing more, terminated. */
static int is_path(size_t length)
{
	return length > 1 && length <= MAX_PATH && payload.path[length - 1] == '\0' &&
	       text_length(payload.path) == length - 1;
}

static long keep_listener(struct keeper *keeper, int listener)
{
	if (listener == NO_DESCRIPTOR)
		return -EBADF;
	if (keeper->parts.listener_count == MAX_LISTENERS)
		return -E2BIG;
	keeper->parts.listeners[keeper->parts.listener_count++] = listener;
	return 0;
}

/* The path in the payload: what it leads to now is what is removed in the end. */
static long keep_socket_file(struct keeper *keeper, size_t length)
{
	struct socket_file *file = &keeper->files[keeper->file_count];
	struct statx found = { .stx_mask = 0 };
	long result;

	if (keeper->file_count == MAX_LISTENERS || !is_path(length))
		return -E2BIG;
	result = sys_statx(payload.path, &found);
	if (result < 0)
		return result;
	file->inode = found.stx_ino;
	file->device_major = found.stx_dev_major;
	file->device_minor = found.stx_dev_minor;
	memcpy(file->path, payload.path, length);
	keeper->file_count++;
	return 0;
}

/* Whether a process without capabilities may connect; a target that is not there yet may come. */
static long may_connect(struct keeper *keeper, size_t length)
{
	long result = is_path(length) ? sys_access(payload.path, W_OK) : -E2BIG;

	keeper->targets++;
	/* Linux 5.8 has the call; filters that do not know it say EPERM. */
	return result == -ENOENT || result == -ENOSYS || result == -EPERM ? 0 : result;
}

static long keep_filter(struct bridge_process *parts, size_t length)
{
	if (length > sizeof(parts->filter))
		return -E2BIG;
	memcpy(parts->filter, payload.bytes, length);
	parts->filter_bytes = (uint32_t)length;
	return 0;
}

/* Obeys one message of the set-up's. Returns 0 or -errno; @index says which of its kind it was. */
static long keep(struct keeper *keeper, const struct delivery *delivery, uint32_t *index)
{
	struct bridge_process *parts = &keeper->parts;

	*index = 0;
	switch (delivery->message.kind) {
	case MESSAGE_LISTENER:
		*index = parts->listener_count;
		return keep_listener(keeper, delivery->descriptors[0]);
	case MESSAGE_SOCKET_FILE:
		*index = keeper->file_count;
		return keep_socket_file(keeper, delivery->payload_length);
	case MESSAGE_MAY_CONNECT:
		*index = keeper->targets;
		return may_connect(keeper, delivery->payload_length);
	case MESSAGE_RELAY_PLAN:
		parts->relay_plan = delivery->descriptors[0];
		return 0;
	case MESSAGE_RULESET:
		parts->ruleset = delivery->descriptors[0];
		return 0;
	case MESSAGE_FILTER:
		return keep_filter(parts, delivery->payload_length);
	case MESSAGE_STATUS:
		parts->status = delivery->descriptors[0];
		keeper->idle_report = delivery->descriptors[1];
		return 0;
	case MESSAGE_DEBUG:
		parts->debug = delivery->descriptors[0];
		return 0;
	default:
		return -EPROTO;
	}
}

/* Removes our Unix sockets, unless something else has taken their places. */
static void remove_socket_files(const struct keeper *keeper)
{
	for (uint32_t i = 0; i < keeper->file_count; i++) {
		const struct socket_file *file = &keeper->files[i];
		struct statx found = { .stx_mask = 0 };

		if (sys_statx(file->path, &found) >= 0 && found.stx_ino == file->inode &&
		    found.stx_dev_major == file->device_major && found.stx_dev_minor == file->device_minor)
			(void)sys_unlink(file->path); /* nobody is left to tell */
	}
}

static void answer_ready(struct keeper *keeper)
{
	struct message kept = {
		.kind = MESSAGE_KEPT,
		.step = keeper->refusal.kind,
		.index = keeper->refusal.index,
		.error = keeper->refusal.error,
	};

	keeper->is_ready = keeper->refusal.error == 0;
	if (channel_send(keeper->own.setup, &kept, NO_DESCRIPTOR) >= 0)
		return;
	/* The set-up is gone, or it must not wait for ever: our end closes. */
	remove_socket_files(keeper);
	sys_exit(EXIT_FENCE_FAILED);
}

/*
 * The set-up was killed. Before it was told that all is kept, the program cannot have started. Afterwards this process
 * cannot know: it goes on, and soon finds that the waiting process has ended if it has.
 */
static void on_setup_gone(const struct keeper *keeper)
{
	if (keeper->is_ready)
		return;
	remove_socket_files(keeper);
	sys_exit(0);
}

/* Takes what the set-up gives until the program runs. Ends this process when there is nothing to keep. */
static void set_up(struct keeper *keeper)
{
	struct delivery delivery;
	uint32_t index = 0;
	long result;

	for (;;) {
		delivery.message.kind = 0; /* of none, if it cannot be received */
		result = channel_receive(keeper->own.setup, &delivery, &payload, sizeof(payload));
		if (result >= 0 && delivery.message.kind == MESSAGE_EXIT)
			sys_exit(0);
		if (result == -EPIPE)
			on_setup_gone(keeper);
		if (result == -EPIPE || (result >= 0 && delivery.message.kind == MESSAGE_SERVE))
			return;
		if (result >= 0 && delivery.message.kind == MESSAGE_READY) {
			keeper->has_reaper = delivery.message.value != 0;
			answer_ready(keeper);
			continue;
		}
		if (result >= 0)
			result = keep(keeper, &delivery, &index);
		if (result < 0 && keeper->refusal.error == 0)
			keeper->refusal = (struct refusal){ delivery.message.kind, index, (uint32_t)-result };
	}
}

/* Writes unless the reader lets it wait; nobody is left to tell that it failed. Returns whether all was written. */
static int report(int to, const char *bytes, size_t length)
{
	struct sys_poll poll = { .fd = to, .events = POLLOUT };

	return to != NO_DESCRIPTOR && sys_poll(&poll, 1, REPORT_MILLISECONDS) == 1 &&
	       sys_write(to, bytes, length) == (long)length;
}

/* The end of a sandbox in which nobody has ever connected. */
static void report_idle_end(const struct keeper *keeper)
{
	char bytes[2048]; /* less than PIPE_BUF: a pipe that is writable takes it whole, pipe(7) */
	uint64_t offset = 0;
	long length;

	if (keeper->idle_report == NO_DESCRIPTOR)
		return;
	while ((length = sys_pread(keeper->idle_report, bytes, sizeof(bytes), offset)) > 0) {
		if (!report(keeper->parts.status, bytes, (size_t)length))
			return;
		offset += (uint64_t)length;
	}
}

static void report_crash(const struct keeper *keeper, int status)
{
	char bytes[256];
	struct text text = text_in(bytes, sizeof(bytes));
	int signal = status & 0x7f;

	text_add(&text, "{\"event\":\"bridges-crashed\",\"exit\":");
	if (signal == 0)
		text_add_number(&text, (status >> 8) & 0xff);
	else
		text_add(&text, "null");
	text_add(&text, ",\"signal\":");
	if (signal != 0)
		text_add_number(&text, signal);
	else
		text_add(&text, "null");
	text_add(&text, ",\"restartsLeft\":");
	text_add_number(&text, MAX_CRASHES - (long)keeper->crashes);
	text_add(&text, "}\n");
	(void)report(keeper->parts.status, bytes, text.length); /* as there */
	(void)report(keeper->parts.debug, bytes, text.length);
}

_Noreturn static void end(const struct keeper *keeper)
{
	if (keeper->starts == 0)
		report_idle_end(keeper);
	remove_socket_files(keeper);
	sys_exit(0);
}

static void enter(struct keeper *keeper, enum phase phase)
{
	if (keeper->phase >= phase)
		return;
	keeper->phase = phase;
	keeper->phase_since = sys_now();
}

/* Tells the bridge process which phase it is. */
static void tell(const struct keeper *keeper)
{
	struct message message = {
		.kind = keeper->phase == PHASE_DRAINING ? MESSAGE_DRAIN : MESSAGE_PROGRAM_ENDED,
	};

	if (keeper->bridges != 0 && keeper->phase != PHASE_PROGRAM_RUNS)
		(void)channel_send(keeper->control, &message, NO_DESCRIPTOR); /* if it has ended, poll tells */
}

/*
 * The program is to see that its network is gone: clients are refused from now on. The files go first: as long as a
 * socket is open its inode has no other use, so that what has the same number is our file.
 */
static void give_up(struct keeper *keeper)
{
	remove_socket_files(keeper);
	keeper->file_count = 0;
	for (uint32_t i = 0; i < keeper->parts.listener_count; i++)
		(void)sys_close(keeper->parts.listeners[i]);
	keeper->parts.listener_count = 0;
}

static void on_crash(struct keeper *keeper, int status)
{
	keeper->crashes++;
	keeper->crashed_at = sys_now();
	if (keeper->crashes >= MAX_CRASHES)
		give_up(keeper);
	report_crash(keeper, status); /* whoever reads it finds it true */
}

static void start_bridges(struct keeper *keeper)
{
	long result = bridge_process_start(keeper->start, &keeper->parts, &keeper->control);

	keeper->starts++;
	if (result < 0) {
		on_crash(keeper, EXIT_FENCE_FAILED << 8);
		return;
	}
	keeper->bridges = result;
	tell(keeper);
}

/* The bridge process has closed its end: it has ended, or is about to. */
static void on_bridges_ended(struct keeper *keeper)
{
	int status = 0;
	long result;

	(void)sys_kill(keeper->bridges, SIGKILL); /* no effect on one that ends; any other must not keep us waiting */
	do {
		result = sys_wait(keeper->bridges, &status);
	} while (result == -EINTR);
	(void)sys_close(keeper->control); /* nothing is unsent that anybody would read */
	keeper->control = NO_DESCRIPTOR;
	keeper->bridges = 0;
	if (keeper->phase != PHASE_PROGRAM_RUNS && status == 0)
		end(keeper);
	on_crash(keeper, status);
}

/* Whether connections are looked for now, and after how many milliseconds they are again. */
static long pause_after_crash(const struct keeper *keeper)
{
	long left = keeper->crashed_at + (long)keeper->crashes * AFTER_CRASH_MILLISECONDS - sys_now();

	return keeper->crashes == 0 || left < 0 ? 0 : left;
}

/* How long to wait for the next event, in milliseconds; -1: for ever. */
static long patience(const struct keeper *keeper)
{
	long pause = keeper->bridges == 0 ? pause_after_crash(keeper) : 0;

	if (pause > 0)
		return pause;
	switch (keeper->phase) {
	case PHASE_PROGRAM_ENDED:
		return LOOK_MILLISECONDS;
	case PHASE_DRAINING:
		return keeper->bridges == 0 ? 0 : DRAIN_MILLISECONDS;
	default:
		return -1;
	}
}

/* What time alone brings about. */
static void on_time(struct keeper *keeper)
{
	long elapsed = sys_now() - keeper->phase_since;
	const long ours[] = { 1, sys_getpid(), keeper->bridges, keeper->own.program_id };

	switch (keeper->phase) {
	case PHASE_PROGRAM_ENDED:
		if (keeper->bridges == 0 && elapsed >= QUIET_MILLISECONDS)
			end(keeper);
		if (proc_list_only(ours, sizeof(ours) / sizeof(ours[0]))) {
			enter(keeper, PHASE_DRAINING);
			tell(keeper);
		}
		return;
	case PHASE_DRAINING:
		if (keeper->bridges == 0 && pause_after_crash(keeper) == 0)
			end(keeper);
		if (keeper->bridges != 0 && elapsed >= DRAIN_MILLISECONDS)
			(void)sys_kill(keeper->bridges, SIGKILL); /* its end is what poll tells next */
		return;
	default:
		return;
	}
}

_Noreturn static void serve(struct keeper *keeper)
{
	struct sys_poll polls[2 + MAX_LISTENERS];

	for (;;) {
		int looks = keeper->bridges == 0 && pause_after_crash(keeper) == 0;
		size_t count = 2;
		long happened;

		polls[0] = (struct sys_poll){ .fd = NO_DESCRIPTOR, .events = POLLIN };
		if (keeper->has_reaper && keeper->phase != PHASE_DRAINING)
			polls[0].fd = keeper->own.life;
		else if (!keeper->has_reaper && keeper->phase == PHASE_PROGRAM_RUNS)
			polls[0].fd = keeper->own.program;
		polls[1] = (struct sys_poll){ .fd = keeper->bridges == 0 ? NO_DESCRIPTOR : keeper->control,
					      .events = POLLIN };
		for (uint32_t i = 0; looks && i < keeper->parts.listener_count; i++)
			polls[count++] = (struct sys_poll){ .fd = keeper->parts.listeners[i], .events = POLLIN };
		happened = sys_poll(polls, count, patience(keeper));

		if (happened > 0 && polls[0].happened != 0) {
			enter(keeper, keeper->has_reaper ? PHASE_DRAINING : PHASE_PROGRAM_ENDED);
			tell(keeper);
		}
		if (happened > 0 && polls[1].happened != 0) {
			on_bridges_ended(keeper);
			continue;
		}
		for (size_t i = 2; happened > 0 && i < count; i++) {
			if (polls[i].happened != 0) {
				start_bridges(keeper);
				break;
			}
		}
		if (happened == 0)
			on_time(keeper);
	}
}

/* Standard error goes last: until then it can be told what failed. */
static void become_keeper(struct keeper *keeper)
{
	const struct keeper_inheritance *own = &keeper->own;
	int keep_open[] = { own->executable, own->setup, own->life, own->program };
	long result = sys_set_blocked_signals(~0UL);

	if (result < 0)
		die_call(STEP, "cannot block signals", "rt_sigprocmask", result);
	result = restrict_no_new_privs();
	if (result < 0)
		die_call(STEP, "cannot set no_new_privs", "prctl", result);
	result = restrict_capabilities(0);
	if (result < 0)
		die_call(STEP, "cannot give privileges up", "capset", result);
	(void)sys_chdir("/"); /* the caller's directory is not to be kept busy; without a reason to fail */
	result = descriptor_keep_only(keep_open, sizeof(keep_open) / sizeof(keep_open[0]));
	if (result < 0)
		die_call(STEP, "cannot close inherited descriptors", "close_range", result);
	arguments_replace(keeper->start, "fence: keeper");
}

_Noreturn void keeper(const struct start *start, const struct keeper_inheritance *inheritance)
{
	struct keeper *state = &keeper_state;

	state->start = start;
	state->own = *inheritance;
	state->idle_report = state->control = NO_DESCRIPTOR;
	state->parts.executable = inheritance->executable;
	state->parts.relay_plan = state->parts.ruleset = NO_DESCRIPTOR;
	state->parts.status = state->parts.debug = NO_DESCRIPTOR;
	become_keeper(state);
	set_up(state);
	(void)sys_close(state->own.setup); /* the set-up has ended, or is about to */
	enter(state, PHASE_PROGRAM_RUNS);
	serve(state);
}
