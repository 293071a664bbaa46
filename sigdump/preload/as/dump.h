/*
 * dump - one dump of this process, start to end.
 *
 * Order (each step is written before the next begins): the transport, the list of modules, the
 * threads, the transport again, so that a reader can prove that nothing moved in between; then
 * the children. Whatever fails leaves its reason in the feed and the rest goes on.
 *
 * Memory is reserved at start-up (dump_reserve); nothing is allocated here, no lock of the
 * program's is taken, and nothing of it is touched but copied.
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_H
#define SHMSCOPE_PRELOAD_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/as/as_record.h"
#include "sigdump/preload/as/dump_running.h"

enum dump_why { DUMP_WHY_SIGNAL, DUMP_WHY_CONTROL, DUMP_WHY_WATCHDOG, DUMP_WHY_CALL, DUMP_WHY_FATAL };

struct dump_request {
	enum dump_why why;
	pid_t sender;       /* 0: not known */
	uint64_t family;    /* 0: a new one */
	const void *context; /* the handler's ucontext_t, in a plain process; else NULL */
	const struct as_record_fatal *fatal; /* DUMP_WHY_FATAL */
	pid_t disturbed;    /* thread whose wait the signal interrupted on its way; 0 */
};

/*
 * dump_reserve - get all memory that a dump will need.
 * Returns 0 or a negative errno: then no dump will be written.
 * Safety: start-up.
 */
int dump_reserve(void);

/*
 * dump_run - write a dump to the feed.
 * From the dumper, or from the handler of a plain process (request->context). While another
 * thread writes one, that one is repeated instead.
 * Safety: AS-safe; bounded by the deadline, but for system calls that hang in the kernel.
 */
void dump_run(const struct dump_request *request);

/* dump_number - of the last dump in the feed, 0: none yet. Safety: AS-safe, the dumper only. */
uint64_t dump_number(void);

/*
 * dump_incident - say in the feed that something stands still, or goes on again.
 * Returns 0; -EBUSY while a dump is being written; or a negative errno.
 * Safety: as dump_run(), the dumper only.
 */
int dump_incident(const struct as_record_incident *incident);

/* dump_retire - let go of what belongs to the dumper's table of descriptors, at its end. */
void dump_retire(void);

/* dump_end - the process ends: if there is a feed, say so in it. Safety: AS-safe. */
void dump_end(const char *why);

/* Top of a stack for the handler of a plain process. Safety: AS-safe. */
void *dump_stack_top(void);

/* Where thread numbers are collected; returns the room. Safety: one dump at a time. */
size_t dump_tids_room(pid_t **tids);

/* The shots of dump_running. Safety: AS-safe. */
struct dump_shot *dump_shots(void);

/* Moves the progress word of the control page. Safety: AS-safe. */
void dump_step(uint32_t step, pid_t tid);

#endif
