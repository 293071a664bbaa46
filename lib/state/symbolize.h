/*
 * symbolize - names for the program counters in a state.
 *
 * Sources fill in numbers only: names cost time, and not every view wants them.
 */
#ifndef SHMSCOPE_STATE_SYMBOLIZE_H
#define SHMSCOPE_STATE_SYMBOLIZE_H

#include "lib/stack/sym.h"
#include "lib/state/state.h"

/*
 * state_symbolize - put function, file and line into all frames of all stacks. A frame whose
 * function was inlined becomes several. Stacks that have their names already are left alone.
 *
 * cache   outlives the state; used for any number of states, so that each file is read once.
 *         What it has to warn of (wrong build ids, missing files) stays in it: sym_warning().
 * is_enough  asked before each stack; true ends the work (Ctrl-C). NULL: never.
 *
 * Returns 0, also when nothing could be named; 1 when is_enough said so; -ENOMEM.
 * Safety: one-owner of both.
 */
int state_symbolize(struct state *st, struct sym_cache *cache, bool (*is_enough)(void));

#endif
