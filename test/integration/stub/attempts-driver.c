/*
 * Gives the stub random attempts of --verify, and makes those that it accepts with a system call that only looks.
 *
 * Runs:     in tests, with a libc, under AddressSanitizer and UndefinedBehaviorSanitizer.
 * Promises: the bytes are in a block of exactly their size, so that a pointer outside of them is found.
 *
 *   attempts-driver check         "accept" or "refuse" for each of standard input: its size (u32), its bytes
 *   attempts-driver SEED ROUNDS   prints how many random ones were accepted
 */
#include "../../../native/stub/sys.h"
#include "random.h"

static long look(long number, long a, long b, long c, long d, long e, long f);
#define arch_syscall look
#include "../../../native/stub/attempts.c"
#undef arch_syscall

static uint64_t state;
static const char *begin, *end;
static const struct attempt *made; /* the one that is next */
static unsigned long calls;

/* Reads what the kernel would, one byte of each pointer. */
static long look(long number, long a, long b, long c, long d, long e, long f)
{
	const long given[ATTEMPT_ARGUMENTS] = { a, b, c, d, e, f };

	(void)number;
	for (unsigned int i = 0; i < ATTEMPT_ARGUMENTS; i++) {
		if (kind_of(made, i) != ARGUMENT_DATA)
			continue;
		expect((const char *)given[i] >= begin && (const char *)given[i] < end, "a pointer to the bytes");
		(void)*(volatile const char *)given[i];
	}
	made++;
	calls++;
	return (long)random_number(&state);
}

long channel_send(int socket, struct message *message, int descriptor)
{
	(void)socket;
	(void)descriptor;
	expect(message->kind == MESSAGE_TRIED && message->index < ATTEMPTS_MAX_COUNT, "a result of an attempt");
	return 0;
}

static int try_bytes(const char *bytes, size_t size)
{
	char *exact = malloc(size > 0 ? size : 1), *argv[] = { NULL };
	int accepted;

	if (exact == NULL)
		abort();
	for (size_t i = 0; i < size; i++)
		exact[i] = bytes[i];
	begin = exact;
	end = exact + size;
	made = first_attempt(exact);
	accepted = attempts_check(exact, size);
	if (accepted)
		expect(attempts_make(exact, argv, -1) == 0, "all are made");
	free(exact);
	return accepted;
}

static int random_attempts(void)
{
	static char bytes[8 + 8 * sizeof(struct attempt) + 64];
	struct attempts_header *header = (void *)bytes;
	struct attempt *attempts = (void *)(bytes + sizeof(*header));
	size_t size = sizeof(*header) + random_below(&state, sizeof(bytes) - sizeof(*header) + 1);

	header->count = (uint32_t)random_below(&state, 9);
	if (random_below(&state, 10) == 0)
		header->count = (uint32_t)random_number(&state);
	if (random_below(&state, 10) == 0)
		size = random_below(&state, sizeof(*header));
	for (unsigned int i = 0; i < 8; i++) {
		attempts[i].number = (uint32_t)random_number(&state);
		attempts[i].kinds = (uint32_t)(random_number(&state) & random_number(&state));
		for (unsigned int j = 0; j < ATTEMPT_ARGUMENTS; j++)
			attempts[i].arguments[j] = random_below(&state, random_below(&state, 40) == 0 ? ~0UL : i + 1);
	}
	return try_bytes(bytes, size);
}

static int read_whole(void *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		long result = sys_read(0, (char *)bytes + done, length - done);

		if (result <= 0)
			return 0;
		done += (size_t)result;
	}
	return 1;
}

int main(int argc, char **argv)
{
	static char bytes[ATTEMPTS_MAX_BYTES];
	unsigned long accepted = 0;
	uint32_t size;

	if (argc == 3) {
		state = strtoul(argv[1], NULL, 10);
		for (unsigned long rounds = strtoul(argv[2], NULL, 10); rounds > 0; rounds--)
			accepted += (unsigned long)random_attempts();
		expect(calls > 0, "some are made");
		printf("%lu\n", accepted);
		return 0;
	}
	state = 1;
	while (read_whole(&size, sizeof(size)) && size <= sizeof(bytes) && read_whole(bytes, size))
		printf("%s\n", try_bytes(bytes, size) ? "accept" : "refuse");
	return 0;
}
