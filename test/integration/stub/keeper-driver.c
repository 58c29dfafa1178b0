/*
 * Gives what the keeper keeps random messages, over a real socket with real descriptors, and holds it to its bounds.
 *
 * Runs:     in tests, with a libc, under AddressSanitizer and UndefinedBehaviorSanitizer.
 * Promises: every round is a new keeper; messages of every kind, of every length, with up to four descriptors.
 *
 *   keeper-driver SEED ROUNDS   prints how many messages were obeyed
 */
#include "../../../native/stub/kept.c"
#include "random.h"

#define MESSAGES 40
#define KINDS_FROM (MESSAGE_LISTENER - 2)
#define KINDS 15

static uint64_t state;

/* A control message with as many descriptors as the kernel allows here. */
static struct {
	size_t length;
	int level;
	int type;
	int descriptors[4];
} control;

static size_t random_length(void)
{
	static const size_t telling[] = { 0, 1, 2, MAX_PATH - 1, MAX_PATH, MAX_PATH + 1, MAX_FILTER_BYTES, MAX_FILTER_BYTES + 1 };

	if (random_below(&state, 2) == 0)
		return telling[random_below(&state, sizeof(telling) / sizeof(telling[0]))];
	return random_below(&state, random_below(&state, 20) == 0 ? MAX_FILTER_BYTES + 100 : 130);
}

static void fill(char *bytes, size_t length)
{
	static const char paths[][16] = { "/", "/dev/null", "/no/such", "/tmp", "", "/proc/1/root", "relative" };
	const char *path = paths[random_below(&state, sizeof(paths) / sizeof(paths[0]))];

	for (size_t i = 0; i < length; i++)
		bytes[i] = (char)(random_below(&state, 3) == 0 ? random_number(&state) : 'a');
	for (size_t i = 0; i < length && path[i] != '\0'; i++)
		bytes[i] = path[i];
	if (length > 0 && random_below(&state, 4) != 0)
		bytes[length - 1] = '\0';
}

static void send_random(int socket)
{
	static char bytes[MAX_FILTER_BYTES + 200];
	struct message head = { .magic = PROTOCOL_MAGIC, .kind = (uint32_t)(KINDS_FROM + random_below(&state, KINDS)) };
	size_t length = random_length(), descriptors = random_below(&state, 8) == 0 ? random_below(&state, 5) : 1;
	struct sys_iovec parts[] = { { .base = &head, .length = sizeof(head) }, { .base = bytes, .length = length } };
	struct sys_message packet = { .parts = parts, .part_count = 2 };

	fill(bytes, length);
	head.value = (uint32_t)(random_below(&state, 2) == 0 ? random_below(&state, 4) : random_number(&state));
	if (random_below(&state, 30) == 0)
		head.magic ^= 1;
	if (random_below(&state, 30) == 0)
		parts[0].length = random_below(&state, sizeof(head));
	if (descriptors > 0) {
		control.length = offsetof(struct sys_control, descriptors) + descriptors * sizeof(int);
		control.level = SOL_SOCKET;
		control.type = SCM_RIGHTS;
		for (size_t i = 0; i < descriptors; i++)
			control.descriptors[i] = socket;
		packet.control = &control;
		packet.control_length = (control.length + 7) & ~7UL;
	}
	(void)sys_sendmsg(socket, &packet, 0); /* the driver reads what could be sent */
}

static unsigned long round_of_messages(void)
{
	static struct kept kept;
	struct taking taking = { .kept = &kept };
	int sockets[2] = { NO_DESCRIPTOR, NO_DESCRIPTOR };
	struct delivery delivery;
	unsigned long obeyed = 0;
	uint32_t index;
	long result;

	memset(&kept, 0, sizeof(kept));
	expect(channel_pair(sockets) == 0, "a pair can be made");
	for (int i = 0; i < MESSAGES; i++) {
		send_random(sockets[0]);
		result = channel_receive(sockets[1], &delivery, &payload, sizeof(payload));
		if (result < 0) {
			expect(result == -EPROTO || result == -EMFILE || result == -EPIPE, "it is refused for a reason");
			continue;
		}
		expect(delivery.payload_length <= sizeof(payload), "the payload fits");
		for (int j = 0; j < CHANNEL_DESCRIPTORS; j++)
			expect(delivery.descriptors[j] == NO_DESCRIPTOR || delivery.descriptors[j] > STDERR, "above 2");
		obeyed += keep(&taking, &delivery, &index) == 0;
		expect(kept.parts.listener_count <= MAX_LISTENERS, "no more listeners than there is room for");
		expect(kept.file_count <= MAX_LISTENERS, "no more files than there is room for");
		expect(kept.parts.filter_bytes <= sizeof(kept.parts.filter), "the filter fits");
		for (uint32_t j = 0; j < kept.file_count; j++)
			expect(text_length(kept.files[j].name) < MAX_PATH, "every name ends");
	}
	expect(sys_close_range(STDERR + 1, ~0U) == 0, "all can be closed");
	return obeyed;
}

int main(int argc, char **argv)
{
	unsigned long obeyed = 0;

	expect(argc == 3, "SEED ROUNDS");
	state = strtoul(argv[1], NULL, 10);
	for (unsigned long rounds = strtoul(argv[2], NULL, 10); rounds > 0; rounds--)
		obeyed += round_of_messages();
	printf("%lu\n", obeyed);
	return 0;
}
