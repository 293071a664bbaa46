/*
 * state_copy - a state that nothing was left over from making it.
 *
 * Sources let arrays grow: what they outgrew stays in the arena. Who keeps hundreds of states
 * keeps copies, which are a fifth of the size.
 */
#ifndef SHMSCOPE_STATE_COPY_H
#define SHMSCOPE_STATE_COPY_H

#include "lib/state/state.h"

/*
 * state_copy - everything in `from`, sharing nothing with it, in one piece of memory.
 * to   initialised by the call; give back with state_fini().
 * Returns 0; -ENOMEM (to is empty).
 * Safety: one-owner of to; from may be read by others at the same time.
 */
int state_copy(struct state *to, const struct state *from);

#endif
