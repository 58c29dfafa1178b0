/* How the stub says that it failed: see fail.h. */
#include "fail.h"

#include "sys.h"
#include "text.h"

#define LONGEST_NAME 16
#define LONGEST_PATH 4096

/* Rows of characters, not pointers: nothing to relocate. */
static const char errno_names[][LONGEST_NAME] = {
	[EPERM] = "EPERM",
	[ENOENT] = "ENOENT",
	[EINTR] = "EINTR",
	[EIO] = "EIO",
	[ENXIO] = "ENXIO",
	[E2BIG] = "E2BIG",
	[ENOEXEC] = "ENOEXEC",
	[EBADF] = "EBADF",
	[ECHILD] = "ECHILD",
	[EAGAIN] = "EAGAIN",
	[ENOMEM] = "ENOMEM",
	[EACCES] = "EACCES",
	[EFAULT] = "EFAULT",
	[EBUSY] = "EBUSY",
	[EEXIST] = "EEXIST",
	[EXDEV] = "EXDEV",
	[ENODEV] = "ENODEV",
	[ENOTDIR] = "ENOTDIR",
	[EISDIR] = "EISDIR",
	[EINVAL] = "EINVAL",
	[ENFILE] = "ENFILE",
	[EMFILE] = "EMFILE",
	[ETXTBSY] = "ETXTBSY",
	[EFBIG] = "EFBIG",
	[ENOSPC] = "ENOSPC",
	[EROFS] = "EROFS",
	[EPIPE] = "EPIPE",
	[ERANGE] = "ERANGE",
	[ENAMETOOLONG] = "ENAMETOOLONG",
	[ENOSYS] = "ENOSYS",
	[ELOOP] = "ELOOP",
	[EPROTO] = "EPROTO",
	[EOVERFLOW] = "EOVERFLOW",
	[ELIBBAD] = "ELIBBAD",
	[EMSGSIZE] = "EMSGSIZE",
	[EOPNOTSUPP] = "EOPNOTSUPP",
	[EAFNOSUPPORT] = "EAFNOSUPPORT",
	[ENOBUFS] = "ENOBUFS",
	[ECONNRESET] = "ECONNRESET",
	[ETIMEDOUT] = "ETIMEDOUT",
	[ESTALE] = "ESTALE",
	[EDQUOT] = "EDQUOT",
};

const char *fail_errno_name(int error)
{
	if (error <= 0 || (size_t)error >= sizeof(errno_names) / LONGEST_NAME || errno_names[error][0] == '\0')
		return NULL;
	return errno_names[error];
}

static void add_error(struct text *text, int error)
{
	const char *name = fail_errno_name(error);

	if (name != NULL) {
		text_add(text, name);
	} else {
		text_add(text, "errno ");
		text_add_number(text, error);
	}
}

static void add_line(struct text *text, const char *label, const char *value)
{
	if (value == NULL)
		return;
	text_add(text, label);
	text_add(text, value);
	text_add(text, "\n");
}

void fail_print(const struct failure *failure)
{
	char bytes[6144];
	struct text text = text_in(bytes, sizeof(bytes));

	text_add(&text, "fence: ");
	text_add(&text, failure->message);
	if (failure->path != NULL) {
		text_add(&text, " ");
		/* A longer path would leave no room for the hint. */
		text_add_part(&text, failure->path, LONGEST_PATH);
	}
	if (failure->syscall != NULL) {
		text_add(&text, ": ");
		text_add(&text, failure->syscall);
	}
	if (failure->error != 0) {
		text_add(&text, ": ");
		add_error(&text, failure->error);
	}
	text_add(&text, "\n");
	add_line(&text, "  step:  ", failure->step);
	add_line(&text, "  hint:  ", failure->hint);
	add_line(&text, "  code:  ", failure->code);
	/* Who prints is about to exit: with its own status, not of SIGPIPE. Nobody is left to tell when this fails. */
	(void)sys_set_blocked_signals(~0UL);
	(void)sys_write(STDERR, bytes, text.length);
}

_Noreturn void die(const struct failure *failure)
{
	fail_print(failure);
	sys_exit(EXIT_FENCE_FAILED);
}

_Noreturn void die_call(const char *step, const char *message, const char *syscall, long result)
{
	const struct failure failure = {
		.message = message,
		.syscall = syscall,
		.error = (int)-result,
		.step = step,
		.code = "FENCE_STUB",
	};

	die(&failure);
}
