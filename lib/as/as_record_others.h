/*
 * as_record_others - the records of who could end the waits of a process that may be stuck:
 * children that are waited for ("children"), and who has the other ends of pipes and sockets
 * ("other").
 *
 * To ask who has a file open takes a look at every process. It is done only where no thread of the
 * process can go on by itself: none runs, has a time limit, or waits for what nobody is known to
 * have. Who of them is stuck in truth is the reader's question.
 *
 * Safety, for every function here: AS-safe, one-owner; may block as write(2) does on the feed.
 */
#ifndef SHMSCOPE_AS_RECORD_OTHERS_H
#define SHMSCOPE_AS_RECORD_OTHERS_H

#include "lib/as/as_record.h"

/* as_record_others_begin - a dump begins. */
void as_record_others_begin(struct as_record *r);

/* as_record_others_thread - of a thread that was just told, and of the files that it waits on. */
void as_record_others_thread(struct as_record *r, const struct as_peek *p, const struct as_thread *t,
			     const struct as_record_how *how, bool ends_told);

/* as_record_others_wait - a thread waits on what has this other end, to read or to write; n 0: on
 * something else. */
void as_record_others_wait(struct as_record *r, const char *is, size_t n, bool reads);

/* as_record_others_own - the process has this open itself: it could end the wait. */
void as_record_others_own(struct as_record *r, const char *is, size_t n, bool writes);

#endif
