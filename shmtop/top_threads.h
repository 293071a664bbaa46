/*
 * top_threads - the threads of a process, those with equal stacks (and locks) as one group. Pure.
 */
#ifndef SHMSCOPE_SHMTOP_TOP_THREADS_H
#define SHMSCOPE_SHMTOP_TOP_THREADS_H

#include "shmtop/frame.h"

struct top_group {
	char id[FRAME_STACK_NAME]; /* "S1"; "-" where there is no stack */
	int stack;                 /* index into state->stack; -1 */
	unsigned count;
	enum thread_doing doing;
	int64_t longest_us;        /* blocked for at least so long; -1 not known */
	const char *name;          /* of the first thread */
	const char *wait_text;     /* of the first; NULL */
	const struct state_thread *thread; /* the first */
	const struct state_lock *lock; /* that the first sleeps on; NULL */
	const char *reason;        /* why there is no stack; NULL */
	int32_t tid;               /* of the first */
	bool differ;               /* they sleep on locks of one kind, but not on the same */
	bool disturbed, own;
};

struct top_threads {
	struct top_group *group; /* blocked first, then running, idle, our own; larger first */
	size_t n, room;
	size_t stacks;           /* distinct ones */
};

/*
 * top_threads_make - group the threads of a process; `split`: a group for each thread.
 * Returns 0 or -ENOMEM. Texts live as long as the state. Safety: one-owner.
 */
int top_threads_make(struct top_threads *out, const struct frame *f,
		     const struct state_process *p, bool split);

/* top_threads_fini - give back. Safety: one-owner. */
void top_threads_fini(struct top_threads *list);

#endif
