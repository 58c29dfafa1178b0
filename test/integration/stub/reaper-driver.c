/*
 * Tries the reaper where the order of what happens matters: it is stopped, everything happens, then it goes on.
 *
 * Runs:     in tests, with a libc, under AddressSanitizer and UndefinedBehaviorSanitizer.
 * Promises: nothing depends on time, the reaper's clock is the driver's; each case ends with the reaper, whose end it prints.
 *
 *   reaper-driver CASE
 *
 * The driver is who sends the reaper's signals, and the other end of its messages: launcher and sandbox of a front.
 */
#include "../../../native/stub/sys.h"

static long *driver_clock; /* shared, in milliseconds */
#define sys_now() (*(volatile long *)driver_clock)
#include "../../../native/stub/orphans.c"
#include "../../../native/stub/reaper.c"
#include "../../../native/stub/reaper-control.c"
#include "../../../native/stub/reaper-front.c"
#include "../../../native/stub/reaper-inside.c"
#include "../../../native/stub/reaper-loop.c"
#include "../../../native/stub/reaper-signals.c"
#undef sys_now

#include "random.h"

#define SIGUSR1 10
#define SIGUSR2 12

int strcmp(const char *one, const char *other);

enum { FIRST_REAL_TIME = 34, MORE_THAN_FIT = 1000 };

static struct {
	long reaper;
	int program;
	int life;
	int control;
	int factory;
	int heard; /* a byte for each signal that the program gets */
} with;

/* Tells of each signal; one of real time ends it, with the status that its number says. */
_Noreturn static void be_program(int heard)
{
	uint64_t all = ~0UL;
	int signals = (int)SYSCALL(__NR_signalfd4, -1, &all, sizeof(all), 0);
	struct sys_signal signal;
	int self = (int)sys_getpid();

	(void)sys_set_blocked_signals(~0UL);
	if (sys_write(heard, &self, sizeof(self)) != sizeof(self))
		sys_exit(96);
	for (;;) {
		unsigned char number;

		if (sys_read(signals, &signal, sizeof(signal)) != sizeof(signal))
			sys_exit(99);
		number = (unsigned char)signal.number;
		if (sys_write(heard, &number, 1) != 1)
			sys_exit(98);
		if (number > FIRST_REAL_TIME)
			sys_exit(number - FIRST_REAL_TIME);
	}
}

static void start_reaper(enum reaper_place place, int ignored)
{
	int life[2], control[2], factory[2], pipe_ends[2];
	const struct sys_action ignore = { .handler = SYS_IGNORED };
	static struct start none;
	long map = sys_mmap(0, 4096, PROT_READ | PROT_WRITE, 0x01 /* MAP_SHARED */ | MAP_ANONYMOUS, -1, 0);

	expect(!sys_failed(map), "mmap");
	driver_clock = (long *)map;
	*driver_clock = 1000;
	expect(channel_pair(life) == 0 && channel_pair(control) == 0, "socketpair");
	expect(channel_pair(factory) == 0, "socketpair");
	expect(SYSCALL(__NR_pipe2, pipe_ends, O_CLOEXEC) == 0, "pipe2");
	with.reaper = SYSCALL(__NR_clone, SIGCHLD, 0, 0, 0, 0);
	expect(with.reaper >= 0, "clone");
	if (with.reaper == 0) {
		struct reaper_ends ends = {
			.place = place,
			.life = life[0],
			.control = control[0],
			.factory = place == REAPER_INSIDE ? factory[0] : NO_DESCRIPTOR,
		};

		(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL); /* a broken promise leaves nobody behind */
		(void)sys_close(life[1]);
		(void)sys_close(control[1]);
		(void)sys_close(factory[1]);
		(void)sys_close(pipe_ends[0]);
		/* A group whose parent is of another, in the same session: it can be stopped, setpgid(2). */
		(void)SYSCALL(__NR_setpgid, 0, 0);
		if (ignored != 0)
			(void)sys_action(ignored, &ignore, NULL);
		none.argv = none.envp = (char *[]){ NULL };
		if (reaper_fork(&none, &ends) != 0)
			sys_exit(97);
		be_program(pipe_ends[1]);
	}
	(void)sys_close(life[0]);
	(void)sys_close(control[0]);
	(void)sys_close(factory[0]);
	(void)sys_close(pipe_ends[1]);
	with.life = life[1];
	with.control = control[1];
	with.factory = factory[1];
	with.heard = pipe_ends[0];
	expect(sys_read(with.heard, &with.program, sizeof(with.program)) == sizeof(with.program), "it starts");
}

static int await_reaper(int options)
{
	int status = 0;

	expect(SYSCALL(__NR_wait4, with.reaper, &status, options, 0) == with.reaper, "wait4");
	return status;
}

static void send_reaper(int signal)
{
	expect(sys_kill(with.reaper, signal) == 0, "kill");
}

/* Whatever happens now is there at once when it goes on. */
static void hold(void)
{
	send_reaper(SIGSTOP);
	expect(STOPPED(await_reaper(WUNTRACED)), "it stops");
}

static void await_zombie(void)
{
	struct sys_poll poll = { .fd = (int)sys_pidfd_open(with.program), .events = POLLIN };

	expect(poll.fd >= 0 && sys_poll(&poll, 1, -1) == 1, "it ends");
	(void)sys_close(poll.fd);
}

static void go_on(void)
{
	send_reaper(SIGCONT);
}

static void say(int socket, enum message_kind kind, int value)
{
	struct message message = { .kind = kind, .value = (uint32_t)value };

	expect(channel_send(socket, &message, NO_DESCRIPTOR) == 0, "sendmsg");
}

static struct message next(int socket)
{
	struct delivery delivery;

	expect(channel_receive(socket, &delivery, NULL, 0) == 0, "recvmsg");
	return delivery.message;
}

static void expect_next(int socket, enum message_kind kind, int value)
{
	struct message message = next(socket);

	if (message.kind != kind || message.value != (uint32_t)value)
		dprintf(2, "kind %u, value %u\n", message.kind, message.value);
	expect(message.kind == kind && message.value == (uint32_t)value, "the message");
}

static void expect_heard(int signal)
{
	unsigned char number = 0;

	expect(sys_read(with.heard, &number, 1) == 1, "the program hears something");
	if (number != signal)
		dprintf(2, "heard %d\n", number);
	expect(number == signal, "the program hears this signal");
}

/* Of the program, not of the reaper. */
static void end_program(int status)
{
	say(with.control, MESSAGE_SIGNAL, FIRST_REAL_TIME + status);
	expect_heard(FIRST_REAL_TIME + status);
}

static void print_end(void)
{
	int status = await_reaper(0);

	if (SIGNAL_OF(status) != 0)
		printf("signal %d\n", SIGNAL_OF(status));
	else
		printf("exit %d\n", EXIT_OF(status));
}

static void start_inside(void)
{
	struct sys_poll told = { .events = POLLIN };

	start_reaper(REAPER_INSIDE, 0);
	told.fd = with.control;
	expect(sys_poll(&told, 1, 0) == 1, "whoever sees the program finds that it was told");
	expect(next(with.control).kind == MESSAGE_STARTED, "it says so");
}

/* The front, whose sandbox has its program. */
static void start_front(int ignored)
{
	start_reaper(REAPER_FRONT, ignored);
	say(with.control, MESSAGE_STARTED, 0);
	send_reaper(SIGUSR1); /* passed on: it has read what stands before it */
	expect_next(with.control, MESSAGE_SIGNAL, SIGUSR1);
}

static void inside_once(void)
{
	start_inside();
	hold();
	send_reaper(SIGTERM); /* as a member of the group */
	say(with.control, MESSAGE_SIGNAL, SIGTERM);
	go_on();
	say(with.control, MESSAGE_SIGNAL, SIGUSR2);
	expect_heard(SIGUSR2);
	*driver_clock += SAME_SIGNAL_MILLISECONDS + 1;
	say(with.control, MESSAGE_SIGNAL, SIGTERM);
	expect_heard(SIGTERM);
	end_program(3);
	expect_next(with.control, MESSAGE_ENDED, 3 << 8);
	expect_next(with.life, MESSAGE_DRAIN, 0);
	(void)sys_close(with.life);
}

static void inside_alone(void)
{
	start_inside();
	(void)sys_close(with.control);
	expect_next(with.life, MESSAGE_DRAIN, 0);
	(void)sys_close(with.life);
}

/* Sockets are made meanwhile, for the asking alone. */
static void inside_factory(void)
{
	struct message odd = { .kind = MESSAGE_SIGNAL, .value = AF_INET };
	struct message asked = { .kind = MESSAGE_SOCKET, .value = AF_INET6, .step = 7, .index = 8 };
	struct delivery delivery;

	start_inside();
	expect(channel_send_both(with.factory, &odd, with.factory, with.control) == 0, "sendmsg");
	for (int i = 0; i < 2; i++) {
		expect(channel_send(with.factory, &asked, NO_DESCRIPTOR) == 0, "sendmsg");
		expect(channel_receive(with.factory, &delivery, NULL, 0) == 0, "recvmsg");
		expect(delivery.message.kind == MESSAGE_SOCKET && delivery.message.error == 0, "it is made");
		expect(delivery.message.step == 7 && delivery.message.index == 8, "as it was asked for");
		expect(delivery.descriptors[0] != NO_DESCRIPTOR, "it comes");
		channel_drop(&delivery);
	}
	asked.value = AF_UNIX;
	expect(channel_send(with.factory, &asked, NO_DESCRIPTOR) == 0, "sendmsg");
	expect(channel_receive(with.factory, &delivery, NULL, 0) == 0, "recvmsg");
	expect(delivery.message.error == EAFNOSUPPORT && delivery.message.value == 0, "no other family");
	hold();
	while (channel_offer(with.factory, &asked, NO_DESCRIPTOR) == 0) /* more than are read */
		continue;
	(void)sys_close(with.factory);
	go_on();
	end_program(7);
	expect_next(with.control, MESSAGE_ENDED, 7 << 8);
	expect_next(with.life, MESSAGE_DRAIN, 0);
	(void)sys_close(with.life);
}

static void inside_odd_messages(void)
{
	start_inside();
	say(with.control, MESSAGE_SIGNAL, 0);
	say(with.control, MESSAGE_SIGNAL, LAST_SIGNAL + 1);
	say(with.control, MESSAGE_SIGNAL, -1);
	say(with.control, MESSAGE_EXIT, 7);
	end_program(4);
	expect_next(with.control, MESSAGE_ENDED, 4 << 8);
	expect_next(with.life, MESSAGE_DRAIN, 0);
	(void)sys_close(with.life);
}

static void front_started_and_term(void)
{
	start_reaper(REAPER_FRONT, 0);
	hold();
	say(with.control, MESSAGE_STARTED, 0);
	send_reaper(SIGTERM);
	go_on();
	expect_next(with.control, MESSAGE_SIGNAL, SIGTERM); /* the lowest is read first, signalfd(2) */
	expect_next(with.control, MESSAGE_SIGNAL, SIGCONT);
	(void)sys_close(with.life);
}

static void front_term_before(void)
{
	start_reaper(REAPER_FRONT, 0);
	send_reaper(SIGTERM);
	expect_next(with.life, MESSAGE_DRAIN, SIGTERM);
	(void)sys_close(with.life);
}

static void front_ignored_before(void)
{
	start_reaper(REAPER_FRONT, SIGTERM);
	send_reaper(SIGTERM);
	send_reaper(SIGHUP);
	expect_next(with.life, MESSAGE_DRAIN, SIGHUP);
	(void)sys_close(with.life);
}

static void front_stop_before(void)
{
	int status;

	start_reaper(REAPER_FRONT, 0);
	send_reaper(SIGTSTP);
	status = await_reaper(WUNTRACED);
	expect(STOPPED(status) && EXIT_OF(status) == SIGTSTP, "it stops as asked");
	go_on();
	expect_heard(SIGCONT);
	send_reaper(SIGINT);
	expect_next(with.life, MESSAGE_DRAIN, SIGINT);
	(void)sys_close(with.life);
}

static void front_asked_twice(void)
{
	start_front(0);
	send_reaper(SIGTERM);
	expect_next(with.control, MESSAGE_SIGNAL, SIGTERM);
	*driver_clock += SAME_SIGNAL_MILLISECONDS;
	send_reaper(SIGTERM);
	expect_next(with.control, MESSAGE_SIGNAL, SIGTERM);
	*driver_clock += 1;
	send_reaper(SIGINT);
	expect_next(with.control, MESSAGE_SIGNAL, SIGINT);
	expect_next(with.life, MESSAGE_DRAIN, SIGKILL);
	(void)sys_close(with.life);
}

/* All that the sandbox has said counts, though everything is over: but a stop, of which nobody would let it go on. */
static void front_last_words(void)
{
	start_front(0);
	send_reaper(SIGTERM);
	expect_next(with.control, MESSAGE_SIGNAL, SIGTERM);
	hold();
	expect(sys_kill(with.program, SIGKILL) == 0, "kill");
	await_zombie();
	say(with.control, MESSAGE_STOPPED, SIGTSTP);
	say(with.control, MESSAGE_ENDED, 5 << 8);
	(void)sys_close(with.control);
	go_on();
	expect_next(with.life, MESSAGE_DRAIN, 5 << 8);
	say(with.life, MESSAGE_EXIT, 6);
	(void)sys_close(with.life);
}

/* A sandbox that ends before it has read all that it was sent: what it has said counts no less. */
static void front_unread(void)
{
	struct sys_poll unread = { .events = POLLIN };

	start_reaper(REAPER_FRONT, 0); /* as yet it sends nothing when it is continued */
	unread.fd = with.control;
	say(with.control, MESSAGE_STOPPED, SIGTSTP);
	expect(sys_poll(&unread, 1, -1) == 1, "it asks whether that is still so");
	hold();
	say(with.control, MESSAGE_ENDED, 7 << 8);
	(void)sys_close(with.control);
	expect(sys_kill(with.program, SIGKILL) == 0, "kill");
	await_zombie();
	go_on();
	expect_next(with.life, MESSAGE_DRAIN, 7 << 8);
	(void)sys_close(with.life);
}

static void front_odd_status(void)
{
	start_front(0);
	say(with.control, MESSAGE_STOPPED, LAST_SIGNAL + 1);
	say(with.control, MESSAGE_STOPPED, 0);
	say(with.control, MESSAGE_ENDED, 0x7f);
	say(with.control, MESSAGE_ENDED, LAST_SIGNAL + 1);
	send_reaper(SIGTERM);
	expect_next(with.control, MESSAGE_SIGNAL, SIGTERM);
	(void)sys_close(with.life);
}

/* What continues a stopped job may be heard of when the program has stopped once more: it must stay so. */
static void inside_stays_stopped(void)
{
	struct message stopped;

	start_inside();
	expect(sys_kill(with.program, SIGSTOP) == 0, "kill");
	stopped = next(with.control);
	expect(stopped.kind == MESSAGE_STOPPED && stopped.index == 1, "the first stop is told");
	hold();
	expect(sys_kill(with.program, SIGCONT) == 0, "kill"); /* as a member of the group */
	expect_heard(SIGCONT);
	expect(sys_kill(with.program, SIGSTOP) == 0, "kill");
	say(with.control, MESSAGE_GO_ON, 1);
	go_on();
	stopped = next(with.control);
	expect(stopped.kind == MESSAGE_STOPPED && stopped.index == 2, "the second stop is told");
	say(with.control, MESSAGE_STOPPED, SIGSTOP);
	expect_next(with.control, MESSAGE_STOP, SIGSTOP); /* it was not continued */
	say(with.control, MESSAGE_GO_ON, 2);
	expect_heard(SIGCONT);
	end_program(6);
	expect_next(with.control, MESSAGE_ENDED, 6 << 8);
	expect_next(with.life, MESSAGE_DRAIN, 0);
	(void)sys_close(with.life);
}

static void front_mirrors_stop(void)
{
	struct message stopped = { .kind = MESSAGE_STOPPED, .value = SIGTTIN, .index = 3 };
	int status;

	start_front(0);
	expect(channel_send(with.control, &stopped, NO_DESCRIPTOR) == 0, "sendmsg");
	expect_next(with.control, MESSAGE_STOPPED, SIGTTIN);
	say(with.control, MESSAGE_STOP, SIGTTIN);
	status = await_reaper(WUNTRACED);
	expect(STOPPED(status) && EXIT_OF(status) == SIGTTIN, "it stops as the program did");
	go_on();
	expect_next(with.control, MESSAGE_GO_ON, 3);
	expect_heard(SIGCONT); /* bubblewrap, which the terminal may have stopped */
	go_on(); /* to one that runs: it is the program's to hear */
	expect_next(with.control, MESSAGE_SIGNAL, SIGCONT);
	(void)sys_close(with.life);
}

/* Nobody reads: it must still see that its launcher has gone. */
static void front_full(void)
{
	start_front(0);
	for (int i = 0; i < MORE_THAN_FIT; i++)
		send_reaper(FIRST_REAL_TIME);
	(void)sys_close(with.life);
}

static void front_launcher_answers_early(void)
{
	start_front(0);
	say(with.life, MESSAGE_EXIT, 126);
	(void)sys_close(with.life);
}

/* What was to become bubblewrap has ended by itself. */
static void front_child_ends(int is_answered)
{
	start_reaper(REAPER_FRONT, 0);
	expect(sys_kill(with.program, FIRST_REAL_TIME + 5) == 0, "kill");
	expect_next(with.life, MESSAGE_DRAIN, 5 << 8);
	if (is_answered)
		say(with.life, MESSAGE_DRAIN, 0);
	(void)sys_close(with.life);
}

/* Its last word is older than the end of the sandbox, and it has gone since. */
static void front_launcher_has_left(void)
{
	start_reaper(REAPER_FRONT, 0);
	hold();
	say(with.life, MESSAGE_EXIT, 126);
	(void)sys_close(with.life);
	expect(sys_kill(with.program, FIRST_REAL_TIME + 5) == 0, "kill");
	await_zombie();
	go_on();
}

static void front_launcher_leaves(void)
{
	front_child_ends(1);
}

static void front_launcher_dies(void)
{
	front_child_ends(0);
}

/* What the launcher answers counts although somebody hangs up, which the caller ignores. */
static void front_ignored_hangup(int ignored)
{
	start_front(ignored);
	*driver_clock += 1;
	send_reaper(SIGTERM);
	expect_next(with.control, MESSAGE_SIGNAL, SIGTERM);
	*driver_clock += SAME_SIGNAL_MILLISECONDS + 1;
	send_reaper(SIGTERM);
	expect_next(with.control, MESSAGE_SIGNAL, SIGTERM);
	expect_next(with.life, MESSAGE_DRAIN, SIGKILL);
	hold();
	send_reaper(SIGHUP);
	say(with.life, MESSAGE_EXIT, 8);
	go_on();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{ "inside-once", inside_once },
		{ "inside-alone", inside_alone },
		{ "inside-factory", inside_factory },
		{ "inside-odd-messages", inside_odd_messages },
		{ "front-started-and-term", front_started_and_term },
		{ "front-term-before", front_term_before },
		{ "front-ignored-before", front_ignored_before },
		{ "front-stop-before", front_stop_before },
		{ "front-asked-twice", front_asked_twice },
		{ "front-last-words", front_last_words },
		{ "front-unread", front_unread },
		{ "front-odd-status", front_odd_status },
		{ "inside-stays-stopped", inside_stays_stopped },
		{ "front-mirrors-stop", front_mirrors_stop },
		{ "front-full", front_full },
		{ "front-launcher-answers-early", front_launcher_answers_early },
		{ "front-launcher-has-left", front_launcher_has_left },
		{ "front-launcher-leaves", front_launcher_leaves },
		{ "front-launcher-dies", front_launcher_dies },
	};

	expect(argc == 2, "one case");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name) != 0)
			continue;
		cases[i].run();
		print_end();
		exit(0);
	}
	expect(strcmp(argv[1], "front-ignored-hangup") == 0 || strcmp(argv[1], "front-hangup") == 0, "a case");
	front_ignored_hangup(strcmp(argv[1], "front-hangup") == 0 ? 0 : SIGHUP);
	print_end();
	exit(0);
}
