/*
 * dumping - the one thing that shmtop asks of others: a dump of a process, after a question, made
 * by sigdump (which is a program of its own, beside this one) while the screens go on.
 */
#ifndef SHMSCOPE_SHMTOP_DUMPING_H
#define SHMSCOPE_SHMTOP_DUMPING_H

#include <limits.h>
#include <sys/types.h>

#include "shmtop/ui.h"

struct dumping {
	pid_t child;        /* 0: none is being made */
	char name[64];      /* whose */
	char path[PATH_MAX + 64];
};

/*
 * dumping_start - begin a dump of process ui->wants_dump; its text goes to a new file where w
 * writes, too. What fails is said on the status line. Safety: one-owner.
 */
void dumping_start(struct dumping *d, struct ui *ui);

/* dumping_poll - say the path when it is done. Never waits. Safety: one-owner. */
void dumping_poll(struct dumping *d, struct ui *ui);

#endif
