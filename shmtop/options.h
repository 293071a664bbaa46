/*
 * options - the command line of shmtop.
 */
#ifndef SHMSCOPE_SHMTOP_OPTIONS_H
#define SHMSCOPE_SHMTOP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/color.h"
#include "lib/base/opt.h"
#include "lib/findings/findings.h"
#include "shmtop/style.h"
#include "shmtop/top_model.h"

enum { OPTIONS_TARGETS = 64 };


struct options {
	const char *hub[OPTIONS_TARGETS + 1];    /* -H; NULL-terminated */
	size_t hubs;
	int32_t pid[OPTIONS_TARGETS + 1];        /* -p; 0-terminated */
	size_t pids;
	const char *operand[OPTIONS_TARGETS + 1]; /* NULL-terminated */
	size_t operands;
	uint64_t interval_ns;
	uint64_t count;             /* 0: without end */
	bool replay, batch, json, quiet, verbose, read_only, ascii, no_mouse, force;
	bool has_ascii, has_color;  /* given here: the settings file does not count */
	uint64_t since_us, until_us; /* CLOCK_REALTIME; 0 open */
	const char *filter;         /* NULL */
	enum top_sort sort;
	const char *output;         /* NULL or "-": stdout */
	enum color color;
	enum severity fail_on;      /* SEVERITIES: never */
	bool has_fail_on;
	uint64_t growth_min_us;     /* 0: default */
	const char *script;         /* tests: keys instead of a terminal */
	int script_rows, script_cols;
};

/* The table, for --help and for the test that compares it with the man page. */
extern const struct opt_page options_page;

/*
 * options_parse - argv into *o.
 * Returns 0; 1 when help or version was printed (exit 0); -EINVAL with err set (exit 2), or
 * -ENOENT / -ESRCH (exit 3) for a process that is not there.
 * Safety: one-owner.
 */
int options_parse(struct options *o, int argc, char **argv, struct err *err);

#endif
