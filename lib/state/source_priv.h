/*
 * source_priv - what the kinds of sources share.
 */
#ifndef SHMSCOPE_STATE_SOURCE_PRIV_H
#define SHMSCOPE_STATE_SOURCE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/state/source.h"

struct source {
	int (*next)(struct source *src, struct state *st, struct err *err);
	void (*close)(struct source *src);
};

/*
 * The clock of the states. CLOCK_MONOTONIC of the first input that says its boot id; times of
 * other boots are moved onto it by their distance in CLOCK_REALTIME.
 */
struct source_clock {
	char boot[37];          /* "" until the first input */
	int64_t real_offset_us; /* CLOCK_REALTIME - CLOCK_MONOTONIC there */
};

/*
 * source_clock_shift - what to add to the monotonic times of an input.
 * boot   its boot id; NULL or "" is taken for the same boot.
 * Safety: one-owner.
 */
int64_t source_clock_shift(struct source_clock *clock, const char *boot, int64_t real_offset_us);

/* source_sees_bells, source_sees_processes - what state->sees_* are, by what is in a joined
 * state. Safety: MT-safe. */
bool source_sees_bells(const struct state *st);
bool source_sees_processes(const struct state *st);

/* ---- feeds ------------------------------------------------------------------------------- */

struct feed_set;

/* feed_set_create / feed_set_destroy - no feeds yet. NULL without memory; NULL is fine.
 * recent_bytes as in source_options. */
struct feed_set *feed_set_create(struct source_clock *clock, uint64_t recent_bytes);
void feed_set_destroy(struct feed_set *set);

/*
 * feed_set_add - take a feed in. One whose writer has only begun is taken, as partial.
 * Returns 0; the error of feed_chain_open(); -ENOMEM. Safety: one-owner, as everything below.
 */
int feed_set_add(struct feed_set *set, const char *path, struct err *err);

/* feed_set_note - a sentence for "NOT SEEN" of every state. */
int feed_set_note(struct feed_set *set, const char *text);

/* feed_set_is_empty - no feed was added. */
bool feed_set_is_empty(const struct feed_set *set);

/*
 * feed_set_next - the next look of the next dump (of a family, all its dumps), with everything
 * else as last seen. Returns 1; 0 when there are no more; or a negative errno with err.
 */
int feed_set_next(struct feed_set *set, struct state *st, struct err *err);

/* feed_set_nothing - the state of feeds without any dump: inputs, and that there is none.
 * Returns 1, or -ENOMEM with err. */
int feed_set_nothing(struct feed_set *set, struct state *st, struct err *err);

/*
 * feed_set_carry - add what the last dump of each feed saw, as carried, except of processes that
 * are in the state already.
 * feed_set_inputs - add the feeds themselves, and what they could not tell.
 * Both return 0 or -ENOMEM.
 */
int feed_set_carry(struct feed_set *set, struct state *st);
int feed_set_inputs(struct feed_set *set, struct state *st);

#endif
