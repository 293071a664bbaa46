/*
 * script - keys from a text instead of a keyboard, screens as text instead of a terminal: how
 * the tests see shmtop.
 */
#ifndef SHMSCOPE_SHMTOP_SCRIPT_H
#define SHMSCOPE_SHMTOP_SCRIPT_H

#include <stdio.h>

#include "shmtop/ui.h"

/*
 * script_run - keys as keys_parse() reads them; besides, <Sample> takes a sample (one is taken
 * before the first key), <Show> writes the screen, and the end of the script does so too.
 * Returns 0; -EINVAL with err set for a key that is none; the errors of session_sample().
 * Safety: one-owner.
 */
int script_run(struct ui *ui, const char *keys, int rows, int cols, FILE *out, struct err *err);

#endif
