/*
 * What P0 does at the set-up's word before it has its plan, and how it ends when there will be none.
 *
 * Runs:     in P0.
 * Promises: the set-up gets an answer to whatever it waits for, or this process ends and says why.
 * Source:   docs/bootstrap.md
 */
#ifndef FENCE_STUB_P0_H
#define FENCE_STUB_P0_H

#include "channel.h"
#include "fail.h"
#include "set-up.h"

/* p0-end.c */

/*
 * Without the program. Where this process is PID 1 its end ends all others: the keeper first removes what has been made,
 * and the launcher. A reaper waits for them by itself.
 */
_Noreturn void p0_end(const struct own *own, int status);
_Noreturn void p0_end_with(const struct own *own, const struct failure *failure);
/* @message is about a message, and goes on with whose it was. */
_Noreturn void p0_end_of_message(const struct own *own, const char *message);
/* Nobody says any more what is to become of this process. */
_Noreturn void p0_end_of_word(const struct own *own);
/* @result is of an answer that the set-up waits for: it must not wait for ever. */
void p0_end_unless_heard(const struct own *own, long result);
/*
 * Waits for the set-up's next word, with at most @size bytes of payload. Returns 0, or -1 when the set-up process has ended. What
 * becomes the sandbox and cannot hear it once, or has no room for what comes with it, takes it for a GIVE with that error.
 */
int p0_hear(const struct own *own, struct delivery *delivery, void *payload, size_t size);

/* p0-refer.c */

/* Gives a descriptor of the caller's that is meant for fence to the set-up; the program does not inherit it. */
void p0_give_up(const struct own *own, uint32_t descriptor);
/* Descriptors of the set-up's that the program is to inherit. An answer, and no plan is obeyed any more, when it cannot. */
void p0_take_given(struct own *own, struct delivery *delivery);
/* Refers the set-up to the process that becomes the program. */
void p0_refer(struct own *own, const struct message *message);

#endif
