/*
 * Tries the stub's small parts: text, arguments, messages of failures, descriptors, /proc.
 *
 * Runs:     in tests, with a libc, under AddressSanitizer and UndefinedBehaviorSanitizer.
 * Promises: buffers have exactly the size that the parts are told.
 *
 *   units-driver text SEED ROUNDS | arguments SEED ROUNDS | failures | descriptors | processes
 */
#include "../../../native/stub/arguments.h"
#include "../../../native/stub/channel.h"
#include "../../../native/stub/descriptor.h"
#include "../../../native/stub/fail.h"
#include "../../../native/stub/proc-list.h"
#include "../../../native/stub/sys.h"
#include "../../../native/stub/text.h"
#include "random.h"

int strcmp(const char *one, const char *other);
size_t strlen(const char *text);

static uint64_t state;

static char *random_string(size_t longest)
{
	size_t length = random_below(&state, longest);
	char *string = malloc(length + 1);

	if (string == NULL)
		abort();
	for (size_t i = 0; i < length; i++)
		string[i] = (char)(1 + random_below(&state, 255));
	string[length] = '\0';
	return string;
}

static void text_round(void)
{
	size_t size = 1 + random_below(&state, 60);
	char *buffer = malloc(size);
	struct text text = text_in(buffer, size);

	for (int i = 0; i < 6; i++) {
		char *part = random_string(40);

		switch (random_below(&state, 3)) {
		case 0:
			text_add(&text, part);
			break;
		case 1:
			text_add_part(&text, part, random_below(&state, 50));
			break;
		default:
			text_add_number(&text, (long)random_number(&state));
		}
		expect(text.length < size && text_length(buffer) == text.length, "it ends within the buffer");
		expect(text_equal(part, part) && text_starts_with(part, ""), "a string equals itself");
		expect(text_equal(part, buffer) == (strcmp(part, buffer) == 0), "equal as the libc says");
		free(part);
	}
	free(buffer);
}

static void check_number(long number, const char *expected)
{
	char buffer[32];
	struct text text = text_in(buffer, sizeof(buffer));

	text_add_number(&text, number);
	expect(strcmp(buffer, expected) == 0, expected);
}

static void check_read(const char *text, uint32_t base, long expected, const char *rest)
{
	uint32_t number = 77;
	const char *end = text_read_number(text, base, &number);

	expect((end == NULL) == (expected < 0), text);
	expect(end == NULL || (number == (uint32_t)expected && strcmp(end, rest) == 0), text);
}

static void check_reading(void)
{
	check_read("0", 10, 0, "");
	check_read("4294967295x", 10, 4294967295L, "x");
	check_read("4294967296", 10, -1, "");
	check_read("99999999999999999999999999", 10, -1, "");
	check_read("12ab-", 16, 0x12ab, "-");
	check_read("12ab", 10, 12, "ab");
	check_read("12AB", 16, 0x12, "AB");
	check_read("ffffffff", 16, 4294967295L, "");
	check_read("100000000", 16, -1, "");
	check_read("", 10, -1, "");
	check_read("-1", 10, -1, "");
	check_read(" 1", 16, -1, "");
}

static void arguments_round(void)
{
	static const char title[] = "fence: keeper";
	size_t argc = 1 + random_below(&state, 4), envc = random_below(&state, 4), at = 0, args = 0, size;
	char *strings[8], *argv[9] = { NULL }, *envp[5] = { NULL }, *block;
	struct start start = { .argc = argc, .argv = argv, .envc = envc, .envp = envp };

	for (size_t i = 0; i < argc + envc; i++) {
		strings[i] = random_string(20);
		at += strlen(strings[i]) + 1;
		if (i + 1 == argc)
			args = at;
	}
	size = at;
	block = malloc(size);
	at = 0;
	for (size_t i = 0; i < argc + envc; i++) {
		*(i < argc ? &argv[i] : &envp[i - argc]) = block + at;
		for (const char *byte = strings[i]; *byte != '\0'; byte++)
			block[at++] = *byte;
		block[at++] = '\0';
		free(strings[i]);
	}
	arguments_replace(&start, title);
	for (size_t i = 0; i < size; i++)
		expect(block[i] == (i < sizeof(title) - 1 && i + 1 < args ? title[i] : '\0'), "nothing is left of them");
	free(block);
}

static void failures(void)
{
	char path[6000];

	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = 'p';
	path[sizeof(path) - 1] = '\0';
	for (int error = -2; error < 200; error++) {
		const struct failure failure = {
			.message = "cannot open",
			.path = error % 3 == 0 ? path : error % 3 == 1 ? "with\nline\x1b[0m" : NULL,
			.syscall = error % 2 == 0 ? "open" : NULL,
			.error = error,
			.step = "step",
			.hint = error % 5 == 0 ? NULL : "hint",
			.code = "FENCE_STUB",
		};

		fail_print(&failure);
	}
}

/* In a child: what is kept stays open, all else above 2 is closed. */
static void descriptors(void)
{
	for (int round = 0; round < 200; round++) {
		int keep[5], status = 0;
		unsigned int count = 1 + (unsigned int)random_below(&state, 5);
		long child = sys_fork_silent();

		if (child > 0) {
			expect(sys_wait(child, &status) == child && status == 0, "the child is content");
			continue;
		}
		for (int fd = 3; fd < 40; fd++)
			(void)sys_duplicate(0, fd);
		for (unsigned int i = 0; i < count; i++)
			keep[i] = (int)random_below(&state, 40);
		if (descriptor_close_others(keep, count) < 0)
			sys_exit(1);
		for (int fd = 0; fd < 40; fd++) {
			int is_kept = fd <= STDERR;

			for (unsigned int i = 0; i < count; i++)
				is_kept |= keep[i] == fd;
			if ((sys_fcntl(fd, F_GETFD, 0) >= 0) != is_kept)
				sys_exit(2);
		}
		sys_exit(0);
	}
}

static void messages(void)
{
	struct message sent = { .kind = MESSAGE_TAKE, .value = 7 };
	struct delivery delivery;
	int pair[2];
	char payload[8];

	expect(channel_pair(pair) == 0 && pair[0] > STDERR && pair[1] > STDERR, "a pair above 2");
	expect(channel_send(pair[0], &sent, 0) == 0, "it is sent");
	expect(channel_receive(pair[1], &delivery, payload, sizeof(payload)) == 0, "it is received");
	expect(delivery.message.value == 7 && delivery.payload_length == 0, "as it was");
	expect(delivery.descriptors[0] > STDERR && delivery.descriptors[1] == NO_DESCRIPTOR, "with its descriptor");
	expect(sys_fcntl(delivery.descriptors[0], F_GETFD, 0) == FD_CLOEXEC, "which is not inherited");
	expect(channel_send_both(pair[0], &sent, pair[0], 1) == 0, "it is sent with two");
	expect(channel_receive(pair[1], &delivery, payload, sizeof(payload)) == 0, "it is received with two");
	expect(delivery.descriptors[0] > STDERR && delivery.descriptors[1] > STDERR, "with both");
	expect(sys_close(delivery.descriptors[0]) == 0, "one was the other end");
	expect(sys_close(pair[0]) == 0, "closed");
	expect(channel_receive(pair[1], &delivery, payload, sizeof(payload)) == -EPIPE, "the end is told");
}

int main(int argc, char **argv)
{
	const long known[] = { 1, sys_getpid() };
	unsigned long rounds = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;

	expect(argc >= 2, "what to try");
	state = argc == 4 ? strtoul(argv[2], NULL, 10) : 1;
	if (strcmp(argv[1], "text") == 0) {
		check_reading();
		check_number(0, "0");
		check_number((long)(~0UL >> 1), "9223372036854775807");
		check_number(-(long)(~0UL >> 1) - 1, "-9223372036854775808");
		while (rounds-- > 0)
			text_round();
	} else if (strcmp(argv[1], "arguments") == 0) {
		while (rounds-- > 0)
			arguments_round();
	} else if (strcmp(argv[1], "failures") == 0) {
		failures();
	} else if (strcmp(argv[1], "descriptors") == 0) {
		descriptors();
		messages();
	} else {
		expect(proc_list_only(known, 2) == 0, "there are others");
	}
	return 0;
}
