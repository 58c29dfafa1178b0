/*
 * Strings without a libc.
 *
 * Runs:     wherever the stub runs.
 * Promises: what is appended past a buffer's end is cut off, never written.
 */
#ifndef FENCE_STUB_TEXT_H
#define FENCE_STUB_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* The compiler calls these itself. */
void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *one, const void *other, size_t length);

size_t text_length(const char *text);
int text_equal(const char *one, const char *other);
int text_starts_with(const char *text, const char *prefix);

/* A string under construction; @bytes is always terminated. */
struct text {
	char *bytes;
	size_t size;
	size_t length;
};

struct text text_in(char *bytes, size_t size);
void text_add(struct text *text, const char *part);
/* At most @longest bytes of what somebody else wrote: control characters, which could forge a line, become '?'. */
void text_add_part(struct text *text, const char *part, size_t longest);
void text_add_number(struct text *text, long number);

/* The number of base 10 or 16 that @text starts with. Returns what stands behind it, or NULL when there is none that fits. */
const char *text_read_number(const char *text, uint32_t base, uint32_t *number);

#endif
