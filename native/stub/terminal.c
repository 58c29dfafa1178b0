/* The terminal, after a sandbox: see terminal.h. */
#include "terminal.h"

#include "sys.h"

/*
 * A shell in the sandbox that made a process group of its own the foreground one cannot give the terminal back: the group
 * that had it before has no number in there. When nobody has it, it is this process's group's again.
 */
void terminal_take_back(void)
{
	int terminal = (int)sys_open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC), foreground = 0;
	const int own = (int)sys_getpgrp();

	if (terminal < 0)
		return; /* there is none */
	if (sys_get_foreground(terminal, &foreground) >= 0 && foreground > 0 && sys_kill(-foreground, 0) == -ESRCH)
		(void)sys_set_foreground(terminal, &own); /* SIGTTOU is blocked, so that this is allowed, tcsetpgrp(3) */
	(void)sys_close(terminal);
}
