/*
 * as_others - who has these pipes and sockets open, of all processes that can be seen.
 *
 *	as_others_begin(&o);
 *	as_others_want(&o, "pipe:[1234]", 11, true);
 *	as_others_ask(&o, pid, until_ns);
 *
 * The kernel keeps no list of who has a file open: every process is asked for its own, once for
 * all files. That no process was left out is part of the answer.
 *
 * Safety, for every function here: AS-safe, one-owner; may block as reading /proc does.
 */
#ifndef SHMSCOPE_AS_OTHERS_H
#define SHMSCOPE_AS_OTHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/as/as_proc.h"

enum {
	AS_OTHERS_FILES = 16, /* that are asked for at a time */
	AS_OTHERS_WHO = 8,    /* listed of one; the rest is counted */
	AS_OTHERS_LINK = 128,
};

struct as_other {
	pid_t pid;
	int fd;            /* one of its numbers there */
	bool reads, writes;
	char comm[16];
};

struct as_others_file {
	char is[AS_OTHERS_LINK]; /* as the links in /proc/PID/fd have it; not terminated */
	size_t len;
	bool reads;              /* somebody waits to read from it; the caller's */
	uint32_t n;              /* processes */
	struct as_other who[AS_OTHERS_WHO];
};

struct as_others {
	struct as_others_file file[AS_OTHERS_FILES];
	unsigned files;
	bool all;                /* nobody was left out who may have one */
};

void as_others_begin(struct as_others *o);

/* as_others_want - ask for this one, too; twice is once. Returns false when there is no room. */
bool as_others_want(struct as_others *o, const char *is, size_t n, bool reads);

/*
 * as_others_ask - fills in who has them.
 *
 * of        the process that waits on them. Who is of its session and may not be looked at may have
 *           them: then o->all is false; as it is where the session began outside of our namespace.
 * but       is left out: the one that asks, where that is gone in a moment; 0.
 * until_ns  of CLOCK_MONOTONIC.
 */
void as_others_ask(struct as_others *o, pid_t of, pid_t but, uint64_t until_ns);

#endif
