/*
 * Says when it runs. With bubblewrap's arguments it then becomes bubblewrap, so that the moment of its start is known.
 *
 *   stamp [ARG...]
 *
 * Runs:     on the host and in the sandbox (test/bench/launch-phases.ts).
 * Promises: prints what it stands for and the nanoseconds of CLOCK_MONOTONIC, by which Node's process.hrtime goes as well.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int is_program = argc < 2;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (is_program || strcmp(argv[1], "--args") == 0) /* not asked for its version */
		dprintf(STDOUT_FILENO, "%s %lld\n", is_program ? "program" : "bwrap",
			now.tv_sec * 1000000000LL + now.tv_nsec);
	if (is_program)
		return 0;
	execv(BWRAP, argv);
	perror(BWRAP);
	return 1;
}
