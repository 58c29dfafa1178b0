/*
 * A faster primality test for the Node that is packed.
 *
 * Runs:     inside Node at every start, where V8 draws the three random primes of its string hash: about a hundred
 *           tests. V8's own multiplies bit by bit with two divisions a bit, which takes 4 ms; this takes 0.2 ms.
 * Promises: the same answer for every number, so that V8's secrets are those that it would have drawn.
 * Source:   V8, third_party/rapidhash-v8/secret.h; https://oeis.org/A014233 (these bases decide all 64-bit numbers)
 */
#include <stdint.h>

static uint64_t multiply_modulo(uint64_t a, uint64_t b, uint64_t modulus)
{
	uint64_t quotient, remainder;

	/* a and b are below the modulus, so that the quotient fits. */
	__asm__("mulq %3\n\tdivq %4"
		: "=&a"(quotient), "=&d"(remainder)
		: "0"(a), "r"(b), "r"(modulus)
		: "cc");
	return remainder;
}

static uint64_t power_modulo(uint64_t base, uint64_t exponent, uint64_t modulus)
{
	uint64_t power = 1;

	for (; exponent != 0; exponent >>= 1) {
		if ((exponent & 1) != 0)
			power = multiply_modulo(power, base, modulus);
		base = multiply_modulo(base, base, modulus);
	}
	return power;
}

/* Whether @n, odd and above the base, passes the Miller-Rabin test. */
static int is_probable_prime(uint64_t n, uint64_t base)
{
	int twos = __builtin_ctzll(n - 1);
	uint64_t power = power_modulo(base, (n - 1) >> twos, n);

	if (power == 1 || power == n - 1)
		return 1;
	for (int i = 1; i < twos; i++) {
		power = multiply_modulo(power, power, n);
		if (power == n - 1)
			return 1;
	}
	return 0;
}

int fence_is_prime(uint64_t n);

__attribute__((used)) int fence_is_prime(uint64_t n)
{
	/* One number instead of a table, which would need a place among Node's constants: a byte for each base. */
	const uint64_t bases[2] = { 0x13110d0b07050302, 0x251f1d17 };

	if (n < 2)
		return 0;
	for (unsigned int i = 0; i < 12; i++) {
		uint64_t base = bases[i / 8] >> (i % 8 * 8) & 0xff;

		if (n % base == 0)
			return n == base;
	}
	for (unsigned int i = 0; i < 12; i++) {
		if (!is_probable_prime(n, bases[i / 8] >> (i % 8 * 8) & 0xff))
			return 0;
	}
	return 1;
}
