/* Takes this process's arguments and environment out of /proc: see arguments.h. */
#include "arguments.h"

#include "text.h"

static void wipe(char *string)
{
	memset(string, 0, text_length(string));
}

void arguments_replace(const struct start *start, const char *title)
{
	size_t room = 0;

	/* The kernel lays the arguments out one after the other, and /proc/PID/cmdline shows them all. */
	for (size_t i = 0; i < start->argc; i++)
		room += text_length(start->argv[i]) + 1;
	for (size_t i = 0; i < start->argc; i++)
		wipe(start->argv[i]);
	for (size_t i = 0; i < start->envc; i++)
		wipe(start->envp[i]);
	for (size_t i = 0; title[i] != '\0' && i + 1 < room; i++)
		start->argv[0][i] = title[i];
}
