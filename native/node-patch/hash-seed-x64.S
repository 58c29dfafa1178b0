/*
 * Takes the place of the primality test inside V8's HashSeed::InitializeRoots.
 *
 * Runs:     see is-prime.c. The number is in r14; rbx, r12 and r15 stay as they are.
 * Source:   the disassembled function; build/node-patch.ts says for which Node, and where the two labels are
 */
	.section .text.entry, "ax"
	.globl fence_patch
fence_patch:
	mov	%r14, %rdi
	call	fence_is_prime
	mov	-0x38(%rbp), %r13	/* the secrets */
	mov	-0x30(%rbp), %r11	/* the index of this one */
	test	%eax, %eax
	jne	node_next_secret
	jmp	node_next_candidate

	.section .note.GNU-stack, "", @progbits
