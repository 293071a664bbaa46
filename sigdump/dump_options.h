/*
 * dump_options - the command line of `sigdump dump`.
 */
#ifndef SHMSCOPE_SIGDUMP_DUMP_OPTIONS_H
#define SHMSCOPE_SIGDUMP_DUMP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/color.h"
#include "lib/base/err.h"

enum { DUMP_PIDS = 4096 };

enum dump_format { DUMP_TEXT, DUMP_JSON, DUMP_NDJSON };

struct dump_options {
	pid_t pid[DUMP_PIDS]; /* whom to ask */
	size_t pids;
	uint64_t timeout_ns;
	enum dump_format format;
	enum color color;
	bool ascii, quiet, verbose, force;
	bool read_only;        /* stop nobody */
	bool record;           /* a look from outside goes into a feed */
	const char *feed;      /* directory of that feed; NULL: the default */
	const char *output;    /* NULL: stdout */
	const char *sysroot, *debug_dir;
	bool no_symbols;
	bool lines;
};

/*
 * dump_options_read - the whole command line.
 * Returns true to go on; false when *code is the exit code already (help, wrong usage, a target
 * that is not there; said on stderr).
 * Safety: one-owner.
 */
bool dump_options_read(struct dump_options *o, int argc, char **argv, int *code);

#endif
