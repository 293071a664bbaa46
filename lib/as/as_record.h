/*
 * as_record - writes the records of a feed (lib/feed/feed_format.h) about a process that is
 * being looked at by as_peek: from inside, by our dumper, or from outside, by a tool.
 *
 *	as_record_init(&r, buf, sizeof(buf), fd);
 *	as_record_feed(&r, &about);                    first line of each file
 *	as_record_dump(&r, peek, &dump);
 *	as_peek_thread(peek, tid, &t);
 *	as_record_thread(&r, peek, &t, &how);          and its stack and modules, once each
 *	as_record_waits(&r, peek, until_ns);           after the last thread
 *	as_record_done(&r, &done);
 *
 * Modules and stacks are dictionaries: written before they are first referred to, and again
 * after as_record_feed(), so that every file stands alone. A table that is full forgets: what
 * comes is then written again under a new number, never left out. No number is used twice.
 *
 * Safety, for every function here: AS-safe, one-owner; may block as write(2) does on the fd.
 */
#ifndef SHMSCOPE_AS_RECORD_H
#define SHMSCOPE_AS_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/as/as_ends.h"
#include "lib/as/as_json.h"
#include "lib/as/as_others.h"
#include "lib/as/as_peek.h"
#include "lib/as/as_waits.h"

enum {
	AS_RECORD_STACKS = 4096,
	AS_RECORD_MODULES = AS_PEEK_MODULES,
	AS_RECORD_ENDS = 1024, /* files that threads wait on, in a dump; beyond, they are counted */
	AS_RECORD_SETS = 64,   /* epoll sets that are told once for all threads */
	AS_RECORD_RESTS = 256, /* threads of a process that may be stuck in a circle with others */
};

struct as_record_stack {
	uint64_t hash; /* of frames and end; 0: empty */
	uint32_t id;
	uint32_t reserved;
};

struct as_record_rest {
	pid_t tid;
	uint32_t mark;
};

struct as_record_module {
	uint64_t start, end;
	uint64_t inode;
	uint64_t offset;
	uint32_t dev_major, dev_minor;
};

struct as_record {
	struct as_json json;
	uint64_t dump; /* number of the current dump, the last one between dumps */
	uint32_t stack_next, stack_count;
	uint32_t module_base, module_count; /* module[i] has the number module_base + i */
	uint64_t print;    /* of the module list that `known` is for */
	int32_t known[AS_RECORD_MODULES]; /* number in the feed of the list's nth module, -1 none yet */
	struct as_record_module module[AS_RECORD_MODULES];
	struct as_record_stack stack[AS_RECORD_STACKS];
	/* of the current dump */
	struct as_waits waits;
	struct as_ends ends;  /* of the thread at hand */
	int diag;             /* where other ends of sockets are asked for; -1: not open, -2: refused */
	uint32_t ends_left;
	pid_t whose;          /* a thread of the program: its open files are the process's */
	int set[AS_RECORD_SETS]; /* epoll sets that were told */
	unsigned sets;
	struct as_others others; /* the other ends of what its threads wait on */
	struct as_record_rest rest[AS_RECORD_RESTS]; /* its threads, as they were told */
	unsigned rests;
	bool goes_on;         /* some thread of it may, without anybody else */
};

/* as_record_init - start a writer (for another image: numbers begin at 0); buf and fd as for
 * as_json_init(). */
void as_record_init(struct as_record *r, char *buf, size_t room, int fd);

/* Whom a feed is about, and who writes it. */
struct as_record_about {
	int proc_fd;      /* of the process */
	pid_t pid;
	uint64_t image;
	uint32_t segment;
	bool outside;     /* the writer is another process */
	const char *const *caps; /* what can be used here, NULL-terminated */
};

/* as_record_feed - the first line of a file. Empties the dictionaries. */
void as_record_feed(struct as_record *r, const struct as_record_about *about);

/* as_record_dump - a dump begins; r->dump counts it. family not 0. sender 0: not known. name
 * NULL: the program has not said how it is called. */
void as_record_dump(struct as_record *r, const struct as_peek *p, uint64_t family, const char *why,
		    pid_t sender, const char *name);

/* What is known of a thread beside what as_peek saw. */
struct as_record_how {
	bool own;             /* a thread of our library */
	bool disturbed;
	const char *captured; /* "peek", "signal", "ptrace", "proc" */
	const char *reason;   /* NULL, or why there is no stack */
};

/*
 * as_record_thread - one thread; before it, if they are new, its stack and modules; behind it,
 * if it waits on a futex, that word; on open files, these; for a file lock, who holds it.
 * t->frames 0: no stack.
 */
void as_record_thread(struct as_record *r, struct as_peek *p, const struct as_thread *t,
		      const struct as_record_how *how);

/*
 * as_record_waits - when all threads were told: a second look at the words that may have owners,
 * or changed while somebody sleeps on them (as_waits.h). Ends at until_ns of CLOCK_MONOTONIC.
 */
void as_record_waits(struct as_record *r, struct as_peek *p, uint64_t until_ns);

/*
 * as_record_open - when all threads were told: which pipes and sockets the process has open. They
 * are the other ends of somebody's waits. Ends at until_ns of CLOCK_MONOTONIC.
 */
void as_record_open(struct as_record *r, const struct as_peek *p, uint64_t until_ns);

/*
 * as_record_others - after as_record_open(): who has the other ends of what its threads wait on, if
 * none of them may go on by itself. Asks every process, for 250 ms at most.
 * but  a process that is left out, as in as_others_ask().
 */
void as_record_others(struct as_record *r, const struct as_peek *p, pid_t but, uint64_t until_ns);

/* as_record_child - a process the request was passed on to; reason NULL when it was. st NULL:
 * it is gone. */
void as_record_child(struct as_record *r, pid_t pid, const struct as_proc_stat *st,
		     const char *reason);

/* as_record_fatal - the signal that ends the process, behind the dump's first record. */
struct as_record_fatal {
	int signal, code; /* si_code */
	uint64_t addr;    /* of a fault */
	pid_t tid;        /* the thread that got it */
	pid_t sender;     /* 0: nobody */
};
void as_record_fatal(struct as_record *r, const struct as_record_fatal *f);

/* as_record_gauge - a number that the program keeps, of the current dump. limit 0: none. */
void as_record_gauge(struct as_record *r, const char *name, uint64_t value, uint64_t limit);

/* as_record_diag - what the program says of itself; text NULL: nothing, for that reason. */
void as_record_diag(struct as_record *r, const char *name, const char *text, size_t len,
		    const char *reason);

struct as_record_done {
	uint64_t began_us; /* CLOCK_MONOTONIC */
	uint32_t threads, captured, disturbed;
	uint32_t left_out; /* threads that there was no room for, beside `threads` */
	bool timeout;
};

/* as_record_done - a dump ends; writes out all lines. Returns 0 or a negative errno. */
int as_record_done(struct as_record *r, const struct as_record_done *done);

/* Something of this process that went on no more, or goes on again. */
struct as_record_incident {
	uint64_t n;       /* number of the incident, from 1 */
	const char *state; /* "stalled", "progress", "gone" */
	const char *what; /* "ring", "call", "beat" */
	uint64_t dump;    /* the dump that shows it; 0: none */
	uint32_t stuck_ms; /* waited for in vain so far, by the watchdog's own wake-ups */
	uint64_t since_us; /* when it was first seen where it stands */
	/* when it stalls; NULL and 0 else */
	const char *path; /* of the hub */
	unsigned peer;
	const char *dir;  /* ring: "recv", "send" */
	uint64_t at;      /* ring: read so far; call: its id; beat: beats so far */
	uint64_t waiting; /* ring: messages */
	const char *beat; /* its name */
};

/* as_record_incident - one line, written out. Returns 0 or a negative errno. */
int as_record_incident(struct as_record *r, const struct as_record_incident *i);

/* as_record_end - the writer stops on purpose; one line, written out. signal 0: none. */
void as_record_end(struct as_json *j, const char *why, int signal);

/* Microseconds of CLOCK_MONOTONIC. Safety: AS-safe, MT-safe. */
uint64_t as_record_now_us(void);

#endif
