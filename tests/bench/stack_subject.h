/*
 * stack_subject - the process that the stack bench looks at: N threads of 30 frames, blocked in a
 * condition variable, epoll_wait and read in equal parts.
 *
 * It is this very program, run again, so that it can be started with the library preloaded and
 * without; what it finds out about itself it leaves in memory that both share.
 */
#ifndef SHMSCOPE_STACK_SUBJECT_H
#define SHMSCOPE_STACK_SUBJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/as/as_peek.h"

enum { SUBJECT_DUMPS = 256 };

/* Shared; relaxed throughout: the words are read when the process says it is ready. */
struct subject_answer {
	_Atomic int ready;
	_Atomic unsigned blocked;  /* threads that are about to sleep */
	_Atomic unsigned woken;    /* times that one of them was woken */
	_Atomic uint64_t gap_ns;   /* longest gap that the spinning thread saw; reset by anybody */
	_Atomic uint64_t handler_ns; /* the same, of those in which a signal handler ran */
	double first_ms, warm_ms;  /* looks at itself */
	unsigned captured, complete;
	double dump_ms;            /* of the library's own dumps, without the first; 0: not loaded */
	unsigned dumps;
	/* what the spinning thread missed at most: by the handler in each of them; by an empty handler;
	 * and while it was sent no signal, for as long as that dump took */
	double pause_us[SUBJECT_DUMPS], empty_us[SUBJECT_DUMPS], quiet_us[SUBJECT_DUMPS];
};

struct subject {
	pid_t pid;
	struct subject_answer *answer;
};

/*
 * subject_start - start one and wait until it has answered.
 * library  path of libsigdump.so to preload; NULL: none.
 * dumps    how many dumps it asks the library for; with them a thread spins.
 * feed     where these go.
 * Returns false when it cannot be started.
 */
bool subject_start(struct subject *s, unsigned threads, const char *library, unsigned dumps,
		   const char *feed);
void subject_end(struct subject *s);

/* subject_main - what the program does when it was run again for this; never returns then. */
void subject_main(int argc, char **argv);

/* subject_look - every thread of `pid` (0: this process) but the caller; ms it took. */
double subject_look(struct as_peek *peek, pid_t pid, unsigned *captured, unsigned *complete);

#endif
