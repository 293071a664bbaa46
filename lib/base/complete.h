/*
 * complete - shell completions, made from the option tables (opt.h), so that they cannot offer
 * what is not there.
 *
 * What an argument can be is told by its placeholder: DIR is a directory, LIST are processes.
 * A page adds what only its tool knows (struct opt_values).
 */
#ifndef SHMSCOPE_BASE_COMPLETE_H
#define SHMSCOPE_BASE_COMPLETE_H

#include <stdio.h>

#include "lib/base/err.h"
#include "lib/base/opt.h"

/* Kinds of values, beside words ("text json"). */
#define COMPLETE_PID "@pid"         /* a process that has the library */
#define COMPLETE_HUB "@hub"         /* a file, or a hub in /dev/shm */
#define COMPLETE_FILE "@file"
#define COMPLETE_DIR "@dir"
#define COMPLETE_COMMAND "@command" /* operands: a command and its own arguments */

/*
 * complete_write - the completion of a tool, as a script of that shell.
 *
 * shell  "bash", "zsh" or "fish".
 * page   the tool's; page[1..n-1] those of its commands, their names behind its own
 *        ("sigdump", "sigdump run", "sigdump dump").
 *
 * Returns 0, or -EINVAL with err set for any other shell.
 * Safety: one-owner.
 */
int complete_write(FILE *out, const char *shell, const struct opt_page *const *page, size_t n,
		   struct err *err);

#endif
