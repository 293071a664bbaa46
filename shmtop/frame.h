/*
 * frame - one sample: the state as it was seen and what the judge said of it. Everything that a
 * screen shows of one moment comes from one frame, so a row and the total above it never
 * disagree.
 *
 * history - the frames of the last minutes, so that one can step back without a recording. It
 * is bounded by time and by bytes; the oldest go first.
 */
#ifndef SHMSCOPE_SHMTOP_FRAME_H
#define SHMSCOPE_SHMTOP_FRAME_H

#include "lib/findings/findings.h"
#include "lib/state/state.h"

struct frame {
	struct state st;
	struct findings findings; /* list and texts live in st.arena */
	const unsigned *stack;    /* by index into st.stack: its number on the page, "S1" is 1 */
	bool changed;             /* other findings than in the frame before, or another state of one */
};

/*
 * frame_make - a frame of a state and the judge's present findings, which are copied.
 * st       taken: the frame owns it from here on, also when this fails.
 * before   the frame before it, NULL: none; borrowed.
 * Returns the frame, returned (frame_destroy()); NULL without memory.
 * Safety: one-owner.
 */
struct frame *frame_make(struct state *st, const struct findings *f, const struct frame *before);

/* frame_destroy - NULL is fine. Safety: one-owner. */
void frame_destroy(struct frame *f);

/* frame_bytes - memory it holds. Safety: one-owner. */
size_t frame_bytes(const struct frame *f);

/* frame_stack_name - "S1"; "-" where there is no stack. Returns buf. Safety: MT-safe. */
enum { FRAME_STACK_NAME = 16 };
const char *frame_stack_name(char buf[FRAME_STACK_NAME], const struct frame *f, int stack);

enum { HISTORY_SECONDS = 600, HISTORY_BYTES = 16 << 20 };

struct history {
	struct frame **frame; /* oldest first */
	size_t n, room;
	size_t bytes;
	size_t bytes_max;
	uint64_t span_max_us;
};

/* history_init / history_fini - with the limits above. Safety: one-owner. */
void history_init(struct history *h);
void history_fini(struct history *h);

/*
 * history_add - a frame that is later than all others.
 * f   taken. The oldest are dropped until the limits hold; this one always stays.
 * Returns how many were dropped; -ENOMEM (f destroyed).
 * Safety: one-owner.
 */
int history_add(struct history *h, struct frame *f);

/* history_find - index of the last frame not after now_us; 0 when all are later. n must not be
 * 0. Safety: one-owner. */
size_t history_find(const struct history *h, uint64_t now_us);

#endif
