/* What the program leaves behind, without a PID namespace: see reaper-parts.h. */
#include "reaper-parts.h"

/* How long killed processes may take to be gone; one that waits for a disk can take longer than anybody waits. */
#define END_MILLISECONDS 5000

/* prctl(2). It is not to be killed with the front: then nobody would end them. Both calls cannot fail with these arguments. */
void orphans_adopt(struct reaper *reaper)
{
	if (reaper->ends.place != REAPER_INSIDE || sys_getpid() == 1)
		return;
	reaper->adopts = sys_prctl(PR_SET_CHILD_SUBREAPER, 1) >= 0;
	if (reaper->adopts)
		(void)sys_prctl(PR_SET_PDEATHSIG, 0);
}

/* Kills every child of this process, proc_pid_task_children(5). A number stays a child's until it is waited for. */
static void kill_children(void)
{
	char numbers[512];
	long pid = 0, length, fd = sys_open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return; /* a kernel without CONFIG_PROC_CHILDREN: docs/backend-landlock.md */
	while ((length = sys_read((int)fd, numbers, sizeof(numbers))) > 0) {
		for (long i = 0; i < length; i++) {
			if (numbers[i] >= '0' && numbers[i] <= '9') {
				pid = pid * 10 + (numbers[i] - '0');
				continue;
			}
			if (pid > 1)
				(void)sys_kill(pid, SIGKILL);
			pid = 0;
		}
	}
	(void)sys_close((int)fd);
}

/* What the program has left behind ends with it, as it would with a PID namespace: the children of those killed come next. */
void orphans_end(struct reaper *reaper)
{
	long end = sys_now() + END_MILLISECONDS;
	int status;

	while (reaper->adopts && sys_now() < end) {
		struct sys_poll ended = { .fd = reaper->signals, .events = POLLIN };

		kill_children();
		if (reaper_reap(reaper, &status) < 0) /* ECHILD */
			return;
		(void)sys_poll(&ended, 1, LOOK_AGAIN_MILLISECONDS);
		(void)reaper_forward_signals(reaper);
	}
}
