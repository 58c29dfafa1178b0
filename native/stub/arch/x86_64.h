/*
 * All that the stub knows of x86-64: the system call instruction, the entry points, the jump to another image.
 *
 * Runs:     wherever the stub runs.
 * Promises: the stub's other files hold no assembly and no number of this architecture.
 * Source:   syscall(2), the x86-64 psABI, glibc sysdeps/x86_64/dl-machine.h (registers at the entry point)
 */
#ifndef FENCE_STUB_ARCH_H
#define FENCE_STUB_ARCH_H

#include <asm/sigcontext.h>
#include <elf.h>
#include <stddef.h>
#include <stdint.h>

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

/* A system call that became SIGSYS. */
struct arch_call {
	long number;
	uint64_t arguments[6];
};

/* struct ucontext: uc_flags, uc_link, uc_stack, uc_mcontext */
#define ARCH_CONTEXT_REGISTERS(context) ((struct sigcontext *)((char *)(context) + 40))

static inline struct arch_call arch_call_of(void *context)
{
	const struct sigcontext *r = ARCH_CONTEXT_REGISTERS(context);

	return (struct arch_call){
		.number = (long)r->rax,
		.arguments = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 },
	};
}

static inline void arch_set_result(void *context, long result)
{
	ARCH_CONTEXT_REGISTERS(context)->rax = (uint64_t)result;
}

static inline long arch_forward(const struct arch_call *call)
{
	const uint64_t *a = call->arguments;

	return arch_syscall(call->number, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
}

/* Where a signal handler returns to: the kernel leaves rt_sigreturn(2) to the process. */
#define ARCH_SIGNAL_RETURN                          \
	__asm__(".text\n"                           \
		".globl fence_signal_return\n"      \
		".hidden fence_signal_return\n"     \
		"fence_signal_return:\n"            \
		"	mov $15, %eax\n"            \
		"	syscall\n");                \
	extern char fence_signal_return[] __attribute__((visibility("hidden")))
#define ARCH_ACTION_FLAGS 0x04000000UL /* SA_RESTORER */
#define ARCH_ACTION_RESTORER ((uint64_t)fence_signal_return)

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
