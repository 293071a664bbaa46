/*
 * batch - samples as text or JSON instead of a screen: full frames separated by an empty line,
 * or one report object per line.
 */
#ifndef SHMSCOPE_SHMTOP_BATCH_H
#define SHMSCOPE_SHMTOP_BATCH_H

#include <stdio.h>

#include "shmtop/ui.h"

/* batch_frame - the overview of the sample that is looked at: names in full, all rows, no escape
 * codes. Returns 0 or -ENOMEM. Safety: one-owner. */
int batch_frame(struct ui *ui, FILE *out);

/* batch_object - the sample as one report object ("kind":"report") on one line.
 * Returns 0 or -ENOMEM. Safety: one-owner. */
int batch_object(struct ui *ui, FILE *out);

#endif
