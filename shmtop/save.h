/*
 * save - a screen and its evidence as a text file, to be put into a ticket.
 */
#ifndef SHMSCOPE_SHMTOP_SAVE_H
#define SHMSCOPE_SHMTOP_SAVE_H

#include <stdio.h>

#include "shmtop/ui.h"

/*
 * save_screen - write the present screen and all findings to shmtop-DATE-TIME.txt in the working
 * directory (or in the home directory where that cannot be written), and say the path on the
 * status line. Never writes over a file. Safety: one-owner.
 */
void save_screen(struct ui *ui);

/*
 * save_create - a new file NAME-DATE-TIME.txt in the working directory, else in the home directory.
 * path   set.  Returns its descriptor, or a negative errno. Safety: MT-safe.
 */
int save_create(const char *name, char *path, size_t room);

/* save_write - the same text to a stream. Safety: one-owner. */
void save_write(struct ui *ui, FILE *out);

#endif
