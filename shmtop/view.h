/*
 * view - the screens. Each draws one sample on a canvas and computes nothing: what it shows was
 * made by top_*.c or by the judge. A screen is one file and one struct view_ops.
 */
#ifndef SHMSCOPE_SHMTOP_VIEW_H
#define SHMSCOPE_SHMTOP_VIEW_H

#include "shmtop/canvas.h"
#include "shmtop/frame.h"
#include "shmtop/keys.h"
#include "shmtop/top_memory.h"
#include "shmtop/top_model.h"

enum view_time { VIEW_LIVE, VIEW_PAUSED, VIEW_REPLAY };
enum view_slots { SLOTS_BY_STATE, SLOTS_BY_OWNER, SLOTS_BY_AGE, SLOTS_VIEWS };

struct cursor { /* a place in a list that may be longer than the screen */
	size_t at, first;
};

struct view { /* everything that a screen is drawn from; all borrowed */
	const struct frame *frame;
	const struct top *top;
	const struct top_memory *memory;
	const struct top_row *const *row; /* of top: those that filter and "hide" leave */
	size_t rows;
	const struct finding *const *finding; /* of the frame: those that are not muted */
	size_t findings;
	size_t muted, hidden;             /* findings muted; rows left out as healthy */
	const struct state_slot *const *slot; /* of the chosen hub: the dead first, then the oldest */
	size_t listed;
	const struct top_row *chosen;     /* the selected row; NULL: none */
	const struct finding *chosen_finding; /* the selected one, or the worst at `chosen`; NULL */
	struct cursor *cursor;            /* of the screen being drawn */
	struct top_view order;
	const char *filter;               /* "" : none */
	bool hide_healthy;
	enum view_slots slots;
	bool split;                       /* threads one by one */
	enum view_time time;
	bool batch;                       /* names in full, all rows */
	double own_percent;               /* CPU of shmtop itself; negative: not known */
};

struct view_ops {
	enum screen_id screen;
	const char *name;              /* "overview" */
	const char *tab;               /* in the bottom line: "Over" */
	size_t (*items)(const struct view *v); /* rows the cursor moves over */
	void (*draw)(const struct view *v, struct canvas *c, int rows); /* on rows 0.. */
	void (*text)(const struct view *v, size_t at, char *buf, size_t room); /* for searching */
	const char *const *help;       /* what the columns mean: lines, NULL-terminated */
	const char *why_not;           /* NULL, or why this screen cannot be shown yet */
};

/* view_of - the screen's operations. Safety: MT-safe. */
const struct view_ops *view_of(enum screen_id screen);

extern const struct view_ops view_overview, view_peer, view_slots, view_threads, view_findings;

/* ---- pieces that several screens show (view_parts.c) -------------------------------------- */

/* view_scroll - keep the cursor on one of n items and on the screen. Safety: one-owner. */
void view_scroll(struct cursor *cursor, size_t n, int visible);

/* view_row_text - what a search finds a peer by. Safety: MT-safe. */
void view_row_text(const struct view *v, size_t at, char *buf, size_t room);

/* view_chosen_hub - the hub of the selected row, or the only one; NULL: none. Safety: MT-safe. */
const struct state_hub *view_chosen_hub(const struct view *v);

/* view_mark - "!!", " !" of a confirmed finding, " ?" suspected, " -" cleared. Safety: MT-safe. */
const char *view_mark(const struct finding *f);
enum style view_finding_style(const struct finding *f);

/* view_place - where a finding is, short: "search(3) recv". Returns buf. Safety: MT-safe. */
char *view_place(char *buf, size_t room, const struct finding *f);

/* view_stack_text - "epoll_wait < hub_poll hub.c:402 < main"; the innermost `frames`.
 * Returns buf. Safety: MT-safe. */
char *view_stack_text(char *buf, size_t room, const struct state_stack *s, size_t frames);

/* view_top_text - the innermost frame that is not the C library's: "index_flush:88". Returns buf.
 * Safety: MT-safe. */
char *view_top_text(char *buf, size_t room, const struct state_stack *s);

/* view_frame_text - "hub_poll hub.c:402", or "libthumbs.so+0x1a2b0"; of the C library only the
 * function. Returns buf. Safety: MT-safe. */
char *view_frame_text(char *buf, size_t room, const struct state_frame *f);

/* view_title_finding - "!! F1 missed-wakeup" at the right end of row 0, for the finding that
 * stands at the selected row; only "!! F1" where column `col` is taken already.
 * Safety: one-owner. */
void view_title_finding(const struct view *v, struct canvas *c, int col);

/* view_loop_thread - the thread that runs the peer's loop; NULL: not seen. Safety: MT-safe. */
const struct state_thread *view_loop_thread(const struct top_row *row);

/* view_wait_text - what a thread waits in: "epoll_wait, no timeout", "runs". Safety: MT-safe. */
const char *view_wait_text(const struct state_thread *t);

/* view_nothing - the words of a screen that has nothing to show, in the middle of it.
 * Safety: one-owner. */
void view_nothing(struct canvas *c, int row, const char *words);

#endif
