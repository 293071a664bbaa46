/*
 * opt - option tables: one table makes getopt_long's arguments, --help, the
 * "did you mean" of a wrong option, the shell completions and the man page check.
 *
 *	static const struct opt options[] = {
 *		{ 'i', "interval", "DUR", "Time", "between samples (default 1 s)", OPT_INTERVAL },
 *		...
 *		{ 0 },
 *	};
 */
#ifndef SHMSCOPE_BASE_OPT_H
#define SHMSCOPE_BASE_OPT_H

#include <stdio.h>

#include "lib/base/err.h"

struct opt {
	char letter;        /* 0: no short form */
	const char *name;   /* without the dashes; NULL ends the table */
	const char *arg;    /* placeholder of its argument; NULL: takes none */
	const char *group;  /* heading in --help: Target, Time, Output, Safety */
	const char *help;   /* one phrase, lower case, no full stop; NULL: for tests, not listed */
	int id;             /* what opt_next() returns */
};

struct opt_values { /* what the argument with this placeholder can be, as complete.h says it */
	const char *arg, *words;
};

struct opt_page {
	const char *tool;     /* "shmtop" */
	const char *does;     /* line 1 of --help */
	const char *usage;    /* after the tool's name; '\n' starts another form */
	const char *examples; /* three, a line each, "COMMAND   what it does" */
	const struct opt *options;
	const char *operands;            /* for completions: a kind of value; NULL: none */
	const struct opt_values *values; /* for completions; NULL, or ends with a NULL */
};

struct opt_walk {
	const struct opt_page *page;
	int argc;
	char **argv;
	int next;          /* index of the next word to look at */
	int cluster;       /* position inside a cluster of short options */
	int operands;      /* operands found so far, moved to argv[1..operands] */
	const char *arg;   /* argument of the option just returned */
	int only_operands; /* "--" was seen */
	int stop_early;    /* the first operand ends the options (sigdump run COMMAND ...) */
};

enum { OPT_END = -1, OPT_WRONG = -2, OPT_HELP = -3, OPT_HELP_SHORT = -4, OPT_VERSION = -5 };

/*
 * opt_begin - start walking over argv[1..]. The table need not name -h, --help, -V and
 * --version: every tool has them.
 * Safety: one-owner.
 */
void opt_begin(struct opt_walk *w, const struct opt_page *page, int argc, char **argv);

/*
 * opt_next - the next option's id, with w->arg set.
 *
 * Long options may be shortened while unambiguous, "--name=value" and "--name value" both
 * work, short ones cluster. Operands are collected in order: after OPT_END they are
 * argv[1..w->operands].
 *
 * Returns the id; OPT_END; OPT_HELP / OPT_HELP_SHORT / OPT_VERSION; OPT_WRONG with err saying
 * what was wrong and the nearest right option.
 * Safety: one-owner.
 */
int opt_next(struct opt_walk *w, struct err *err);

/* opt_common - what every tool has beside its own table. Safety: MT-safe. */
const struct opt *opt_common(void);

/* opt_help - the --help text; short_form stops after 20 lines. Safety: one-owner. */
void opt_help(FILE *out, const struct opt_page *page, int short_form);

/* opt_version - "TOOL VERSION", the build id, the features built in. Safety: one-owner. */
void opt_version(FILE *out, const struct opt_page *page);

#endif
