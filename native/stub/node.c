/* Becomes Node: see node.h. */
#include "node.h"

#include "descriptor.h"
#include "fail.h"
#include "image.h"
#include "in-place.h"
#include "sys.h"
#include "text.h"

#define STEP "load-node"
#define AUXILIARY_WORDS 2 /* an auxiliary vector entry is a type and a value */
#define PRIVATE_VARIABLES 3
#define SEAL_ATTEMPTS 10

/* Filled before Node starts, read by fence_loader_done() when ld.so has finished. */
static struct {
	uint64_t node_entry;
	int descriptors[PACK_MAX_PARTS + 1]; /* of the packed file and the libraries */
	unsigned int descriptor_count;
} after_loader;

extern char fence_node_entry[] __attribute__((visibility("hidden")));
unsigned long fence_loader_done(unsigned long *stack);

/*
 * Called by fence_node_entry between ld.so and Node's _start, on the stack that node_become() built: takes away
 * what only ld.so needed. Returns Node's entry point.
 */
__attribute__((used)) unsigned long fence_loader_done(unsigned long *stack)
{
	struct start start = start_read(stack);

	start.envp[start.envc - 1] = NULL; /* LD_PRELOAD was put last */
	for (size_t i = 0; i < start.auxc; i++) {
		if (start.auxv[i].a_type == AT_ENTRY)
			start.auxv[i].a_un.a_val = after_loader.node_entry;
	}
	in_place_end();
	for (unsigned int i = 0; i < after_loader.descriptor_count; i++)
		(void)sys_close(after_loader.descriptors[i]); /* mapped by now; a failure would cost one descriptor */
	return after_loader.node_entry;
}

/* Variables that change how the loader, the C library, OpenSSL or Node behave. The program still gets them. */
static int steers_node(const char *variable)
{
	static const char prefixes[][16] = {
		"LD_", "GLIBC_TUNABLES=", "MALLOC_", "LOCPATH=", "GCONV_PATH=", "NODE_", "OPENSSL_", "SSL_CERT_", "UV_",
		"FENCE_STUB=",
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (text_starts_with(variable, prefixes[i]))
			return 1;
	}
	return 0;
}

_Noreturn static void die_part(const struct pack_part *part, const char *syscall, long result)
{
	const struct failure failure = {
		.message = "cannot make a memory file of",
		.path = part->name,
		.syscall = syscall,
		.error = (int)-result,
		.step = STEP,
		.hint = result == -ENOMEM || result == -ENOSPC ? "the limit on memory is too low for fence"
							       : NULL,
		.code = "FENCE_STUB",
	};

	die(&failure);
}

/* A sealed memory file with the part's bytes, for ld.so and dlopen to map. */
static int memory_file(int file, const struct pack_part *part)
{
	/* Not executable by execve(2), which vm.memfd_noexec=2 demands, but PROT_EXEC mappings are allowed. */
	long fd = sys_memfd_create(part->name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	uint64_t offset = part->offset;
	long result;

	if (fd == -EINVAL) /* Linux before 6.3 */
		fd = sys_memfd_create(part->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		die_part(part, "memfd_create", fd);
	fd = descriptor_above_stdio(fd);
	if (fd < 0)
		die_part(part, "fcntl", fd);
	while (offset < part->offset + part->size) {
		result = sys_sendfile((int)fd, file, &offset, part->offset + part->size - offset);
		if (result == -EINTR)
			continue;
		if (result <= 0)
			die_part(part, "sendfile", result == 0 ? -EIO : result);
	}
	/* EBUSY while the kernel itself still holds one of the new pages, for which it waits some 100 ms each time. */
	for (int attempt = 0; attempt < SEAL_ATTEMPTS; attempt++) {
		result = sys_fcntl((int)fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
		if (result != -EBUSY)
			break;
	}
	if (result < 0)
		die_part(part, "fcntl", result);
	return (int)fd;
}

/* Node aborts when 0, 1 or 2 is closed and /dev/null is missing; an epoll descriptor reads and writes nothing. */
static void open_missing_stdio(void)
{
	for (int fd = 0; fd <= STDERR; fd++) {
		long opened;

		if (sys_fcntl(fd, F_GETFD, 0) != -EBADF)
			continue;
		opened = sys_open("/dev/null", O_RDWR);
		if (opened < 0)
			opened = sys_epoll_create();
		if (opened < 0)
			die_call(STEP, "cannot fill a closed standard descriptor", "epoll_create1", opened);
	}
}

struct parts {
	struct image node;
	struct image loader;
	struct text preload; /* LD_PRELOAD=… */
	int addon;
};

/* Where ld.so finds the part with this number. */
static void add_library(struct text *preload, int file, uint32_t number, int is_in_place)
{
	int fd;

	if (preload->length > sizeof("LD_PRELOAD=") - 1)
		text_add(preload, ":");
	if (is_in_place) {
		text_add(preload, IN_PLACE_PREFIX);
		text_add_number(preload, number);
		return;
	}
	fd = memory_file(file, &pack_index()->parts[number]);
	text_add(preload, "/proc/self/fd/");
	text_add_number(preload, fd);
	after_loader.descriptors[after_loader.descriptor_count++] = fd;
}

static void load_parts(struct parts *parts, int file, size_t page_size)
{
	const struct pack_index *index = pack_index();
	int is_in_place = in_place_begin(file) == 0; /* else Linux before 5.11, or a seccomp filter forbids it */

	for (uint32_t i = 0; i < index->part_count && i < PACK_MAX_PARTS; i++) {
		const struct pack_part *part = &index->parts[i];

		switch (part->kind) {
		case PACK_NODE:
			parts->node = image_map(file, part, page_size);
			break;
		case PACK_LOADER:
			parts->loader = image_map(file, part, page_size);
			break;
		case PACK_LIBRARY:
			add_library(&parts->preload, file, i, is_in_place);
			break;
		case PACK_ADDON:
			parts->addon = memory_file(file, part);
			break;
		default:
			break;
		}
	}
	if (parts->node.entry == 0 || parts->loader.entry == 0 || parts->addon == NO_DESCRIPTOR) {
		const struct failure failure = {
			.message = "the fence executable holds no Node",
			.step = STEP,
			.hint = "this is the bare stub; run the packed dist/fence",
			.code = "FENCE_STUB",
		};

		die(&failure);
	}
}

/* What ld.so and Node are told of themselves instead of the stub. */
static unsigned long auxiliary_value(const Elf64_auxv_t *entry, const struct parts *parts)
{
	switch (entry->a_type) {
	case AT_PHDR:
		return parts->node.headers;
	case AT_PHNUM:
		return parts->node.header_count;
	case AT_BASE:
		return parts->loader.base;
	case AT_ENTRY:
		return (unsigned long)fence_node_entry;
	default:
		return entry->a_un.a_val;
	}
}

_Noreturn void node_become(const struct start *start, int file, const struct node_role *role)
{
	char preload[1024], handed[2048];
	char openssl_conf[] = "OPENSSL_CONF="; /* one that cannot be read would end Node */
	struct parts parts = { .preload = text_in(preload, sizeof(preload)), .addon = NO_DESCRIPTOR };
	struct text variable = text_in(handed, sizeof(handed));
	size_t words = 1 + start->argc + 1 + start->envc + PRIVATE_VARIABLES + 1 + AUXILIARY_WORDS * (start->auxc + 1);
	unsigned long *stack, *next;

	open_missing_stdio();
	text_add(&parts.preload, "LD_PRELOAD=");
	load_parts(&parts, file, start->page_size);
	after_loader.node_entry = parts.node.entry;
	after_loader.descriptors[after_loader.descriptor_count++] = file;

	text_add(&variable, "FENCE_STUB=");
	text_add(&variable, role->name);
	text_add(&variable, ":");
	text_add_number(&variable, parts.addon);
	for (size_t i = 0; i < role->count; i++) {
		text_add(&variable, ",");
		text_add_number(&variable, role->descriptors[i]);
	}

	/* The new stack lies below this frame, which is never left: its strings stay valid. */
	stack = __builtin_alloca_with_align((words + 1) * sizeof(*stack), 128);
	next = stack;
	*next++ = start->argc;
	for (size_t i = 0; i < start->argc; i++)
		*next++ = (unsigned long)start->argv[i];
	*next++ = 0;
	for (size_t i = 0; i < start->envc; i++) {
		if (!steers_node(start->envp[i]))
			*next++ = (unsigned long)start->envp[i];
	}
	*next++ = (unsigned long)handed;
	*next++ = (unsigned long)openssl_conf;
	*next++ = (unsigned long)preload; /* last: fence_loader_done() takes it away */
	*next++ = 0;
	for (size_t i = 0; i < start->auxc; i++) {
		*next++ = start->auxv[i].a_type;
		*next++ = auxiliary_value(&start->auxv[i], &parts);
	}
	*next++ = AT_NULL;
	*next++ = 0;
	arch_enter(parts.loader.entry, stack);
}
