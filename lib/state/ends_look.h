/*
 * ends_look - asks the running system who has the other ends of what threads wait on, and who
 * holds a lock that the system's list names nobody for.
 *
 * One reading of /proc serves all questions for a while; it is made at the first question, so a
 * process that waits on no pipe and no socket costs nothing.
 */
#ifndef SHMSCOPE_STATE_ENDS_LOOK_H
#define SHMSCOPE_STATE_ENDS_LOOK_H

#include "lib/state/state.h"

struct ends_look;

/* ends_look_create / ends_look_destroy - NULL without memory; destroying NULL is fine.
 * limit_us  for one reading of /proc.  age_us  how long it serves.
 * Safety: one-owner. */
struct ends_look *ends_look_create(uint64_t limit_us, uint64_t age_us);
void ends_look_destroy(struct ends_look *l);

/*
 * ends_look_fill - for all threads of a living process whose open files are known (ends.h):
 * addresses, other ends, children that are waited for; and their texts.
 * Threads must be known to be still where they were seen. Returns 0 or -ENOMEM. Safety: one-owner.
 */
int ends_look_fill(struct ends_look *l, struct state *st, struct state_process *p);

#endif
