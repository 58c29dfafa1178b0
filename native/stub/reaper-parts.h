/*
 * What the parts of the reaper share: its state, and what each does for the others.
 *
 * Runs:     in the reaper alone, in all of its places.
 * Promises: nothing here blocks but the waiting, and the word of the program's end.
 * Source:   docs/init.md, docs/launch.md
 */
#ifndef FENCE_STUB_REAPER_PARTS_H
#define FENCE_STUB_REAPER_PARTS_H

#include "protocol.h"
#include "reaper.h"
#include "socket-factory.h"
#include "sys.h"

#define STOPPED(status) (((status) & 0xff) == 0x7f)
#define SIGNAL_OF(status) ((status) & 0x7f)
#define EXIT_OF(status) (((status) >> 8) & 0xff)
/* What reaches both the front and the sandbox within this time was sent to the whole process group. */
#define SAME_SIGNAL_MILLISECONDS 500
/* How long to wait before a look at what announces itself with nothing. */
#define LOOK_AGAIN_MILLISECONDS 100
#define BIT(signal) (1UL << ((signal) - 1))

struct reaper {
	struct reaper_ends ends;
	long program;
	int program_pidfd;
	struct socket_factory factory;	      /* inside */
	int signals;
	int standard_error;		      /* front: for its last words */
	uint64_t ignored;		      /* by the caller: a bit for each signal */
	long received_at[LAST_SIGNAL + 1];    /* inside: when this process got the signal itself; 0: never */
	int is_stopped;			      /* the program */
	uint32_t stops;			      /* how many the program has made; front: as it was told last */
	uint32_t stopped_after;		      /* front: the stop with which it stopped itself, until it was continued; 0: none */
	uint32_t goes_on_after;		      /* inside: the stop after which the front was continued; 0: it was not */
	int stop_asked;			      /* inside: the front wants to know whether that is still so, this signal */
	int asks_stop;			      /* front: it has asked, and awaits the answer */
	int has_started;		      /* front: the sandbox has its program */
	int ended_by;			      /* front: the signal that came before it had */
	long asked_at;			      /* front: when somebody last asked it to end */
	int ends_alone;			      /* front: the sandbox ends all of itself when it loses us */
	int adopts;			      /* this process is no PID 1, but gets orphans as one does */
	int exits_with;			      /* front: when the launcher does not see the sandbox's end */
	int has_status;			      /* front: the program has ended, with this */
	int status;
};

/* reaper-loop.c: waiting. */

/* Returns the program's wait status. */
int reaper_await_program(struct reaper *reaper);
/* Reaps whoever has ended. Returns 1 with the program's @status when it was the program, 0 when not, -errno. */
long reaper_reap(struct reaper *reaper, int *status);
/*
 * Sends @message as DRAIN, and waits until whoever drains has ended, which closes its end, or somebody has no patience. Returns
 * the kind of its answer, which is in @message then, or 0.
 */
uint32_t reaper_await_drain(struct reaper *reaper, struct message *message);
/* Of a process that the descriptor is of, or of who had the other end alone. */
int reaper_has_ended(int descriptor);

/* reaper-signals.c: signals, those that come and those that go. */

/* Passes the signals that were sent to this process alone on to the program. Returns whether one asked to end. */
int reaper_forward_signals(struct reaper *reaper);
void reaper_signal_program(const struct reaper *reaper, int signal);
/* Lets the signal have its default effect on this process. Returns when it has none, or when it was continued. */
void reaper_take_signal(int signal);
/* Ends as the program did: whoever waits sees the same. No core, this process is not dumpable. */
_Noreturn void reaper_end_as(int status);

/* reaper-control.c: what front and sandbox say to each other. */

void reaper_tell(const struct reaper *reaper, enum message_kind kind, int value);
/* Hears a message of the other end, which poll(2) has announced. */
void reaper_hear(struct reaper *reaper);

/* reaper-front.c: on the host. */

/* A signal that has reached the front: it is the program's to answer, when there is one and it has not got it. */
void front_pass_on(struct reaper *reaper, int signal, int was_for_group);
void front_hear_sandbox(struct reaper *reaper, const struct message *message);
/* Hears a word of the launcher's before the sandbox has ended, or its end. */
void front_hear_launcher(struct reaper *reaper);
/* What became bubblewrap has ended with @status. The sandbox may have told how its program ended; the launcher knows what that means. */
_Noreturn void front_end(struct reaper *reaper, int status);

/* reaper-inside.c: in the sandbox. */

void inside_hear_front(struct reaper *reaper, const struct message *message);
/* After reaper_reap(), which knows whether the program has gone on. */
void inside_answer_front(struct reaper *reaper);

/* orphans.c: what the program leaves behind where no PID namespace ends with it; what a bubblewrap leaves that is killed. */

/* From now on this process gets the orphans, as PID 1 would; without effect where it is PID 1, or they are not its concern. */
void orphans_adopt(struct reaper *reaper);
/* Kills them, if they were adopted, and waits until they are gone: the children of those killed come next. */
void orphans_end(struct reaper *reaper);

#endif
