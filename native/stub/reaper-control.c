/* What front and sandbox say to each other: see reaper-parts.h. */
#include "reaper-parts.h"

#include "channel.h"
#include "descriptor.h"

void reaper_tell(const struct reaper *reaper, enum message_kind kind, int value)
{
	struct message message = { .kind = kind, .value = (uint32_t)value, .index = reaper->stops };

	/*
	 * Whoever is gone needs no telling; its end is seen elsewhere. Whoever does not listen, having been stopped, is waited
	 * for with the end alone: this process has its program to look after, and each might wait for the other.
	 */
	if (kind == MESSAGE_ENDED)
		(void)channel_send(reaper->ends.control, &message, NO_DESCRIPTOR);
	else
		(void)channel_offer(reaper->ends.control, &message, NO_DESCRIPTOR);
}

void reaper_hear(struct reaper *reaper)
{
	struct delivery delivery;

	if (channel_receive(reaper->ends.control, &delivery, NULL, 0) < 0) {
		(void)sys_close(reaper->ends.control);
		reaper->ends.control = NO_DESCRIPTOR;
		if (reaper->ends.place == REAPER_INSIDE)
			reaper_signal_program(reaper, SIGKILL); /* nobody is left to run it for */
		return;
	}
	channel_drop(&delivery);
	if (reaper->ends.place == REAPER_FRONT)
		front_hear_sandbox(reaper, &delivery.message);
	else
		inside_hear_front(reaper, &delivery.message);
}
