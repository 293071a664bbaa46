/*
 * target - what to look at: running hubs, or the past in files. Told apart by content.
 */
#ifndef SHMSCOPE_SHMTOP_TARGET_H
#define SHMSCOPE_SHMTOP_TARGET_H

#include "shmtop/options.h"
#include "shmtop/session.h"

struct target {
	const char *hub[2 * OPTIONS_TARGETS + 1]; /* NULL-terminated: live */
	const char *file[OPTIONS_TARGETS + 1];    /* NULL-terminated: replay */
	size_t hubs, files;
	struct session_options session;           /* points into this and into the options */
	const char *why_replay;                   /* a file that made it a replay; NULL: -r or live */
};

/*
 * target_make - from the command line to what the session opens.
 * o         borrowed for as long as the target lives.
 * is_batch  samples are wanted one after the other, not at the last one.
 * Returns 0; -ENOENT, -EACCES with err set for a path that cannot be opened; -EINVAL for
 * options that do not fit what was given.
 * Safety: one-owner.
 */
int target_make(struct target *t, const struct options *o, bool is_batch, struct err *err);

#endif
