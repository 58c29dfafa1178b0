/* The reaper in the sandbox of a launcher, which obeys the front: see reaper-parts.h. */
#include "reaper-parts.h"

void inside_hear_front(struct reaper *reaper, const struct message *message)
{
	const uint32_t number = message->value;
	long at;

	if (message->kind == MESSAGE_GO_ON) {
		reaper->goes_on_after = number; /* when it is known where the program is, see inside_answer_front() */
		return;
	}
	if (number < 1 || number > LAST_SIGNAL)
		return;
	if (message->kind == MESSAGE_STOPPED)
		reaper->stop_asked = (int)number; /* likewise */
	if (message->kind != MESSAGE_SIGNAL)
		return;
	at = reaper->received_at[number];
	if (at == 0 || sys_now() - at > SAME_SIGNAL_MILLISECONDS)
		reaper_signal_program(reaper, (int)number);
}

/*
 * The program is continued only out of the stop that the front meant: a shell continues the whole job, and then the next Ctrl-Z
 * may have come already.
 */
void inside_answer_front(struct reaper *reaper)
{
	if (reaper->goes_on_after != 0 && reaper->is_stopped && reaper->stops == reaper->goes_on_after)
		reaper_signal_program(reaper, SIGCONT);
	reaper->goes_on_after = 0;
	if (reaper->stop_asked != 0)
		reaper_tell(reaper, MESSAGE_STOP, reaper->is_stopped ? reaper->stop_asked : 0);
	reaper->stop_asked = 0;
}
