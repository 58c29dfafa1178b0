/*
 * What the drivers of the stub's C code share: random numbers, and a libc that the stub's own headers must not meet.
 *
 * Runs:     in tests, under AddressSanitizer and UndefinedBehaviorSanitizer.
 * Promises: the same rounds for the same seed.
 */
#ifndef FENCE_TEST_RANDOM_H
#define FENCE_TEST_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Of the libc, whose headers define what sys.h defines too. */
int printf(const char *format, ...);
int dprintf(int fd, const char *format, ...);
void *malloc(size_t size);
void free(void *block);
_Noreturn void abort(void);
_Noreturn void exit(int status);
unsigned long strtoul(const char *text, char **end, int base);

/* xorshift64* */
static inline uint64_t random_number(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
	return random_number(state) % limit;
}

static inline void expect(int condition, const char *what)
{
	if (condition)
		return;
	dprintf(2, "broken promise: %s\n", what);
	abort();
}

#endif
