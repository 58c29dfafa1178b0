/* The keeper: see keeper.h. */
#include "keeper.h"

#include "arguments.h"
#include "channel.h"
#include "descriptor.h"
#include "fail.h"
#include "keeper-report.h"
#include "kept.h"
#include "proc-list.h"
#include "restrict.h"
#include "sys.h"

#define STEP "keeper"
#define MAX_CRASHES 5
#define AFTER_CRASH_MILLISECONDS 200 /* times the number of crashes */
#define QUIET_MILLISECONDS 10000     /* before daemons are taken to be done with the bridges */
#define LOOK_MILLISECONDS 200	     /* nothing tells when the last other process of a PID namespace ends */
#define DRAIN_MILLISECONDS 60000
#define ALWAYS_POLLED 3 /* before the listeners */

enum phase {
	PHASE_SETTING_UP,
	PHASE_PROGRAM_RUNS,
	PHASE_PROGRAM_ENDED, /* daemons that it left behind may use the bridges */
	PHASE_DRAINING,
};

static struct keeper {
	const struct start *start;
	struct keeper_inheritance own;
	struct kept kept;

	enum phase phase;
	long phase_since; /* milliseconds of sys_now() */
	long bridges;	  /* PID of the bridge process, 0: there is none */
	int control;	  /* to it */
	uint32_t starts;
	uint32_t crashes;
	long crashed_at;
} keeper_state;

/* The end of a sandbox whose bridge process has not reported it: there is none, or none any more. */
_Noreturn static void end(struct keeper *keeper)
{
	report_end(&keeper->kept, keeper->starts == 0 ? REPORT_IDLE : REPORT_CRASHED);
	kept_remove_files(&keeper->kept);
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

	if (keeper->bridges == 0 || keeper->phase == PHASE_PROGRAM_RUNS)
		return;
	/* If it has ended, poll tells. If it cannot be told, it drains as if the keeper were gone. */
	if (channel_send(keeper->control, &message, NO_DESCRIPTOR) < 0)
		(void)sys_shutdown_write(keeper->control);
}

/*
 * The program is to see that its network is gone: clients are refused from now on. The files go first: as long as a
 * socket is open its inode has no other use, so that what has the same number is our file.
 */
static void give_up(struct keeper *keeper)
{
	kept_remove_files(&keeper->kept);
	for (uint32_t i = 0; i < keeper->kept.parts.listener_count; i++)
		(void)sys_close(keeper->kept.parts.listeners[i]);
	keeper->kept.parts.listener_count = 0;
}

static void on_crash(struct keeper *keeper, int status)
{
	keeper->crashes++;
	keeper->crashed_at = sys_now();
	if (keeper->crashes >= MAX_CRASHES)
		give_up(keeper);
	report_crash(&keeper->kept.parts, status, MAX_CRASHES - keeper->crashes); /* whoever reads it finds it true */
}

static void start_bridges(struct keeper *keeper)
{
	long result = bridge_process_start(keeper->start, &keeper->kept.parts, &keeper->control);

	keeper->starts++;
	if (result < 0) {
		on_crash(keeper, EXIT_FENCE_FAILED << 8);
		return;
	}
	keeper->bridges = result;
	tell(keeper);
}

/* P0 has become the program, which closes its end; or it says that it never will. */
static void on_start(struct keeper *keeper)
{
	struct delivery delivery;

	if (channel_receive(keeper->own.life, &delivery, NULL, 0) >= 0) {
		kept_remove_files(&keeper->kept);
		sys_exit(0);
	}
	(void)sys_close(keeper->own.life); /* nothing was ever written to it here */
	keeper->own.life = NO_DESCRIPTOR;
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
	if (keeper->phase != PHASE_PROGRAM_RUNS && status == 0) {
		kept_remove_files(&keeper->kept);
		sys_exit(0); /* it has reported the end */
	}
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
	struct sys_poll polls[ALWAYS_POLLED + MAX_LISTENERS];

	for (;;) {
		int looks = keeper->bridges == 0 && pause_after_crash(keeper) == 0;
		size_t count = ALWAYS_POLLED;
		long happened;

		polls[0] = (struct sys_poll){ .fd = NO_DESCRIPTOR, .events = POLLIN };
		if (keeper->kept.has_reaper && keeper->phase != PHASE_DRAINING)
			polls[0].fd = keeper->own.life;
		else if (!keeper->kept.has_reaper && keeper->phase == PHASE_PROGRAM_RUNS)
			polls[0].fd = keeper->own.program;
		polls[1] = (struct sys_poll){ .fd = keeper->bridges == 0 ? NO_DESCRIPTOR : keeper->control,
					      .events = POLLIN };
		polls[2] = (struct sys_poll){ .fd = keeper->kept.has_reaper ? NO_DESCRIPTOR : keeper->own.life,
					      .events = POLLIN };
		for (uint32_t i = 0; looks && i < keeper->kept.parts.listener_count; i++)
			polls[count++] = (struct sys_poll){ .fd = keeper->kept.parts.listeners[i], .events = POLLIN };
		happened = sys_poll(polls, count, patience(keeper));

		if (happened > 0 && polls[2].happened != 0)
			on_start(keeper);
		if (happened > 0 && polls[0].happened != 0) {
			enter(keeper, keeper->kept.has_reaper ? PHASE_DRAINING : PHASE_PROGRAM_ENDED);
			tell(keeper);
		}
		if (happened > 0 && polls[1].happened != 0) {
			on_bridges_ended(keeper);
			continue;
		}
		for (size_t i = ALWAYS_POLLED; happened > 0 && i < count; i++) {
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
	state->kept.idle_report = state->control = NO_DESCRIPTOR;
	state->kept.parts.executable = inheritance->executable;
	state->kept.parts.relay_plan = state->kept.parts.ruleset = NO_DESCRIPTOR;
	state->kept.parts.status = state->kept.parts.debug = NO_DESCRIPTOR;
	become_keeper(state);
	kept_take(&state->kept, inheritance->setup);
	(void)sys_close(state->own.setup); /* the set-up has ended, or is about to */
	enter(state, PHASE_PROGRAM_RUNS);
	serve(state);
}
