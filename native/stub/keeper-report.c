/* What the keeper says on the status descriptor: see keeper-report.h. */
#include "keeper-report.h"

#include "descriptor.h"
#include "sys.h"
#include "text.h"

#define REPORT_MILLISECONDS 1000

/* Writes unless the reader lets it wait; nobody is left to tell that it failed. Returns whether all was written. */
static int report(int to, const char *bytes, size_t length)
{
	struct sys_poll poll = { .fd = to, .events = POLLOUT };

	return to != NO_DESCRIPTOR && sys_poll(&poll, 1, REPORT_MILLISECONDS) == 1 &&
	       sys_write(to, bytes, length) == (long)length;
}

static void report_idle_end(const struct kept *kept)
{
	char bytes[2048]; /* less than PIPE_BUF: a pipe that is writable takes it whole, pipe(7) */
	uint64_t offset = 0;
	long length;

	if (kept->idle_report == NO_DESCRIPTOR)
		return;
	while ((length = sys_pread(kept->idle_report, bytes, sizeof(bytes), offset)) > 0) {
		if (!report(kept->parts.status, bytes, (size_t)length))
			return;
		offset += (uint64_t)length;
	}
}

void report_end(const struct kept *kept, enum report_end how)
{
	static const char crashed[] = "{\"event\":\"ended\",\"bridges\":[]}\n";

	if (how == REPORT_IDLE)
		report_idle_end(kept);
	else
		(void)report(kept->parts.status, crashed, sizeof(crashed) - 1); /* as above */
}

void report_crash(const struct bridge_process *parts, int status, uint32_t restarts_left)
{
	char bytes[256];
	struct text text = text_in(bytes, sizeof(bytes));
	int signal = status & 0x7f;

	text_add(&text, "{\"event\":\"bridges-crashed\",\"exit\":");
	if (signal == 0)
		text_add_number(&text, (status >> 8) & 0xff);
	else
		text_add(&text, "null");
	text_add(&text, ",\"signal\":");
	if (signal != 0)
		text_add_number(&text, signal);
	else
		text_add(&text, "null");
	text_add(&text, ",\"restartsLeft\":");
	text_add_number(&text, (long)restarts_left);
	text_add(&text, "}\n");
	(void)report(parts->status, bytes, text.length); /* as above */
	(void)report(parts->debug, bytes, text.length);
}
