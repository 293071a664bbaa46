/*
 * as_control - the control page of a process that has libsigdump.so: how tools, and the
 * dumpers of other processes, find its dumper and ask it for a dump without any signal.
 *
 * The page is a memfd named AS_CONTROL_NAME, mapped in every process that started with the
 * library; so /proc/PID/maps shows it and process_vm_readv() reads it. A process that has a
 * dumper (as_control.dumper is its tid) can be asked: the dumper has a table of file
 * descriptors of its own, and in that table `page_fd` is the page (map it MAP_SHARED through
 * /proc/PID/task/DUMPER/fd/N) and `bell_fd` the reading end of a pipe (opened for writing the
 * same way, one byte wakes the dumper).
 *
 * Asking: set `family` unless somebody else's question is still there, add 1 to `asked`, ring
 * the bell, then wait (FUTEX_WAIT, shared) until `answered` has reached that number. A dump
 * answers every question that was asked before it began.
 *
 * A process without a dumper (plain, single-threaded) has the page with dumper 0: it is looked
 * at from outside. A fork child has no page until it starts a thread or registers something.
 *
 * Ordering.
 *   label  word          released by        acquired by          so that
 *   D1     asked         as_control_ask     the dumper           family and asker are the question's
 *   D2     answered      the dumper         as_control_wait      the result and the feed are complete
 *   D3     dumper        the dumper         as_control_find      fds, feed and limits are filled in
 */
#ifndef SHMSCOPE_AS_CONTROL_H
#define SHMSCOPE_AS_CONTROL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AS_CONTROL_NAME    "shmscope-control" /* "/memfd:shmscope-control (deleted)" in maps */
#define AS_CONTROL_MAGIC   "SHMCTL1\n"        /* 8 bytes */
#define AS_CONTROL_VERSION 1

enum { AS_CONTROL_BYTES = 4096, AS_CONTROL_FEED = 512, AS_CONTROL_TEXT = 48 };

/* Who gets the dump signal. */
enum as_control_signal {
	AS_CONTROL_SIGNAL_NONE = 0, /* switched off */
	AS_CONTROL_SIGNAL_OURS,     /* the dumper, or the handler of a plain process */
	AS_CONTROL_SIGNAL_PROGRAM,  /* the program handles, ignores or waits for it itself */
};

/* What a dumper is doing; with step_tid and step_us it tells an outside look where one is stuck. */
enum as_control_step {
	AS_STEP_IDLE = 0,
	AS_STEP_OPEN,     /* opening the feed */
	AS_STEP_LOOK1,    /* rings, bells, slots, calls */
	AS_STEP_MAPS,     /* the list of modules */
	AS_STEP_THREADS,  /* reading blocked threads */
	AS_STEP_RUNNING,  /* waiting for threads that run to answer */
	AS_STEP_WORDS,    /* memory at futex addresses */
	AS_STEP_LOOK2,    /* rings, bells, slots, calls again */
	AS_STEP_CHILDREN, /* passing the request on */
};

struct as_control {
	/* constant once the page has its magic */
	char magic[8];
	uint32_t version;
	uint32_t bytes;             /* sizeof(struct as_control) of the writer */
	int32_t pid;                /* in its own pid namespace */
	uint32_t uid;
	uint64_t start;             /* field 22 of /proc/PID/stat */
	uint64_t image;             /* random, one per exec and per fork child */
	uint64_t boot;              /* first 8 bytes of the boot id */
	uint32_t signal;            /* number of the dump signal */
	uint32_t watchdog_ms;       /* 0: off */
	uint32_t interval_ms;       /* of memory records; 0: off */
	uint32_t deadline_ms;       /* of one dump */
	uint64_t sample_bytes;      /* mean bytes between heap samples; 0: off */
	char writer[16];            /* version of the library, NUL padded */
	uint8_t reserved0[40];
	/* writer: the dumper (or the handler of a plain process) */
	_Atomic int32_t dumper;     /* D3: its tid; 0: nobody to ask */
	int32_t page_fd;            /* in the dumper's own table of descriptors */
	int32_t bell_fd;
	_Atomic uint32_t signal_owner; /* enum as_control_signal */
	_Atomic uint32_t answered;  /* D2: futex */
	_Atomic uint32_t step;      /* enum as_control_step */
	_Atomic int32_t step_tid;   /* thread that is being looked at */
	_Atomic uint32_t hubs;      /* registered */
	_Atomic uint64_t step_us;   /* CLOCK_MONOTONIC when the step began */
	_Atomic uint32_t children;  /* registered */
	_Atomic uint32_t dumps;     /* written so far; the last one's number in the feed */
	uint8_t reserved1[16];
	/* the last dump; complete when `answered` says so */
	uint64_t dump_from;         /* its bytes in the feed file */
	uint64_t dump_to;
	uint32_t dump_threads;
	uint32_t dump_captured;
	uint32_t dump_disturbed;
	uint32_t dump_us;           /* how long it took */
	int32_t dump_error;         /* 0, or why nothing was written (negative errno) */
	uint32_t dump_timeout;      /* 1: ended by its deadline */
	uint32_t feed_segment;      /* rotations so far */
	uint32_t reserved2;
	uint64_t cpu_us;            /* of the dumper, all dumps together */
	uint64_t dump_family;
	/* writer: whoever asks */
	_Atomic uint32_t asked;     /* D1 */
	_Atomic int32_t asker;      /* pid, for the record; 0 unknown */
	_Atomic uint64_t family;    /* id that the dump shall carry; 0: no question open */
	uint8_t reserved3[48];
	/* texts, NUL padded; writer: the library, before D3, and sigdump_name() */
	char name[AS_CONTROL_TEXT]; /* as registered; "": it has not been */
	char feed[AS_CONTROL_FEED]; /* path of the feed, "" before the first dump */
};
_Static_assert(offsetof(struct as_control, dumper) == 128, "control pages outlive builds");
_Static_assert(offsetof(struct as_control, dump_from) == 192, "control pages outlive builds");
_Static_assert(offsetof(struct as_control, asked) == 256, "control pages outlive builds");
_Static_assert(offsetof(struct as_control, name) == 320, "control pages outlive builds");
_Static_assert(sizeof(struct as_control) <= AS_CONTROL_BYTES, "the control page is one page");

/* What as_control_find() learned about a process. */
struct as_control_found {
	bool library;            /* the library is mapped there */
	bool has_page;           /* page and addr are filled */
	uint64_t addr;           /* of the page, in that process */
	struct as_control page;  /* a copy, made once; texts are terminated */
	pid_t dumper;            /* its tid as we see it (the page has it as the process does); 0: none */
};

/*
 * as_control_find - does a process have the library, and what does its control page say?
 *
 * proc_fd    of as_proc_open(), borrowed.  pid  the same process.
 * buf, room  for reading maps; borrowed for the call; at least AS_MAPS_ROOM_MIN.
 *
 * Returns 0 with *found filled (both its bools may be false); a negative errno when the process
 * is gone (-ESRCH), may not be looked at (-EACCES, -EPERM), or its page is of another version or
 * not one (-EBADMSG; library is set).
 * Safety: AS-safe, one-owner; may block while the target's memory map is locked.
 */
int as_control_find(int proc_fd, pid_t pid, struct as_control_found *found, char *buf, size_t room);

/* A dumper that can be asked. */
struct as_control_link {
	struct as_control *page; /* mapped */
	int bell_fd;
};

/*
 * as_control_open - the way to ask the dumper that was found.
 * Returns 0; -ENOENT when the process has no dumper; -ESTALE when it has changed meanwhile
 * (exec, or another process with this number); or a negative errno. Closed with
 * as_control_close().
 * Safety: AS-safe, one-owner.
 */
int as_control_open(int proc_fd, const struct as_control_found *found, struct as_control_link *link);
void as_control_close(struct as_control_link *link);

/*
 * as_control_ask - ask for a dump.
 *
 * family  what the dump shall carry, not 0. When another question is still open, that one's
 *         family stands, and the dump answers both.
 * asker   pid of the process that asks, 0 if not to be told.
 * ticket  set to what as_control_wait() wants.
 * Returns 0, or the negative errno of ringing the bell.
 * Safety: AS-safe, MT-safe, lock-free.
 */
int as_control_ask(const struct as_control_link *link, uint64_t family, int32_t asker,
		   uint32_t *ticket);

/*
 * as_control_wait - wait until the question is answered.
 * Returns 0; -ETIMEDOUT at `deadline_ns` of CLOCK_MONOTONIC; -EINTR after a signal.
 * Safety: AS-safe, MT-safe; blocks until the deadline.
 */
int as_control_wait(const struct as_control_link *link, uint32_t ticket, uint64_t deadline_ns);

/* The step's name for people: "reading threads". Safety: AS-safe, MT-safe. */
const char *as_control_step_name(uint32_t step);

#endif
