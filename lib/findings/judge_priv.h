/*
 * judge - what judge.c, causes.c, verdict.c and stacks.c share.
 */
#ifndef SHMSCOPE_FINDINGS_JUDGE_PRIV_H
#define SHMSCOPE_FINDINGS_JUDGE_PRIV_H

#include "lib/findings/candidate_priv.h"

/* One place under one rule, followed over time. Its texts live in the judge's arena. */
struct track {
	struct candidate c;       /* what is shown: of the confirmed episode, or the first */
	bool seen;                /* in the last look */
	bool confirmed;           /* the present episode is */
	bool open;                /* an episode is going on */
	uint64_t begin_us;        /* of the present episode */
	uint64_t fingerprint;
	unsigned samples;
	bool from_ages;
	struct candidate_cpu cpu; /* of the first look of the episode that saw the thread */
	uint64_t watched_us;      /* since then */
	uint64_t own_us;          /* in which it had a CPU or slept */
	bool guessed;             /* confirmed, and whether it got a CPU was not known */
	bool wanted;              /* somebody suffers from it, in this episode */
	uint64_t demand;          /* at its begin */
	uint64_t shown_begin_us, shown_held_us, shown_watched_us, shown_own_us;
	unsigned shown_samples;
	unsigned times;           /* episodes that were confirmed */
	uint64_t longest_us, cleared_us, dwell_us;
};

/*
 * causes_find - set consequence_of among the findings; track[i] belongs to finding[i].
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int causes_find(const struct track *track, struct finding *finding, size_t n);

/*
 * verdict_make - the one sentence.
 * list   the findings in order of the page.
 * Returns it in `arena`; NULL without memory. Safety: one-owner.
 */
const char *verdict_make(struct arena *arena, const struct findings *findings,
			 const struct state *st);

#endif
