/*
 * All that the stub knows of x86-64: the system call instruction, the entry points, the jump to another image.
 *
 * Runs:     wherever the stub runs.
 * Promises: the stub's other files hold no assembly and no number of this architecture.
 * Source:   syscall(2), the x86-64 psABI, glibc sysdeps/x86_64/dl-machine.h (registers at the entry point)
 */
#ifndef FENCE_STUB_ARCH_H
#define FENCE_STUB_ARCH_H

#include <elf.h>

#define ARCH_ELF_MACHINE EM_X86_64

static inline long arch_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/*
 * fence_start: where the kernel enters. The stack pointer holds argc, argv, envp and auxv.
 * fence_node_entry: where ld.so enters the program it loaded; the address of its fini function in %rdx must
 * survive until Node's _start.
 */
#define ARCH_ENTRY_POINTS                                   \
	__asm__(".text\n"                                   \
		".globl fence_start\n"                      \
		".hidden fence_start\n"                     \
		"fence_start:\n"                            \
		"	xor %ebp, %ebp\n"                   \
		"	mov %rsp, %rdi\n"                   \
		"	and $-16, %rsp\n"                   \
		"	call fence_main\n"                  \
		"	hlt\n"                              \
		".globl fence_node_entry\n"                 \
		".hidden fence_node_entry\n"                \
		"fence_node_entry:\n"                       \
		"	push %rdx\n"                        \
		"	lea 8(%rsp), %rdi\n"                \
		"	mov %rsp, %rbx\n"                   \
		"	and $-16, %rsp\n"                   \
		"	call fence_loader_done\n"           \
		"	mov %rbx, %rsp\n"                   \
		"	pop %rdx\n"                         \
		"	jmp *%rax\n")

/* Continues at @entry on the stack @stack, as the kernel would after execve(2). */
_Noreturn static inline void arch_enter(unsigned long entry, unsigned long *stack)
{
	__asm__ volatile("mov %0, %%rsp\n"
			 "xor %%edx, %%edx\n"
			 "xor %%ebp, %%ebp\n"
			 "jmp *%1"
			 :
			 : "r"(stack), "a"(entry)
			 : "rdx", "memory");
	__builtin_unreachable();
}

#endif
