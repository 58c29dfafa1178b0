/**
 * The primality test that is put into the packed Node: its answers must be those of V8's, which it replaces.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { root } from "../../build/paths.ts";
import { testFolder } from "../kit/test-folder.ts";

const main = `
#include <inttypes.h>
#include <stdio.h>
int fence_is_prime(uint64_t n);
int main(void)
{
	uint64_t n;
	while (scanf("%" SCNu64, &n) == 1)
		puts(fence_is_prime(n) ? "prime" : "composite");
}`;

const bases = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n];

test("primes, composites and strong pseudoprimes are told apart up to 64 bits", () => {
  const largest = 2n ** 64n - 59n;
  const primes = [...bases, 41n, 65_537n, 2n ** 31n - 1n, 2n ** 61n - 1n, largest];
  const squares = [41n ** 2n, 4_294_967_291n ** 2n];
  const carmichael = [561n, 1105n, 41_041n, 825_265n, 9_746_347_772_161n];
  // The smallest that pass for the first 4, 5, 6, 7 and 9 bases, https://oeis.org/A014233.
  const pseudoprimes = [
    3_215_031_751n,
    2_152_302_898_747n,
    3_474_749_660_383n,
    341_550_071_728_321n,
    3_825_123_056_546_413_051n,
  ];
  const composites = [0n, 1n, 4n, 2n ** 64n - 1n, ...squares, ...carmichael, ...pseudoprimes];
  const answers = ask([...primes, ...composites]);
  expect(answers).toEqual([...primes.map(() => "prime"), ...composites.map(() => "composite")]);
});

test("any 64-bit numbers are judged as by arithmetic without limits", () => {
  const numbers = fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 200, maxLength: 200 });
  fc.assert(
    fc.property(numbers, (some) => {
      const odd = some.map((n) => n | 1n);
      expect(ask(odd)).toEqual(odd.map((n) => (isPrime(n) ? "prime" : "composite")));
    }),
    { numRuns: 20 },
  );
});

let program = "";
function ask(numbers: readonly bigint[]): string[] {
  if (program === "") program = compile();
  const { status, stdout } = spawnSync(program, { input: numbers.join("\n"), encoding: "utf8" });
  expect(status).toBe(0);
  return stdout.trimEnd().split("\n");
}

function compile(): string {
  const folder = testFolder();
  writeFileSync(`${folder}/main.c`, main);
  const args = ["-O1", "-fsanitize=undefined", "-fno-sanitize-recover", "-o", `${folder}/is-prime`];
  const sources = [`${folder}/main.c`, `${root}/native/node-patch/is-prime.c`];
  const { status, stderr } = spawnSync("cc", [...args, ...sources], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return `${folder}/is-prime`;
}

function isPrime(n: bigint): boolean {
  if (n < 2n || bases.includes(n)) return bases.includes(n);
  let [odd, twos] = [n - 1n, 0];
  while (odd % 2n === 0n) [odd, twos] = [odd / 2n, twos + 1];
  return bases.every((base) => {
    let power = powerModulo(base, odd, n);
    if (power === 1n) return true;
    for (let i = 0; i < twos; i++, power = power ** 2n % n) if (power === n - 1n) return true;
    return false;
  });
}

function powerModulo(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let power = 1n;
  for (let [square, rest] = [base % modulus, exponent]; rest > 0n; square = square ** 2n % modulus, rest /= 2n) {
    if (rest % 2n === 1n) power = (power * square) % modulus;
  }
  return power;
}
