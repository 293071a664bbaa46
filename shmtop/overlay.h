/*
 * overlay - what is read over a screen: help, the explanation of a finding, the question before
 * a dump, who waits for whom, the sort menu. Each is a text that may be longer than the screen.
 */
#ifndef SHMSCOPE_SHMTOP_OVERLAY_H
#define SHMSCOPE_SHMTOP_OVERLAY_H

#include "shmtop/ui.h"

enum { OVERLAY_LINES = 200 }; /* the longest text there is */

/* overlay_draw - ui->overlay on the first `rows` rows; corrects ui->overlay_first.
 * Safety: one-owner. */
void overlay_draw(struct ui *ui, struct canvas *c, int rows);

/* overlay_waits.c: a page about one process, line by line. Safety: one-owner. */
void overlay_waits(const struct state *st, const struct state_process *p,
		   void (*line)(void *arg, int col, enum style style, const char *text), void *arg);

#endif
