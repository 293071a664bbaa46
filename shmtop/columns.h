/*
 * columns - the table of the overview as columns: one set for narrow and one for wide screens.
 * Widths come from the data and the screen: bars shrink first, then names, then columns fall
 * away from the right.
 */
#ifndef SHMSCOPE_SHMTOP_COLUMNS_H
#define SHMSCOPE_SHMTOP_COLUMNS_H

#include "shmtop/view.h"

enum column_id {
	COL_ID,
	COL_NAME,
	COL_PID,
	COL_STATE,
	COL_BEAT,
	COL_RECV,
	COL_RECV_BELL,
	COL_RECV_FLAG,
	COL_RECV_RATE,
	COL_SEND,
	COL_SEND_BELL,
	COL_SEND_FLAG,
	COL_SEND_RATE,
	COL_CALLS,
	COL_SLOTS,
	COL_RSS,
	COLUMNS_MAX,
};

struct column {
	enum column_id id;
	const char *head;
	int width, gap; /* gap before it */
	bool left;      /* head and text begin at the left */
	int sort;       /* enum top_sort; -1: cannot be sorted by */
};

struct columns {
	struct column column[COLUMNS_MAX];
	size_t n;
	bool wide;
	int bar, figure; /* of the ring columns: bar with its brackets, figure after it */
};

enum { COLUMNS_WIDE = 120 };

/* columns_make - the columns for these rows on `cols` columns of screen. Safety: MT-safe. */
struct columns columns_make(const struct view *v, int cols);

/* columns_head - the line of heads, clickable where one can sort. Safety: one-owner. */
void columns_head(const struct columns *t, const struct view *v, struct canvas *c, int row);

/* columns_row - one peer. Safety: one-owner. */
void columns_row(const struct columns *t, const struct view *v, struct canvas *c, int row,
		 const struct top_row *r);

#endif
