/*
 * How the stub says that it failed: the same report as fence's TypeScript prints.
 *
 * Runs:     wherever the stub runs.
 * Promises: one write to standard error; never a value of the environment.
 * Source:   docs/errors.md (codes and exit statuses)
 */
#ifndef FENCE_STUB_FAIL_H
#define FENCE_STUB_FAIL_H

#define EXIT_FENCE_FAILED 125
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127

/* Members that do not apply are NULL; @error is an errno value or 0. */
struct failure {
	const char *message;
	const char *path; /* follows the message */
	const char *syscall;
	int error;
	const char *step;
	const char *hint;
	const char *code;
};

/* "ENOENT", or NULL for a number that is not in the table. */
const char *fail_errno_name(int error);

void fail_print(const struct failure *failure);

/* Prints and exits with 125. */
_Noreturn void die(const struct failure *failure);

/* For what the kernel does not refuse in practice: die() with the few words that apply. */
_Noreturn void die_call(const char *step, const char *message, const char *syscall, long result);

#endif
