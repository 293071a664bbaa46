/*
 * as_record_ends - the records of what threads wait on beside words of memory: open files
 * ("ends"), file locks ("lock"), and which pipes and sockets the process has open ("open").
 *
 * Safety, for every function here: AS-safe, one-owner; may block as write(2) does on the feed.
 */
#ifndef SHMSCOPE_AS_RECORD_ENDS_H
#define SHMSCOPE_AS_RECORD_ENDS_H

#include "lib/as/as_record.h"

/* as_record_ends_begin, as_record_ends_done - a dump begins, and ends. */
void as_record_ends_begin(struct as_record *r);
void as_record_ends_done(struct as_record *r);

/* as_record_ends - of a thread that was just told. Returns true when it waits on files, and they were
 * told. */
bool as_record_ends(struct as_record *r, struct as_peek *p, const struct as_thread *t);

/* as_record_holder - the fields of who holds a lock: its process (0: not known), its state, its name. */
void as_record_holder(struct as_json *j, pid_t pid, char state, const char *comm);

#endif
