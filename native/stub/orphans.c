/* Who has lost its parent: see reaper-parts.h. */
#include "reaper-parts.h"

/* How long killed processes may take to be gone; one that waits for a disk can take longer than anybody waits. */
#define END_MILLISECONDS 5000

/*
 * Counts the children of this process, proc_pid_task_children(5), and kills them if @kills. A number stays a child's until it
 * is waited for. Returns -errno when it cannot tell: the kernel has no CONFIG_PROC_CHILDREN, docs/backend-landlock.md.
 */
static long count_children(int kills)
{
	char numbers[512];
	long count = 0, pid = 0, length, fd = sys_open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fd;
	while ((length = sys_read((int)fd, numbers, sizeof(numbers))) > 0) {
		for (long i = 0; i < length; i++) {
			if (numbers[i] >= '0' && numbers[i] <= '9') {
				pid = pid * 10 + (numbers[i] - '0');
				continue;
			}
			if (pid > 1 && kills)
				(void)sys_kill(pid, SIGKILL);
			count += pid > 1;
			pid = 0;
		}
	}
	(void)sys_close((int)fd);
	return count;
}

/*
 * Before there is a program. Orphans get this process as their parent, prctl(2). Inside it is not to be killed with the front:
 * then nobody would end them. The front may have become what it is in a shell with children, or be PID 1 and have the launcher
 * as one: those are not to be ended, and then it adopts none. The calls of prctl(2) cannot fail with their arguments.
 */
void orphans_adopt(struct reaper *reaper)
{
	int is_inside = reaper->ends.place == REAPER_INSIDE;
	int is_front = reaper->ends.place == REAPER_FRONT;

	if ((!is_inside && !is_front) || sys_getpid() == 1 || (is_front && count_children(0) != 0))
		return;
	reaper->adopts = sys_prctl(PR_SET_CHILD_SUBREAPER, 1) >= 0;
	if (reaper->adopts && is_inside)
		(void)sys_prctl(PR_SET_PDEATHSIG, 0);
}

void orphans_end(struct reaper *reaper)
{
	long end = sys_now() + END_MILLISECONDS;
	int status;

	while (reaper->adopts && sys_now() < end) {
		struct sys_poll ended = { .fd = reaper->signals, .events = POLLIN };

		(void)count_children(1);
		if (reaper_reap(reaper, &status) < 0) /* ECHILD */
			return;
		(void)sys_poll(&ended, 1, LOOK_AGAIN_MILLISECONDS);
		(void)reaper_forward_signals(reaper);
	}
}
