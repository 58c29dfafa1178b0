/* The processes that /proc lists: see proc-list.h. */
#include "proc-list.h"

#include "sys.h"

/* struct linux_dirent64 */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

/* The PID that is the whole name, or 0. */
static long pid_of(const char *name)
{
	long pid = 0;

	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9')
			return 0;
		pid = pid * 10 + (*name - '0');
	}
	return pid;
}

static int is_known(long pid, const long *known, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (known[i] == pid)
			return 1;
	}
	return 0;
}

int proc_list_only(const long *known, size_t count)
{
	union {
		struct entry first; /* for its alignment */
		char bytes[4096];
	} entries;
	long directory = sys_open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int only = directory >= 0;
	long length;

	if (directory < 0)
		return 0;
	while (only && (length = sys_directory_entries((int)directory, &entries, sizeof(entries))) != 0) {
		only = length > 0;
		for (long at = 0; only && at < length;) {
			const struct entry *entry = (const struct entry *)(entries.bytes + at);
			long pid = pid_of(entry->name);

			only = pid == 0 || is_known(pid, known, count);
			at += entry->length;
		}
	}
	(void)sys_close((int)directory); /* it was only read */
	return only;
}
