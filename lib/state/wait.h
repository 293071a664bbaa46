/*
 * wait - what a thread waits for, put into the model.
 */
#ifndef SHMSCOPE_STATE_WAIT_H
#define SHMSCOPE_STATE_WAIT_H

#include "lib/proc/proc_wait.h"
#include "lib/state/state.h"

/*
 * wait_set - kind and text of a thread's wait. The thread's state letter, sys and arg are set.
 *
 * known   what more is known than the numbers say (proc_wait_look(), or a feed's "on"); NULL.
 *
 * A thread that runs gets no text; one that is stopped, or blocked outside of a system call
 * (in a page fault), is told as that.
 * Safety: one-owner.
 */
void wait_set(struct state *st, struct state_thread *t, const struct proc_wait *known);

/*
 * wait_set_by_frames - a system call that was restarted (after stop and continue) no longer
 * says which one it was; the innermost named functions of the thread's stack do.
 * Does nothing for other threads. Safety: one-owner.
 */
void wait_set_by_frames(struct state *st, struct state_thread *t);

#endif
