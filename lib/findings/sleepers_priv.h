/* sleepers - threads of a process that sleep on one word, as a group. */
#ifndef SHMSCOPE_FINDINGS_SLEEPERS_PRIV_H
#define SHMSCOPE_FINDINGS_SLEEPERS_PRIV_H

#include "lib/findings/candidate_priv.h"

struct sleepers {
	const struct waits_node **node; /* by tid; the same process, the same word */
	size_t n;
};

/*
 * sleepers_each - look(scene, group, out) for every word of every process that somebody sleeps
 * on, in order of pid and word. Safety: one-owner.
 */
void sleepers_each(const struct scene *scene,
		   void (*look)(const struct scene *scene, const struct sleepers *group,
				struct candidates *out),
		   struct candidates *out);

/* sleepers_who - "tid 12 "heir"", "3 threads (tid 12 "heir", 13, 14)". Safety: one-owner. */
const char *sleepers_who(struct candidates *out, const struct sleepers *group);

/* sleepers_lock - "mutex 0x55d0c0a8 (index_lock)". Safety: one-owner. */
const char *sleepers_lock(struct candidates *out, const struct sleepers *group);

/* sleepers_asleep_us - since when all of them have slept there without running. */
uint64_t sleepers_asleep_us(const struct sleepers *group);

/* sleepers_add - an edge for each, and what of the hubs stands still with them. */
void sleepers_add(struct candidates *out, struct candidate *c, const struct scene *scene,
		  const struct sleepers *group);

#endif
