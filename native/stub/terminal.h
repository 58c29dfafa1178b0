/*
 * The terminal, after a sandbox.
 *
 * Runs:     in the front of `fence run`.
 * Promises: takes the terminal from nobody who lives.
 * Source:   tcsetpgrp(3), ioctl_tty(2)
 */
#ifndef FENCE_STUB_TERMINAL_H
#define FENCE_STUB_TERMINAL_H

/* Makes this process's group the foreground one when that of the terminal has ended. */
void terminal_take_back(void);

#endif
