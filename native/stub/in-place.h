/*
 * Lets ld.so map libraries that lie somewhere inside the packed file, as if each were a file of its own.
 *
 * Runs:     in the process that becomes Node, from before ld.so until it is done.
 * Promises: nothing is copied: the libraries share the page cache with all other processes of fence; while Node runs
 *           nothing of this is left.
 * Source:   Documentation/admin-guide/syscall-user-dispatch.rst (Linux 5.11); glibc elf/dl-load.c
 */
#ifndef FENCE_STUB_IN_PLACE_H
#define FENCE_STUB_IN_PLACE_H

/* What ld.so opens: this and the number of the part. */
#define IN_PLACE_PREFIX "/fence-part/"

/*
 * From now on system calls that are not made by the stub come to the stub first, which answers those on parts of @file.
 * Returns 0 or -errno; then nothing has changed and the libraries must be files.
 */
long in_place_begin(int file);

void in_place_end(void);

#endif
