/* Strings without a libc: see text.h. */
#include "text.h"

void *memcpy(void *to, const void *from, size_t length)
{
	char *target = to;
	const char *source = from;

	while (length-- > 0)
		*target++ = *source++;
	return to;
}

void *memset(void *to, int byte, size_t length)
{
	char *target = to;

	while (length-- > 0)
		*target++ = (char)byte;
	return to;
}

int memcmp(const void *one, const void *other, size_t length)
{
	const unsigned char *left = one;
	const unsigned char *right = other;

	for (; length > 0; length--, left++, right++) {
		if (*left != *right)
			return *left < *right ? -1 : 1;
	}
	return 0;
}

size_t text_length(const char *text)
{
	size_t length = 0;

	while (text[length] != '\0')
		length++;
	return length;
}

int text_equal(const char *one, const char *other)
{
	while (*one != '\0' && *one == *other) {
		one++;
		other++;
	}
	return *one == *other;
}

int text_starts_with(const char *text, const char *prefix)
{
	while (*prefix != '\0') {
		if (*text++ != *prefix++)
			return 0;
	}
	return 1;
}

struct text text_in(char *bytes, size_t size)
{
	bytes[0] = '\0';
	return (struct text){ .bytes = bytes, .size = size, .length = 0 };
}

static int is_control(char byte)
{
	return (byte > 0 && byte < ' ') || byte == 0x7f;
}

void text_add_part(struct text *text, const char *part, size_t longest)
{
	for (; *part != '\0' && longest-- > 0 && text->length + 1 < text->size; part++)
		text->bytes[text->length++] = is_control(*part) ? '?' : *part;
	text->bytes[text->length] = '\0';
}

void text_add(struct text *text, const char *part)
{
	while (*part != '\0' && text->length + 1 < text->size)
		text->bytes[text->length++] = *part++;
	text->bytes[text->length] = '\0';
}

void text_add_number(struct text *text, long number)
{
	char digits[24];
	size_t first = sizeof(digits) - 1;
	unsigned long rest = number < 0 ? 0UL - (unsigned long)number : (unsigned long)number;

	digits[first] = '\0';
	do {
		digits[--first] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (number < 0)
		digits[--first] = '-';
	text_add(text, digits + first);
}

/* -1 for what is none. */
static int digit_of(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	return -1;
}

const char *text_read_number(const char *text, uint32_t base, uint32_t *number)
{
	uint64_t value = 0;
	const char *at = text;

	for (; digit_of(*at) >= 0 && digit_of(*at) < (int)base; at++) {
		value = value * base + (uint64_t)digit_of(*at);
		if (value > UINT32_MAX)
			return NULL;
	}
	*number = (uint32_t)value;
	return at == text ? NULL : at;
}
