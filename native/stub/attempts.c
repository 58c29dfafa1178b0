/* `--verify`: see attempts.h. */
#include "attempts.h"

#include "channel.h"
#include "descriptor.h"
#include "sys.h"

static const struct attempt *first_attempt(const void *bytes)
{
	return (const struct attempt *)((const char *)bytes + sizeof(struct attempts_header));
}

static unsigned int kind_of(const struct attempt *attempt, unsigned int argument)
{
	return attempt->kinds >> (2 * argument) & 3;
}

int attempts_check(const void *bytes, size_t size)
{
	const struct attempts_header *header = bytes;
	const struct attempt *attempts = first_attempt(bytes);

	if (size < sizeof(*header) || header->count > ATTEMPTS_MAX_COUNT ||
	    size - sizeof(*header) < header->count * sizeof(*attempts))
		return 0;
	for (uint32_t i = 0; i < header->count; i++) {
		for (unsigned int j = 0; j < ATTEMPT_ARGUMENTS; j++) {
			unsigned int kind = kind_of(&attempts[i], j);
			uint64_t given = attempts[i].arguments[j];

			if ((kind == ARGUMENT_DATA && given >= size) || (kind == ARGUMENT_RESULT && given >= i))
				return 0;
		}
	}
	return 1;
}

static long argument(const void *bytes, const struct attempt *attempt, unsigned int index, const long *results,
		     char **argv)
{
	uint64_t given = attempt->arguments[index];

	switch (kind_of(attempt, index)) {
	case ARGUMENT_DATA:
		return (long)((const char *)bytes + given);
	case ARGUMENT_RESULT:
		return results[given];
	case ARGUMENT_VECTOR:
		return (long)argv;
	default:
		return (long)given;
	}
}

long attempts_make(const void *bytes, char **argv, int socket)
{
	const struct attempts_header *header = bytes;
	const struct attempt *attempt = first_attempt(bytes);
	long results[ATTEMPTS_MAX_COUNT] = { 0 };

	for (uint32_t i = 0; i < header->count; i++, attempt++) {
		struct message tried = { .kind = MESSAGE_TRIED, .index = i };
		long a[ATTEMPT_ARGUMENTS] = { 0 }, sent;

		for (unsigned int j = 0; j < ATTEMPT_ARGUMENTS; j++)
			a[j] = argument(bytes, attempt, j, results, argv);
		results[i] = arch_syscall((long)attempt->number, a[0], a[1], a[2], a[3], a[4], a[5]);
		if (sys_failed(results[i]))
			tried.error = (uint32_t)-results[i];
		else
			tried.value = (uint32_t)results[i];
		sent = channel_send(socket, &tried, NO_DESCRIPTOR);
		if (sent < 0)
			return sent;
	}
	return 0;
}
