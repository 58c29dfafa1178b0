/*
 * The exec plan: what this process does to itself before it becomes the program.
 *
 * Runs:     in P0, on bytes that TypeScript made (src/plan/exec-plan-bytes.ts).
 * Promises: a plan that was checked is safe to carry out: every string ends, every index is in range, the steps
 *           stand in the one safe order, and there is an answer for Landlock and for seccomp.
 * Source:   docs/exec-plan.md
 */
#ifndef FENCE_STUB_EXEC_PLAN_H
#define FENCE_STUB_EXEC_PLAN_H

#include "pack-index.h"

#include "../landlock-napi/uapi/linux/landlock.h"

#include <stddef.h>
#include <stdint.h>

#define EXEC_PLAN_MAGIC 0x4c505846u /* "FXPL" */
#define EXEC_PLAN_VERSION 1
#define EXEC_PLAN_MAX_SIZE (64u << 20)
#define EXEC_PLAN_MAX_FILTER 4096u /* BPF_MAXINSNS */

/* All numbers are little-endian. The header is followed by step_count steps. */
struct exec_plan_header {
	uint32_t magic;
	uint32_t version;
	uint8_t build_id[BUILD_ID_SIZE];
	uint32_t size; /* of the whole plan in bytes */
	uint32_t step_count;
};
_Static_assert(sizeof(struct exec_plan_header) == 32, "written by src/plan/exec-plan-bytes.ts");

/* Followed by its payload, which is padded to a multiple of 8 bytes. */
struct exec_plan_step {
	uint16_t type;
	uint16_t reserved;
	uint32_t length; /* of the payload in bytes, without the padding */
};
_Static_assert(sizeof(struct exec_plan_step) == 8, "written by src/plan/exec-plan-bytes.ts");

/* The upper digit is the rank: ranks never go down within a plan. */
enum exec_plan_type {
	PLAN_CLEAR_ENV = 0x10,	     /* nothing */
	PLAN_UNSET_ENV = 0x20,	     /* NAME */
	PLAN_SET_ENV = 0x30,	     /* NAME=VALUE */
	PLAN_ORIGINAL_ARGS = 0x40,   /* struct exec_plan_range: arguments of this process, byte for byte */
	PLAN_ARG = 0x41,	     /* one argument */
	PLAN_CHDIR = 0x50,	     /* path */
	PLAN_LISTEN = 0x51,	     /* struct sockaddr_in or sockaddr_in6 */
	PLAN_UMASK = 0x60,	     /* u32 */
	PLAN_SEARCH = 0x61,	     /* paths; once, and then PLAN_EXEC_FOUND */
	PLAN_RULESET = 0x62,	     /* struct exec_plan_ruleset; once, and then PLAN_LANDLOCK enforces it */
	PLAN_PATH_RULE = 0x63,	     /* struct exec_plan_path_rule, and the path; after PLAN_RULESET */
	PLAN_PORT_RULE = 0x64,	     /* struct exec_plan_port_rule; after PLAN_RULESET */
	PLAN_RLIMIT = 0x70,	     /* struct exec_plan_rlimit */
	PLAN_STREAM = 0x71,	     /* struct exec_plan_stream: a standard stream */
	PLAN_SIGNALS = 0x72,	     /* struct exec_plan_signals */
	PLAN_DROP_CAPABILITIES = 0x80, /* nothing */
	PLAN_LANDLOCK = 0x90,	     /* struct exec_plan_landlock; required, once */
	PLAN_SECCOMP = 0xa0,	     /* struct sock_filter[]; none: no filter; required, once */
	PLAN_EXEC = 0xb0,	     /* path; required, once, last */
	PLAN_EXEC_ORIGINAL = 0xb1,   /* u32: the argument of this process that is the path; instead of PLAN_EXEC */
	PLAN_EXEC_FOUND = 0xb2,	     /* nothing: what PLAN_SEARCH has found; instead of PLAN_EXEC */
};

/* What belongs to no step, as failures name it; never in a plan. */
enum exec_plan_preparation {
	PLAN_CHECK = 0x01,	  /* checking the plan */
	PLAN_VECTORS = 0x02,	  /* making room for the arguments and the environment */
	PLAN_NO_NEW_PRIVS = 0x03, /* prctl(PR_SET_NO_NEW_PRIVS) */
	PLAN_READ = 0x04,	  /* looking at the plan's file; the failure's index is of enum exec_plan_read */
	PLAN_ANNOUNCE = 0x05,	  /* saying that all is carried out but the program: MESSAGE_READY */
};

enum exec_plan_read {
	PLAN_READ_SEALS = 0, /* fcntl(F_GET_SEALS) */
	PLAN_READ_SIZE = 1,  /* lseek(2) */
	PLAN_READ_MAP = 2,   /* mmap(2) */
};

/* The calls of the steps that make several, as failures number them. */
enum exec_plan_listen_call {
	PLAN_LISTEN_SOCKET = 0,
	PLAN_LISTEN_SETSOCKOPT = 1,
	PLAN_LISTEN_BIND = 2,
	PLAN_LISTEN_LISTEN = 3,
	PLAN_LISTEN_SENDMSG = 4,
};

enum exec_plan_path_rule_call {
	PLAN_PATH_RULE_OPEN = 0,
	PLAN_PATH_RULE_FSTAT = 1,
	PLAN_PATH_RULE_LANDLOCK_ADD_RULE = 2,
};

enum exec_plan_signals_call {
	PLAN_SIGNALS_RT_SIGACTION = 0,
	PLAN_SIGNALS_RT_SIGPROCMASK = 1,
};

struct plan_failure {
	uint32_t step;	  /* enum exec_plan_type, enum exec_plan_preparation */
	uint32_t index;	  /* which step of the plan, from 0 */
	uint32_t call;	  /* which of the step's calls, or 0 */
	uint32_t error;	  /* errno */
	const char *path; /* that was to be entered, opened or executed, or NULL */
};

struct exec_plan_range {
	uint32_t first;
	uint32_t count;
};
_Static_assert(sizeof(struct exec_plan_range) == 8, "written by src/plan/exec-plan-bytes.ts");

struct exec_plan_rlimit {
	uint32_t resource; /* RLIMIT_* */
	uint32_t reserved;
	uint64_t soft;
	uint64_t hard;
};
_Static_assert(sizeof(struct exec_plan_rlimit) == 24, "written by src/plan/exec-plan-bytes.ts");

/* A bit for each signal, the lowest for number 1. Those that are not ignored have their default action. */
struct exec_plan_signals {
	uint64_t blocked;
	uint64_t ignored;
};
_Static_assert(sizeof(struct exec_plan_signals) == 16, "written by src/plan/exec-plan-bytes.ts");

struct exec_plan_stream {
	int32_t from; /* a descriptor that the program is not to have; -1: the stream is to be closed */
	uint32_t to;  /* 0 to 2 */
};
_Static_assert(sizeof(struct exec_plan_stream) == 8, "written by src/plan/exec-plan-bytes.ts");

/* As struct landlock_ruleset_attr has them. */
struct exec_plan_ruleset {
	uint64_t handled_fs;
	uint64_t handled_net;
	uint64_t scoped;
	uint64_t quiet_fs;
	uint64_t quiet_net;
	uint64_t quiet_scoped;
};
_Static_assert(sizeof(struct exec_plan_ruleset) == sizeof(struct landlock_ruleset_attr), "given to the kernel as it is");

/* The path follows. What it leads to decides which rights count; none that are not quiet make no rule. */
struct exec_plan_path_rule {
	uint64_t directory_access;
	uint64_t file_access;
	uint32_t flags; /* of landlock_add_rule(2) */
	uint32_t reserved;
};
_Static_assert(sizeof(struct exec_plan_path_rule) == 24, "written by src/plan/exec-plan-bytes.ts");

struct exec_plan_port_rule {
	uint64_t port;
	uint64_t access;
	uint32_t flags; /* of landlock_add_rule(2) */
	uint32_t reserved;
};
_Static_assert(sizeof(struct exec_plan_port_rule) == 24, "written by src/plan/exec-plan-bytes.ts");

struct exec_plan_landlock {
	uint32_t restricts; /* 1: enforce the plan's ruleset, or the one that came with it; 0: the policy says none */
	uint32_t flags;	    /* of landlock_restrict_self(2) */
};
_Static_assert(sizeof(struct exec_plan_landlock) == 8, "written by src/plan/exec-plan-bytes.ts");

/* What a checked plan needs: how large to make the argument and environment vectors. */
struct exec_plan_counts {
	uint32_t args;
	uint32_t set_variables;
};

/*
 * Checks @size bytes at @bytes, 8-aligned, as a plan for a process with @argc arguments, and fills @counts.
 * Returns NULL, or what is wrong, with the number of the step in @failed_step.
 */
const char *exec_plan_check(const void *bytes, size_t size, size_t argc, const uint8_t build_id[BUILD_ID_SIZE],
			    struct exec_plan_counts *counts, uint32_t *failed_step);

/* The steps of a checked plan in turn. */
const struct exec_plan_step *exec_plan_first(const void *bytes);
const struct exec_plan_step *exec_plan_next(const struct exec_plan_step *step);
const void *exec_plan_payload(const struct exec_plan_step *step);

#endif
