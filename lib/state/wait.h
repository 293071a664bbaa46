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

enum { WAIT_ANY_CHILD = 0, WAIT_NO_CHILD = -1 };

/* wait_child_of - of a thread in wait(2): the number of the child that it names, WAIT_ANY_CHILD, or
 * WAIT_NO_CHILD where it waits for none or those of a group. Safety: MT-safe. */
int32_t wait_child_of(const struct state_thread *t);

#endif
