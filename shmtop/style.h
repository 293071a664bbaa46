/*
 * style - what a piece of text means on the screen. Views name the meaning; the scheme says how
 * it looks. Every meaning is also a letter or a sign in the text, so that mono loses nothing.
 */
#ifndef SHMSCOPE_SHMTOP_STYLE_H
#define SHMSCOPE_SHMTOP_STYLE_H

#include <stdbool.h>

enum style {
	STYLE_PLAIN,
	STYLE_TITLE,
	STYLE_HEAD,     /* column heads, names of sections */
	STYLE_SORTED,   /* head of the column that orders the rows */
	STYLE_CHOSEN,   /* the selected row */
	STYLE_CRITICAL,
	STYLE_WARNING,
	STYLE_GOOD,     /* "no findings" */
	STYLE_DIM,      /* cleared, gone, not known, not possible here */
	STYLE_KEY,      /* keys of the bottom line */
	STYLE_PAUSED,   /* not the present: paused, replay */
	STYLE_BAR,
	STYLE_ALLOCATED,
	STYLE_IN_FLIGHT,
	STYLE_HELD,
	STYLE_DEAD,     /* slots of a dead owner */
	STYLES,
};

enum style_pen {
	PEN_OWN = -1, /* the terminal's own; the background always is */
	PEN_BLACK,
	PEN_RED,
	PEN_GREEN,
	PEN_YELLOW,
	PEN_BLUE,
	PEN_MAGENTA,
	PEN_CYAN,
	PEN_WHITE,
};

struct style_look {
	signed char pen; /* enum style_pen */
	bool bold, reverse, underline, dim;
};

enum scheme { SCHEME_DEFAULT, SCHEME_BRIGHT, SCHEME_LIGHT, SCHEME_MONO, SCHEMES };

/* style_look - how a meaning looks in a scheme. Safety: MT-safe. */
const struct style_look *style_look(enum scheme scheme, enum style style);

/* scheme_name / scheme_find - "default", "bright", "light", "mono"; -1: no such scheme.
 * Safety: MT-safe. */
const char *scheme_name(enum scheme scheme);
int scheme_find(const char *name);

#endif
