/*
 * The messages between the process that becomes the program (P0) and the set-up Node.
 *
 * Runs:     both ends of one SOCK_SEQPACKET socket pair. src/sys/stub.ts speaks the other end.
 * Promises: one message, one packet; a packet of any other size or magic is refused.
 * Source:   docs/bootstrap.md
 */
#ifndef FENCE_STUB_PROTOCOL_H
#define FENCE_STUB_PROTOCOL_H

#include <stdint.h>

#define PROTOCOL_MAGIC 0x50434e46u /* "FNCP" */

enum message_kind {
	MESSAGE_EXEC_PLAN = 1,	/* to P0: value = size of the plan; descriptors: the plan, then the ruleset if any */
	MESSAGE_EXIT = 2,	/* to P0: value = the status to exit with; the error has been reported */
	MESSAGE_TAKE = 3,	/* to P0: value = a descriptor that the caller meant for fence, not for the program */
	MESSAGE_TAKEN = 4,	/* from P0: error = 0 with the descriptor, or an errno value */
	MESSAGE_FAILED = 5,	/* from P0: step, index and error of the plan's step that failed; P0 then awaits EXIT */
};

struct message {
	uint32_t magic;
	uint32_t kind;
	uint32_t value;
	uint32_t step;	/* a step type of the exec plan */
	uint32_t index; /* which step of the plan, from 0 */
	uint32_t error; /* an errno value */
};
_Static_assert(sizeof(struct message) == 24, "spoken by src/sys/stub.ts");

#endif
