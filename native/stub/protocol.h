/*
 * The messages between the stub's processes (P0, the keeper) and Node (the set-up, the bridge process).
 *
 * Runs:     both ends of SOCK_SEQPACKET socket pairs. src/sys/stub.ts and src/sys/keeper.ts speak the other ends.
 * Promises: one message, one packet; a packet of any other magic is refused.
 * Source:   docs/bootstrap.md
 */
#ifndef FENCE_STUB_PROTOCOL_H
#define FENCE_STUB_PROTOCOL_H

#include <stdint.h>

#define PROTOCOL_MAGIC 0x50434e46u /* "FNCP" */

enum message_kind {
	/* Between the set-up and P0. */
	MESSAGE_EXEC_PLAN = 1, /* to P0: value = size of the plan; descriptors: the plan, then the ruleset if any */
	MESSAGE_EXIT = 2,      /* to P0: value = the status to exit with; the error has been reported */
	MESSAGE_TAKE = 3,      /* to P0: value = a descriptor that the caller meant for fence, not for the program */
	MESSAGE_TAKEN = 4,     /* from P0: error = 0 with the descriptor, or an errno value of call value */
	MESSAGE_FAILED = 5,    /* from P0: step, index and error of the plan's step that failed; P0 then awaits EXIT. value =
				which of the step's calls, enum exec_plan_listen_call and so on. When there was nothing to execute:
				descriptor = O_PATH of the root directory, to look at it from outside */
	MESSAGE_REFER = 6,     /* to P0: answer TAKEN with your pidfd, or in a launched sandbox only if that fails; value:
				enum reaper_place; unless that is 0 stay as the reaper, a child goes on as P0 and answers. In
				the sandbox of a launcher index is the descriptor
				that leads to it; in the launcher's front the answer's index is the one to hand to the sandbox,
				and its step has a bit for each of the descriptors 0 to 2 that the caller had closed. To
				the inside step is the descriptor on which sockets are asked for, MESSAGE_SOCKET, or 0. A
				front's answer has the first of the numbers that are free from there on as its value, and
				struct message_signals as its payload */
	MESSAGE_VERIFY = 7,    /* to P0: as EXEC_PLAN, but for a throw-away child; payload: its attempts */
	MESSAGE_TRIED = 8,     /* from that child: index of the attempt; value = its result, or error = its errno value */
	MESSAGE_VERIFIED = 9,  /* from P0: the child has ended, value = its wait status; error: of clone(2), or with
				index = 1 of wait4(2) */
	MESSAGE_GIVE = 10,     /* to P0: value = how many descriptors, GIVEN_DESCRIPTORS at most: the program is to inherit them
				under the numbers from index on, where nothing may be. Answered by TAKEN only if that fails:
				no plan is carried out then */

	/*
	 * From the set-up to the keeper, which answers only READY. EXIT: there is nothing to keep, nor to remove; of P0: it does
	 * not become the program.
	 */
	MESSAGE_LISTENER = 16,	  /* descriptor: a listening socket. From P0, launched: that of the plan's step index */
	MESSAGE_SOCKET_FILE = 17, /* value: which place, from 0: the listener is made, its file is to be removed at the end */
	MESSAGE_MAY_CONNECT = 18, /* payload: the path of a Unix target that the bridge process must be allowed to use */
	MESSAGE_RELAY_PLAN = 19,  /* descriptor: a sealed memory file, what the bridge process is to do */
	MESSAGE_RULESET = 20,	  /* descriptor: the Landlock ruleset of the bridge process */
	MESSAGE_FILTER = 21,	  /* payload: the seccomp filter of the bridge process, struct sock_filter[] */
	MESSAGE_STATUS = 22, /* descriptors: the status descriptor; the report of an end without a connection */
	MESSAGE_DEBUG = 23,  /* descriptor: where messages go */
	MESSAGE_READY = 24,  /* was that all right? value = 1: P0 stays as the reaper and says when it has ended. From P0,
				launched: all steps are carried out but the last */
	MESSAGE_KEPT = 25,   /* the answer: error = 0, or of the first message that failed: its kind is step, its place among
				its kind index */
	MESSAGE_SERVE = 26,  /* the program has started */
	MESSAGE_SOCKET_PLACE = 27, /* descriptor: a directory; payload: the name in it that a Unix listener is about to be
				      given; value = 1: the sender saw that nothing has it. This process may be late */

	/* Towards the end. */
	MESSAGE_PROGRAM_ENDED = 32, /* keeper to bridge process: daemons may still use the bridges */
	MESSAGE_DRAIN = 33,	    /* reaper to keeper, keeper to bridge process: deliver what is held, then end. Front to
				       launcher: value = wait status, index = 1: of the program. It answers EXIT, or DRAIN when
				       the front is to end as that says */

	/* Between the front, the launcher's reaper on the host, and the reaper in the sandbox. */
	MESSAGE_SIGNAL = 48,  /* to the sandbox: value = a signal for the program */
	MESSAGE_STARTED = 49, /* from the sandbox: from now on the program has the terminal's signals */
	MESSAGE_STOPPED = 50, /* from the sandbox: value = the signal that stopped the program, index = its how manyth stop;
				 to it: is it still stopped? */
	MESSAGE_ENDED = 51,   /* from the sandbox: value = the program's wait status */
	MESSAGE_STOP = 52,    /* from the sandbox, the answer: value = the signal to stop by, or 0: it goes on */
	MESSAGE_GO_ON = 53,   /* to the sandbox: the front was continued: value = after which stop of the program's */

	/* Between the reaper in the sandbox and whoever connects to ports in there from outside. */
	MESSAGE_SOCKET = 54,  /* value = AF_INET or AF_INET6: a TCP socket of the sandbox's, please; the answer: descriptor, or error
				 with value: of which call, 0 socket(2), 1 sendmsg(2). Its index and step are those of the request */

	/* From a front to a launcher that serves several. */
	MESSAGE_ATTACH = 64,  /* value, index: which start it is for; descriptors: setup and life, as a launcher's own have them */

	/*
	 * Between a launcher and its network part, whose stub takes RULESET and FILTER and becomes Node at READY. DEBUG to Node: why
	 * connections fail is to be said; from it, such a text as payload. DRAIN: as below for one sandbox, value = milliseconds
	 * without progress that are taken to be for ever; the answer is DELIVERED. index: the sandbox's number.
	 */
	MESSAGE_SANDBOX = 80,	/* value = how many connections each end has at most; descriptor: where its sockets are asked for */
	MESSAGE_ENDPOINT = 81,	/* descriptor: a listener; payload: JSON, src/network/network-end.ts */
	MESSAGE_CLOSE = 82,	/* all ends of the sandbox, at once */
	MESSAGE_DELIVERED = 83, /* value: 0 all, 1 nothing moved any more, 2 it took too long; payload: JSON, what each end has done */
};

/* What MESSAGE_TAKEN says has failed. */
enum taken_call {
	TAKEN_FCNTL = 0,
	TAKEN_SENDMSG = 1,
	TAKEN_CLONE = 2,
	TAKEN_PIDFD_OPEN = 3,
	TAKEN_SOCKETPAIR = 4,
	TAKEN_CLOSE_RANGE = 5,
	TAKEN_OPEN = 6,
	TAKEN_RECVMSG = 7,
	TAKEN_RT_SIGPROCMASK = 8,
	TAKEN_RT_SIGACTION = 9,
};

/* What one message brings at most, unix(7). */
#define GIVEN_DESCRIPTORS 253

/* Which process stays behind as the program's reaper, and whom it answers to. */
enum reaper_place {
	REAPER_NONE = 0,
	REAPER_ALONE = 1,   /* `--init`: what a shell or a container engine sees is what it would see of the program */
	REAPER_INSIDE = 2,  /* in the sandbox of a launcher: the front is told instead */
	REAPER_FRONT = 3,   /* on the host: the process that the user started, whose child becomes bubblewrap */
};

/* Some kinds have a payload behind it. */
struct message {
	uint32_t magic;
	uint32_t kind;
	uint32_t value;
	uint32_t step;	/* a step type of the exec plan */
	uint32_t index; /* which step of the plan, from 0 */
	uint32_t error; /* an errno value */
};
_Static_assert(sizeof(struct message) == 24, "spoken by src/sys/protocol.ts");

/* Of what becomes the sandbox, a bit each, the lowest for number 1: what the caller had blocked and ignored. */
struct message_signals {
	uint64_t blocked;
	uint64_t ignored;
};

#endif
