/*
 * Gives random descriptors random numbers among others that are open, and looks at where they are then.
 *
 * Runs:     in tests, with a libc, under AddressSanitizer and UndefinedBehaviorSanitizer.
 * Promises: what was open before is looked at as well; each descriptor can be told from all others.
 *
 *   given-driver SEED ROUNDS   prints how many rounds found a place for all
 */
#include "../../../native/stub/channel.h"
#include "../../../native/stub/descriptor.h"
#include "../../../native/stub/given.h"
#include "../../../native/stub/sys.h"
#include "random.h"

#define LOWEST 10 /* below are the driver's own */
#define ROOM 60
#define MOST 12

static uint64_t state;

/* Each file has a size of its own. */
static void open_file(int number, uint64_t size)
{
	int file = (int)sys_memfd_create("given", MFD_CLOEXEC);
	char byte = 0;

	expect(file >= 0, "a file can be made");
	expect(SYSCALL(__NR_ftruncate, file, size) == 0, "a file has a size");
	expect(sys_write(file, &byte, 0) == 0, "a file can be written");
	if (file == number)
		return;
	expect(SYSCALL(__NR_dup3, file, number, O_CLOEXEC) == number, "a file has a number");
	expect(sys_close(file) == 0, "the first number is closed");
}

static long size_of(int number)
{
	return sys_file_size(number);
}

static int is_free(int number)
{
	return sys_fcntl(number, F_GETFD, 0) == -EBADF;
}

static int random_free_number(void)
{
	int number;

	do {
		number = LOWEST + (int)random_below(&state, ROOM);
	} while (!is_free(number));
	return number;
}

/* Whether all found a place. */
static int round_of_given(void)
{
	struct delivery delivery = { .message = { .kind = MESSAGE_GIVE } };
	int others[MOST], other_count = (int)random_below(&state, MOST), is_wrong = random_below(&state, 20) == 0;
	int first = LOWEST + (int)random_below(&state, ROOM), has_room = 1;
	uint32_t call = 99;
	long result;

	for (int i = 0; i < other_count; i++) {
		others[i] = random_free_number();
		open_file(others[i], 1000 + (uint64_t)i);
	}
	delivery.count = 1 + (unsigned int)random_below(&state, MOST - 1);
	for (unsigned int i = 0; i < delivery.count; i++) {
		delivery.descriptors[i] = random_free_number();
		open_file(delivery.descriptors[i], 1 + i);
	}
	delivery.message.index = (uint32_t)first;
	delivery.message.value = delivery.count + (uint32_t)is_wrong;
	for (int i = 0; i < other_count; i++)
		has_room &= others[i] < first || others[i] >= first + (int)delivery.count;
	result = given_place(&delivery, &call);
	expect(result == (is_wrong ? -EMFILE : has_room ? 0 : -EBUSY), "it says whether there was room");
	expect(call == (is_wrong ? TAKEN_RECVMSG : TAKEN_FCNTL), "it names the call");
	channel_drop(&delivery);
	for (int i = 0; i < other_count; i++)
		expect(size_of(others[i]) == 1000 + i, "what was open stays what it is");
	for (int i = 0; result == 0 && i < (int)delivery.message.value; i++) {
		expect(size_of(first + i) == 1 + i, "each is where it was asked for");
		expect(sys_fcntl(first + i, F_GETFD, 0) == 0, "and is inherited");
		expect(sys_close(first + i) == 0, "and can be closed");
	}
	for (int i = 0; i < other_count; i++)
		expect(sys_close(others[i]) == 0, "what was open is open");
	for (int number = 3; result == 0 && number < LOWEST + ROOM + MOST; number++)
		expect(is_free(number), "nothing is left beside");
	expect(sys_close_range(3, ~0U) == 0, "the round ends");
	return result == 0;
}

int main(int argc, char **argv)
{
	unsigned long placed = 0;

	expect(argc == 3, "SEED ROUNDS");
	state = strtoul(argv[1], NULL, 10);
	expect(sys_close_range(3, ~0U) == 0, "the driver has three descriptors");
	for (unsigned long rounds = strtoul(argv[2], NULL, 10); rounds > 0; rounds--)
		placed += (unsigned long)round_of_given();
	printf("%lu\n", placed);
	return 0;
}
