/*
 * The processes that /proc lists.
 *
 * Runs:     in the keeper.
 * Source:   proc(5), getdents(2)
 */
#ifndef FENCE_STUB_PROC_LIST_H
#define FENCE_STUB_PROC_LIST_H

#include <stddef.h>

/* Whether there is no process but those of @known. No, when /proc cannot be read. */
int proc_list_only(const long *known, size_t count);

#endif
