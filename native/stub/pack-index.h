/*
 * Where the parts of the packed executable are.
 *
 * Runs:     read by the stub, written by build/pack.ts.
 * Promises: offsets are from the file's start and multiples of 64 KiB, sizes in bytes.
 * Source:   docs/packed-format.md
 */
#ifndef FENCE_STUB_PACK_INDEX_H
#define FENCE_STUB_PACK_INDEX_H

#include <stdint.h>

#define PACK_MAGIC "FENCE-PACK-IDX\1" /* 15 characters and the terminating NUL */
#define PACK_MAX_PARTS 14
#define BUILD_ID_SIZE 16

enum pack_kind {
	PACK_NODE = 1,	  /* the Node SEA, an ELF executable */
	PACK_LOADER = 2,  /* ld.so */
	PACK_LIBRARY = 3, /* a shared library that Node needs */
	PACK_ADDON = 4,	  /* the N-API addon */
};

struct pack_part {
	uint64_t offset;
	uint64_t size;
	uint32_t kind;
	uint32_t reserved;
	char name[40];
};
_Static_assert(sizeof(struct pack_part) == 64, "written by build/pack.ts");

struct pack_index {
	char magic[16];
	uint8_t build_id[BUILD_ID_SIZE];
	uint32_t part_count;
	uint32_t reserved;
	struct pack_part parts[PACK_MAX_PARTS];
};
_Static_assert(sizeof(struct pack_index) == 40 + 64 * PACK_MAX_PARTS, "written by build/pack.ts");

/* The index of this executable. */
const struct pack_index *pack_index(void);

#endif
