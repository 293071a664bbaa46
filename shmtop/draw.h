/*
 * draw - the small pictures and figures that all screens share: bars, sparklines, ages, rates.
 * ASCII is the form of record; UTF-8 only beautifies it, column for column.
 */
#ifndef SHMSCOPE_SHMTOP_DRAW_H
#define SHMSCOPE_SHMTOP_DRAW_H

#include "lib/base/units.h"
#include "lib/findings/findings.h"
#include "shmtop/canvas.h"

/*
 * draw_bar - "[###.....]", `width` columns with its brackets. A rest of a seventh of a column
 * counts; nothing is shown as full that is not.
 * dead   part of value that belongs to the dead, drawn as X; at least one when there is any.
 * Returns the column after it. Safety: one-owner (as all below).
 */
int draw_bar(struct canvas *c, int row, int col, int width, uint64_t value, uint64_t dead,
	     uint64_t total);

/* draw_spark - the course of a value in `width` columns, "__..--''^^"; negative: not known. */
int draw_spark(struct canvas *c, int row, int col, int width, const double *value, size_t n);

/* draw_rule - " ---- TEXT -----..." over the width of the canvas. */
void draw_rule(struct canvas *c, int row, const char *text);

/*
 * draw_wrapped - text broken at blanks into at most `rows` rows of `width` columns; what does
 * not fit ends in "..".
 * Returns rows drawn (rows needed, when c is NULL).
 */
int draw_wrapped(struct canvas *c, int row, int col, int width, int rows, enum style style,
		 const char *text);

/* Figures; all return buf. Not known (negative) is "-". Safety: MT-safe. */
char *text_age(char buf[UNITS_TEXT], int64_t us);          /* "0.2", "41.0", "120", "2h10m" */
char *text_span(char buf[UNITS_TEXT], int64_t us);         /* "8.4 s", "3 h 10 m" */
char *text_rate(char buf[UNITS_TEXT], double per_second);  /* "0", "42", "0.4k", "1.2M" */
char *text_number(char buf[UNITS_TEXT], int64_t n);        /* "12" */
char *text_short(char buf[UNITS_TEXT], int64_t n);         /* "12", "98k": at most 4 columns */
char *text_bytes(char buf[UNITS_TEXT], int64_t bytes);     /* "812M" */

/* text_clock - local time of a moment, "14:02:31"; "14:02:22.8" with tenths. */
char *text_clock(char buf[UNITS_TEXT], uint64_t mono_us, int64_t real_offset_us, bool tenths);

/* severity_mark / severity_style - "!!", " !", " i", "  " (SEVERITIES: none). */
const char *severity_mark(enum severity s);
enum style severity_style(enum severity s);

#endif
