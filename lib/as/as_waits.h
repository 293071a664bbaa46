/*
 * as_waits - what those who sleep in futexes sleep on: the word, and the memory around it.
 *
 * Two looks. The first comes with the thread, right behind as_peek_thread(). The second comes
 * when all threads were looked at: one that has not run since slept on that word during a moment
 * which is common to all of them. A circle of such waits is then a fact, and not a picture put
 * together from different moments. Only words that somebody may own, or that changed while
 * somebody sleeps, are looked at again: who waits for a word to become anything but 0, as
 * condition variables and semaphores do, waits for nobody in particular.
 *
 *	as_waits_begin(&waits, peek);
 *	for each thread:
 *		as_peek_thread(peek, tid, &t);
 *		if (as_waits_first(&waits, peek, &t, &wait)) ...
 *	for (i = 0; i < waits.count; i++)
 *		as_waits_second(&waits, peek, i, &wait);
 *
 * Numbers only: what kind of lock it is, is told by the functions on the stack, later and where
 * names are known (lib/state/lock.h).
 *
 * Safety, for every function here: AS-safe, one-owner; bounded.
 */
#ifndef SHMSCOPE_AS_WAITS_H
#define SHMSCOPE_AS_WAITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/as/as_peek.h"

enum {
	AS_WAIT_BEFORE = 64, /* bytes copied before the word, and from it on */
	AS_WAIT_BYTES = 128,
	AS_WAIT_HOLDERS = 4,
	AS_WAITS = 4096,     /* waits that are looked at twice; of further ones nothing is proven */
	AS_WAITS_SHOWN = 256,
};

/* A thread whose number stands where locks keep their owner. */
struct as_wait_holder {
	pid_t tid;
	pid_t pid;  /* its process; 0: not known */
	char state; /* letter of /proc; 'X': there is no such thread */
	char comm[AS_PROC_COMM];
};

struct as_wait {
	pid_t tid;
	unsigned look;  /* 1, 2 */
	bool still;     /* look 2: it has not run since the first one */
	uint64_t addr;  /* of the word; 0 in look 2: it sleeps there no more */
	uint32_t value;
	bool is_new;    /* the first in this look that sleeps on that word: what follows is worth
			   telling */
	uint64_t from;  /* what byte[0] is a copy of */
	unsigned bytes; /* 0: nobody is waited for */
	uint8_t byte[AS_WAIT_BYTES];
	unsigned holders;
	struct as_wait_holder holder[AS_WAIT_HOLDERS]; /* look 2 */
};

struct as_waits {
	bool is_foreign; /* another pid namespace: its numbers of threads mean nothing here */
	unsigned count;  /* to be looked at again */
	unsigned left_out;
	struct {
		pid_t tid;
		uint32_t mark;
	} again[AS_WAITS];
	uint64_t shown[AS_WAITS_SHOWN];
};

/* as_waits_begin - a new round of looks at that process. */
void as_waits_begin(struct as_waits *w, const struct as_peek *p);

/*
 * as_waits_first - the first look, at a thread that was just looked at.
 * Returns false when it sleeps in no futex, or the word cannot be read.
 */
bool as_waits_first(struct as_waits *w, struct as_peek *p, const struct as_thread *t,
		    struct as_wait *wait);

/*
 * as_waits_second - the second look at the i-th of w->count.
 *
 * Holders are asked for between two readings of the word: one that is gone had ended while its
 * number stood there.
 */
void as_waits_second(struct as_waits *w, struct as_peek *p, unsigned i, struct as_wait *wait);

#endif
