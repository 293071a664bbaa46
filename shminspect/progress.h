/*
 * progress - one line on stderr while something takes long.
 *
 *	symbols  [#####-----] 52%  1 204 of 2 311
 *
 * On a terminal it appears after half a second and is removed when done; elsewhere there is a
 * line every ten seconds. The first Ctrl-C ends the work, the second the program.
 */
#ifndef SHMSCOPE_SHMINSPECT_PROGRESS_H
#define SHMSCOPE_SHMINSPECT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

/* progress_init - start the clock and watch for Ctrl-C. Safety: start-up. */
void progress_init(bool quiet);

/* progress_stage - what is being done now; total 0: not known. Safety: one-owner. */
void progress_stage(const char *what, size_t total);

/*
 * progress_tick - one more is done. Returns whether the user wants no more.
 * Safety: one-owner.
 */
bool progress_tick(void);

/* progress_was_stopped - Ctrl-C came. Safety: MT-safe. */
bool progress_was_stopped(void);

/* progress_done - take the line away. Safety: one-owner. */
void progress_done(void);

#endif
