/* Maps an ELF image out of the packed file: see image.h. */
#include "image.h"

#include "fail.h"
#include "sys.h"
#include "text.h"

#define STEP "load-node"
#define MAX_SEGMENTS 32

struct source {
	int file;
	const struct pack_part *part;
	uint64_t page_mask; /* page size - 1 */
	Elf64_Ehdr elf;
	Elf64_Phdr segments[MAX_SEGMENTS];
};

_Noreturn static void die_damaged(const struct source *source)
{
	const struct failure failure = {
		.message = "the fence executable is damaged: bad ELF part",
		.path = source->part->name,
		.step = STEP,
		.hint = "install it again",
		.code = "FENCE_STUB",
	};

	die(&failure);
}

_Noreturn static void die_unmapped(const struct source *source, long error)
{
	const struct failure failure = {
		.message = "cannot map the part",
		.path = source->part->name,
		.syscall = "mmap",
		.error = (int)-error,
		.step = STEP,
		.hint = error == -EPERM   ? "the executable is on a file system mounted noexec, or a security policy forbids it"
			: error == -ENOMEM ? "the limit on address space (ulimit -v) or memory is too low: Node needs 1.5 GB of addresses"
					   : NULL,
		.code = "FENCE_STUB",
	};

	die(&failure);
}

static void read_at(const struct source *source, void *bytes, size_t length, uint64_t offset)
{
	long result = sys_pread(source->file, bytes, length, source->part->offset + offset);
	const struct failure failure = {
		.message = "cannot read the part",
		.path = source->part->name,
		.syscall = "pread",
		.error = (int)-result,
		.step = STEP,
		.code = "FENCE_STUB",
	};

	if (result < 0)
		die(&failure);
	if (result != (long)length)
		die_damaged(source);
}

static void read_headers(struct source *source)
{
	Elf64_Ehdr *elf = &source->elf;

	read_at(source, elf, sizeof(*elf), 0);
	if (memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 || elf->e_machine != ARCH_ELF_MACHINE ||
	    elf->e_phentsize != sizeof(Elf64_Phdr) || elf->e_phnum > MAX_SEGMENTS)
		die_damaged(source);
	read_at(source, source->segments, elf->e_phnum * sizeof(Elf64_Phdr), elf->e_phoff);
}

/* The address to add to the file's: 0 for a fixed image, a reserved range for a position-independent one. */
static uint64_t reserve(const struct source *source)
{
	uint64_t low = UINT64_MAX, high = 0;
	long reserved;

	for (unsigned int i = 0; i < source->elf.e_phnum; i++) {
		const Elf64_Phdr *segment = &source->segments[i];

		if (segment->p_type != PT_LOAD)
			continue;
		if ((segment->p_vaddr & ~source->page_mask) < low)
			low = segment->p_vaddr & ~source->page_mask;
		if (segment->p_vaddr + segment->p_memsz > high)
			high = segment->p_vaddr + segment->p_memsz;
	}
	if (low >= high)
		die_damaged(source);
	if (source->elf.e_type == ET_EXEC)
		return 0;
	reserved = sys_mmap(0, high - low, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(reserved))
		die_unmapped(source, reserved);
	return (uint64_t)reserved - low;
}

static int protection(const Elf64_Phdr *segment)
{
	return ((segment->p_flags & PF_R) != 0 ? PROT_READ : 0) | ((segment->p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
	       ((segment->p_flags & PF_X) != 0 ? PROT_EXEC : 0);
}

static void map_at(const struct source *source, uint64_t address, size_t length, const Elf64_Phdr *segment, int file,
		   uint64_t offset)
{
	int fixed = source->elf.e_type == ET_EXEC ? MAP_FIXED_NOREPLACE : MAP_FIXED;
	int flags = MAP_PRIVATE | fixed | (file == -1 ? MAP_ANONYMOUS : 0);
	long mapped = sys_mmap(address, length, protection(segment), flags, file, offset);

	if (sys_failed(mapped))
		die_unmapped(source, mapped);
	if ((uint64_t)mapped != address) /* Linux before 4.17 takes MAP_FIXED_NOREPLACE for a hint */
		die_unmapped(source, -EEXIST);
}

static void map_segment(const struct source *source, uint64_t base, const Elf64_Phdr *segment)
{
	uint64_t skew = segment->p_vaddr & source->page_mask;
	uint64_t start = base + segment->p_vaddr - skew;
	uint64_t file_end = base + segment->p_vaddr + segment->p_filesz;
	uint64_t memory_end = base + segment->p_vaddr + segment->p_memsz;
	uint64_t page_end = (file_end + source->page_mask) & ~source->page_mask;

	if (segment->p_filesz > segment->p_memsz || segment->p_offset < skew ||
	    segment->p_offset + segment->p_filesz > source->part->size)
		die_damaged(source);
	if (segment->p_filesz > 0)
		map_at(source, start, segment->p_filesz + skew, segment, source->file,
		       source->part->offset + segment->p_offset - skew);
	else
		page_end = start;
	if (memory_end <= file_end)
		return;
	/* To the END of the page, past the bss: ld.so's first malloc takes the rest of it for zeroed memory. */
	if ((segment->p_flags & PF_W) != 0 && page_end > file_end)
		memset((void *)file_end, 0, page_end - file_end);
	if (memory_end > page_end)
		map_at(source, page_end, memory_end - page_end, segment, -1, 0);
}

struct image image_map(int file, const struct pack_part *part, size_t page_size)
{
	struct source source = { .file = file, .part = part, .page_mask = page_size - 1 };
	struct image image = { .base = 0 };

	read_headers(&source);
	image.base = reserve(&source);
	image.entry = image.base + source.elf.e_entry;
	image.header_count = source.elf.e_phnum;
	for (unsigned int i = 0; i < source.elf.e_phnum; i++) {
		const Elf64_Phdr *segment = &source.segments[i];
		uint64_t in_segment = source.elf.e_phoff - segment->p_offset;

		if (segment->p_type != PT_LOAD)
			continue;
		map_segment(&source, image.base, segment);
		if (source.elf.e_phoff >= segment->p_offset && in_segment < segment->p_filesz)
			image.headers = image.base + segment->p_vaddr + in_segment;
	}
	if (image.headers == 0)
		die_damaged(&source);
	return image;
}
