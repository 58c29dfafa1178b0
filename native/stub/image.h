/*
 * Maps an ELF image out of the packed file, as the kernel's execve(2) would.
 *
 * Runs:     in the process that becomes Node.
 * Promises: a fixed image never replaces a mapping that is there; any failure ends the process with 125.
 * Source:   elf(5), Linux fs/binfmt_elf.c
 */
#ifndef FENCE_STUB_IMAGE_H
#define FENCE_STUB_IMAGE_H

#include "pack-index.h"

#include <stddef.h>
#include <stdint.h>

struct image {
	uint64_t base; /* what is added to the addresses in the file */
	uint64_t entry;
	uint64_t headers; /* the program headers in memory, for AT_PHDR */
	uint64_t header_count;
};

struct image image_map(int file, const struct pack_part *part, size_t page_size);

#endif
