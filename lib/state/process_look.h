/*
 * process_look - running processes become a part of a state: read from /proc and by
 * process_vm_readv(), never stopped, signalled or traced.
 *
 *	look = process_look_create();
 *	for each state:
 *		process_look_begin(look);
 *		process_look_fill(look, &st, pid, ...) for each process
 */
#ifndef SHMSCOPE_STATE_PROCESS_LOOK_H
#define SHMSCOPE_STATE_PROCESS_LOOK_H

#include <stdbool.h>

#include "lib/state/state.h"

enum { PROCESS_LOOK_THREADS = 16384 }; /* threads of one process that are looked at */

struct process_look;

/* process_look_create / process_look_destroy - what is kept from one look to the next. NULL
 * without memory; NULL is fine. Safety: one-owner, as everything below. */
struct process_look *process_look_create(void);
void process_look_destroy(struct process_look *look);

/* process_look_begin - a new round of looks: what did not run since the last round is known. */
void process_look_begin(struct process_look *look);

/*
 * process_look_fill - add a process to the state.
 *
 * start   its start time; 0: whoever has that pid now.
 * tids    without stacks: the threads to look at, n of them; what is none of its threads is
 *         passed over.
 * stacks  look at all threads, and capture the stacks of those that are blocked (PEEK).
 *
 * A thread that has not run since the round before has been blocked at least since then.
 *
 * Returns 1 when it was added; 0 when there is no such process (any more); -ENOMEM. What may
 * not be read is noted as unseen.
 */
int process_look_fill(struct process_look *look, struct state *st, int32_t pid, uint64_t start,
		      const int32_t *tids, size_t n, bool stacks);

/* process_look_signals - whether handlers of the process may wake its threads (p->handles). */
void process_look_signals(struct state_process *p);

/* process_look_is_alive - is there a process with this pid and start time that has not ended? */
bool process_look_is_alive(int32_t pid, uint64_t start);

#endif
