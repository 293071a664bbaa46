/*
 * exit_code - what shmtop and shminspect end with (EXIT STATUS in their pages).
 */
#ifndef SHMSCOPE_BASE_EXIT_CODE_H
#define SHMSCOPE_BASE_EXIT_CODE_H

#include "lib/base/err.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FINDINGS = 1,
	EXIT_USAGE = 2,
	EXIT_MISSING = 3,    /* not there, or not ours to read */
	EXIT_UNREADABLE = 4, /* there, and not what it should be */
	EXIT_VANISHED = 5,   /* shmtop: what it watched has gone */
	EXIT_INTERRUPTED = 130,
};

/* exit_code_of - the one for a failure of reading or writing. Safety: MT-safe. */
enum exit_code exit_code_of(const struct err *err);

#endif
