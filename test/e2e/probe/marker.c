/*
 * Leaves a mark wherever it is loaded: shows that a process obeyed LD_PRELOAD, LD_AUDIT, LD_LIBRARY_PATH or
 * /etc/ld.so.preload.
 *
 * Runs:     in end-to-end tests.
 * Promises: creates the file named by FENCE_TEST_MARKER, and nothing else.
 *
 * Build:    cc -shared -fPIC -O2 -o marker.so marker.c
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

unsigned int la_version(unsigned int version);

/* Of an audit library, rtld-audit(7). */
unsigned int la_version(unsigned int version)
{
	return version;
}

__attribute__((constructor)) static void leave_mark(void)
{
	const char *path = getenv("FENCE_TEST_MARKER");
	int file = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (file != -1)
		(void)close(file); /* nothing was written */
}
