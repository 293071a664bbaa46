/*
 * paper - text for people: indented, wrapped at the width of the page, with a little colour.
 *
 * Colour never carries meaning alone: every mark that is coloured is also a character.
 */
#ifndef SHMSCOPE_REPORT_PAPER_H
#define SHMSCOPE_REPORT_PAPER_H

#include <stdbool.h>
#include <stdio.h>

enum ink { INK_PLAIN, INK_BOLD, INK_DIM, INK_RED, INK_YELLOW, INK_GREEN };

struct paper {
	FILE *out;
	unsigned columns;  /* 0: never wrap */
	bool color;
	bool ascii;        /* what is not ASCII is written as '?' */
	bool verbose;
};

/* paper_put - formatted text, as it is. Safety: one-owner, as everything here. */
void paper_put(const struct paper *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* paper_ink - the same in a colour. */
void paper_ink(const struct paper *p, enum ink ink, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * paper_label - a line that begins with a label and goes on, wrapped, in a column of its own:
 *
 *	     evidence  7 messages waiting (written 1041, read 1034, capacity 256), waiting
 *	               flag 1, bell 0 bytes
 *
 * indent  blanks before the label.  column  where the text begins.
 */
void paper_label(const struct paper *p, unsigned indent, const char *label, unsigned column,
		 enum ink ink, const char *text);

/* paper_width - columns that a text takes (one per character). */
unsigned paper_width(const char *text);

#endif
