/*
 * filter - which rows are wanted, as people type it: `peer=3 class>=64K name~cache export`.
 *
 * Terms stand apart by blanks and must all hold: FIELD OP VALUE with = != ~ !~ > < >= <=, or a
 * word alone, which means name~WORD. ~ is "contains", without regard to case. Numbers take
 * K, M and G (1024-based).
 */
#ifndef SHMSCOPE_BASE_FILTER_H
#define SHMSCOPE_BASE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"

enum { FILTER_TERMS = 8, FILTER_TEXT = 64 };

enum filter_op {
	FILTER_EQUAL,
	FILTER_DIFFERENT,
	FILTER_HAS,
	FILTER_HAS_NOT,
	FILTER_MORE,
	FILTER_LESS,
	FILTER_AT_LEAST,
	FILTER_AT_MOST,
};

struct filter_term {
	unsigned field; /* index into the names given to filter_parse() */
	enum filter_op op;
	char text[FILTER_TEXT];
	int64_t number;
	bool is_number;
};

struct filter {
	struct filter_term term[FILTER_TERMS];
	unsigned n; /* 0: everything passes */
};

struct filter_value { /* of one field of one row */
	const char *text; /* NULL: it is a number */
	int64_t number;
	bool is_known;    /* false: no term about it holds but != and !~ */
};

/*
 * filter_parse - an expression over these fields.
 * fields   names, NULL-terminated; the first is the one a lone word is looked for in.
 * Returns 0; -EINVAL with err set (what was not understood, and the fields there are).
 * Safety: one-owner.
 */
int filter_parse(struct filter *f, const char *text, const char *const *fields, struct err *err);

/*
 * filter_is_match - whether a row passes. get(row, field) tells a field's value.
 * Safety: MT-safe.
 */
bool filter_is_match(const struct filter *f, const void *row,
		     struct filter_value (*get)(const void *row, unsigned field));

#endif
