/*
 * canvas - a screen as data: rows of characters, each with a style, and the places where a
 * mouse click means something. Views draw on it; screen.c puts it on a terminal, canvas_write()
 * makes it text (batch, `w`, the screen tests).
 *
 * Drawing outside is harmless: what does not fit is not drawn. Foreign text (names of peers,
 * files, functions) may hold anything: control characters and broken UTF-8 become '?', and so
 * does all that is not ASCII on a canvas that is ASCII.
 */
#ifndef SHMSCOPE_SHMTOP_CANVAS_H
#define SHMSCOPE_SHMTOP_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shmtop/style.h"

struct canvas_cell {
	uint32_t ch;   /* code point; 0: right half of a wide one */
	uint8_t style; /* enum style */
};

struct canvas_target { /* what a click there does */
	int row, col, cols;
	int action; /* enum action */
	int arg;
};

struct canvas {
	int rows, cols;
	bool utf8;  /* text beyond ASCII can be shown */
	bool plain; /* pictures are drawn in ASCII all the same */
	struct canvas_cell *cell; /* rows * cols */
	struct canvas_target *target;
	size_t targets, targets_room;
};

/* canvas_init / canvas_fini - all blank. Returns 0 or -ENOMEM. Safety: one-owner. */
int canvas_init(struct canvas *c, int rows, int cols, bool utf8);
void canvas_fini(struct canvas *c);

/*
 * canvas_text - draw text; returns the column after it. Text that runs over the edge is cut.
 * Safety: one-owner (as all below).
 */
int canvas_text(struct canvas *c, int row, int col, enum style style, const char *text);
int canvas_printf(struct canvas *c, int row, int col, enum style style, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* canvas_char - one character; returns the column after it. */
int canvas_char(struct canvas *c, int row, int col, enum style style, uint32_t ch);

/*
 * canvas_fit - draw text into `width` columns; a longer one ends in ".." (or an ellipsis).
 * Returns col + width, always, so that what follows stands in its column.
 */
int canvas_fit(struct canvas *c, int row, int col, int width, enum style style, const char *text);

/* canvas_right - draw text so that it ends before column `end`. Returns `end`. */
int canvas_right(struct canvas *c, int row, int end, enum style style, const char *text);

/* canvas_target - a click there means `action` with `arg`. Forgotten without memory: the keys
 * still work. */
void canvas_target(struct canvas *c, int row, int col, int cols, int action, int arg);

/* canvas_target_at - what a click there means; NULL: nothing. */
const struct canvas_target *canvas_target_at(const struct canvas *c, int row, int col);

/* canvas_columns - how many columns a text needs. Safety: MT-safe. */
int canvas_columns(const char *text, bool utf8);

/* canvas_put - one row as text without trailing blanks, then '\n'. */
void canvas_put(const struct canvas *c, int row, FILE *out);

/* canvas_write - all rows up to the last that is not blank. */
void canvas_write(const struct canvas *c, FILE *out);

#endif
