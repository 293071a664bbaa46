/*
 * options - the command line of shminspect.
 */
#ifndef SHMSCOPE_SHMINSPECT_OPTIONS_H
#define SHMSCOPE_SHMINSPECT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/color.h"
#include "lib/base/opt.h"
#include "lib/findings/findings.h"

enum format { FORMAT_TEXT, FORMAT_JSON };

struct options {
	const char *const *paths;    /* NULL-terminated, in argv */
	const char *explain;         /* NULL: none; "list" is every name */
	uint64_t since_us, until_us; /* CLOCK_REALTIME; 0 open */
	const char *output;          /* NULL: stdout */
	const char *sysroot, *debug_dir;
	enum format format;
	enum color color;
	enum severity fail_on;       /* SEVERITIES: never */
	bool force, ascii, quiet, verbose, strict, no_symbols, no_pager;
	bool messages, slots;
};

/* The table, for --help and for the test that compares it with the man page. */
extern const struct opt_page options_page;

/*
 * options_parse - argv into *o.
 * Returns 0; 1 when help or version was printed; -EINVAL with err set.
 * Safety: one-owner.
 */
int options_parse(struct options *o, int argc, char **argv, struct err *err);

#endif
