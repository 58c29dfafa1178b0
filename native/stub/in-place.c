/* Answers ld.so's system calls: see in-place.h. */
#include "in-place.h"

#include "descriptor.h"
#include "pack-index.h"
#include "sys.h"
#include "text.h"

#include <asm/stat.h>

#define SIGSYS 31
#define SIGSYS_BIT (1UL << (SIGSYS - 1))
#define PREFIX_LENGTH (sizeof(IN_PLACE_PREFIX) - 1)

static struct {
	int file; /* the packed file */
	int opened; /* what ld.so was given for the part that it has open: it opens one at a time */
	uint32_t number;
	struct sys_action inherited_action;
	uint64_t inherited_mask;
} in_place = { .file = NO_DESCRIPTOR, .opened = NO_DESCRIPTOR };

static long open_part(const char *path, long flags)
{
	uint32_t number = 0;
	long opened;

	if (!text_starts_with(path, IN_PLACE_PREFIX))
		return sys_open(path, (int)flags);
	for (const char *digit = path + PREFIX_LENGTH; *digit >= '0' && *digit <= '9'; digit++)
		number = number * 10 + (uint32_t)(*digit - '0');
	if (number >= pack_index()->part_count)
		return -ENOENT;
	opened = sys_fcntl(in_place.file, F_DUPFD_CLOEXEC, 0);
	if (opened < 0)
		return opened;
	in_place.opened = (int)opened;
	in_place.number = number;
	return opened;
}

/* ld.so takes two files with one inode number for the same library. */
static long describe_part(struct stat *status)
{
	long result = SYSCALL(__NR_fstat, in_place.opened, status);

	if (result < 0)
		return result;
	status->st_ino += (uint64_t)(in_place.number + 1) << 48;
	status->st_size = (long)pack_index()->parts[in_place.number].size;
	return 0;
}

/* The descriptor is the fifth argument of mmap(2), of all others the first. */
static long answer(const struct arch_call *call)
{
	const uint64_t *a = call->arguments;
	uint64_t offset = pack_index()->parts[in_place.number].offset;
	int opened = in_place.opened;

	switch (call->number) {
	case __NR_openat:
		return (int)a[0] == AT_FDCWD ? open_part((const char *)a[1], (long)a[2]) : arch_forward(call);
	case __NR_mmap:
		if ((int)a[4] != opened || (a[3] & MAP_ANONYMOUS) != 0)
			return arch_forward(call);
		return sys_mmap(a[0], a[1], (int)a[2], (int)a[3], opened, offset + a[5]);
	default:
		break;
	}
	if (opened == NO_DESCRIPTOR || (int)a[0] != opened)
		return arch_forward(call);
	switch (call->number) {
	case __NR_read: /* once, from the start */
		return sys_pread(opened, (void *)a[1], a[2], offset);
	case __NR_pread64:
		return sys_pread(opened, (void *)a[1], a[2], offset + a[3]);
	case __NR_fstat:
		return describe_part((struct stat *)a[1]);
	case __NR_newfstatat:
		return describe_part((struct stat *)a[2]);
	case __NR_close:
		in_place.opened = NO_DESCRIPTOR;
		return sys_close(opened);
	default:
		return arch_forward(call);
	}
}

static void on_system_call(int signal, void *information, void *context)
{
	struct arch_call call = arch_call_of(context);

	(void)signal;
	(void)information;
	arch_set_result(context, answer(&call));
}

ARCH_SIGNAL_RETURN;

long in_place_begin(int file)
{
	extern char __executable_start[] __attribute__((visibility("hidden")));
	extern char etext[] __attribute__((visibility("hidden")));
	const struct sys_action action = {
		.handler = (uint64_t)on_system_call,
		.flags = SYS_ACTION_INFORMATION | ARCH_ACTION_FLAGS,
		.restorer = ARCH_ACTION_RESTORER,
	};
	const uint64_t unblocked = SIGSYS_BIT;
	long result = sys_action(SIGSYS, &action, &in_place.inherited_action);

	if (result < 0)
		return result;
	result = sys_change_mask(SYS_MASK_UNBLOCK, &unblocked, &in_place.inherited_mask);
	if (result < 0)
		return result;
	in_place.file = file;
	result = sys_dispatch_others(__executable_start, (size_t)(etext - __executable_start));
	if (result < 0)
		in_place_end();
	return result;
}

/* Cannot fail: the same calls succeeded before. */
void in_place_end(void)
{
	if (in_place.file == NO_DESCRIPTOR)
		return;
	(void)sys_dispatch_end();
	(void)sys_action(SIGSYS, &in_place.inherited_action, NULL);
	(void)sys_change_mask(SYS_MASK_SET, &in_place.inherited_mask, NULL);
	in_place.file = NO_DESCRIPTOR;
}
