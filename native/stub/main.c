/*
 * The program that the kernel starts when fence is run.
 *
 * Runs:     first, on the host and in the sandbox; also as the entry point of images without a libc.
 * Promises: `bootstrap` keeps this process for the program, and `run` for bubblewrap; other commands become Node.
 * Source:   docs/packed-format.md
 */
#include "attach.h"
#include "bootstrap.h"
#include "descriptor.h"
#include "fail.h"
#include "launched.h"
#include "network-process.h"
#include "node.h"
#include "start.h"
#include "sys.h"
#include "text.h"

#define STEP "start"

ARCH_ENTRY_POINTS;

void fence_main(unsigned long *stack);

_Noreturn static void die_secure(void)
{
	const struct failure failure = {
		.message = "fence must not be started with more privileges than its caller has (AT_SECURE)",
		.step = STEP,
		.hint = "it must not be set-user-ID or set-group-ID, nor carry file capabilities: chmod u-s,g-s, setcap -r",
		.code = "FENCE_STUB",
	};

	die(&failure);
}

static int open_executable(void)
{
	int file = descriptor_above_stdio(sys_open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	const struct failure failure = {
		.message = "cannot open",
		.path = "/proc/self/exe",
		.syscall = "open",
		.error = -file,
		.step = STEP,
		.hint = file == -ENOENT ? "mount /proc in the sandbox (bwrap: --proc /proc)"
			: file == -EACCES ? "the fence executable must be readable, not only executable"
			: file == -EMFILE ? "raise the limit on open files to at least 24: ulimit -n, RLIMIT_NOFILE"
					  : NULL,
		.code = "FENCE_STUB",
	};

	if (file < 0)
		die(&failure);
	return file;
}

/* The words of src/main.ts that name no program; they need nothing of this process. */
static int is_command(const char *word)
{
	static const char words[][sizeof("--linux-features")] = { /* no pointers: nobody would relocate them */
		"bridge", "check", "completion", "config", "service", "--help", "--version", "-h", "--linux-features",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (text_equal(word, words[i]))
			return 1;
	}
	return 0;
}

__attribute__((used)) void fence_main(unsigned long *stack)
{
	const struct node_role command = { .name = "command" };
	struct start start;
	int file;

	start = start_read(stack);
	if (start.is_secure)
		die_secure();
	if (start.argc > 1 && text_equal(start.argv[1], "launched"))
		launched(&start); /* /proc may be missing, nor is it needed */
	if (start.argc > 1 && text_equal(start.argv[1], "attach"))
		attach(&start);
	file = open_executable();
	if (start.argc > 1 && text_equal(start.argv[1], "bootstrap"))
		bootstrap(&start, file, SET_UP_BOOTSTRAP);
	if (start.argc > 1 && text_equal(start.argv[1], "network"))
		network_process(&start, file);
	if (start.argc > 1 && !is_command(start.argv[1]))
		bootstrap(&start, file, SET_UP_LAUNCHER);
	node_become(&start, file, &command);
}
