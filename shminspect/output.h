/*
 * output - where a finished report goes: stdout, a pager, or a file that appears whole or not
 * at all.
 */
#ifndef SHMSCOPE_SHMINSPECT_OUTPUT_H
#define SHMSCOPE_SHMINSPECT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"
#include "lib/report/paper.h"
#include "shminspect/options.h"

/*
 * output_check - refuse an output file that exists already, before any work is done.
 * Returns 0; -EEXIST with err set. Safety: one-owner.
 */
int output_check(const struct options *o, struct err *err);

/* output_paper - width and colour that suit where it goes; `out` is left alone. */
void output_paper(const struct options *o, struct paper *p);

/*
 * output_write - the whole text. A file is written under a temporary name beside it and then
 * renamed; text for a terminal that is longer than the screen goes through a pager.
 * Returns 0; a negative errno with err set. Safety: one-owner; may block.
 */
int output_write(const struct options *o, const char *text, size_t len, struct err *err);

#endif
