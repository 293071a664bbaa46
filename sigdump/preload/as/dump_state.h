/*
 * dump_state - what the library knows about its process, for the signal path and its owner.
 *
 * Two pieces of memory, told apart by what a fork does to them:
 *	dump_state  private memory. A fork child has a copy, which describes its parent until
 *	            dump_state_adopt() made it its own.
 *	dump_live   a page with MADV_WIPEONFORK: all zero in a fork child, however it was made
 *	            (fork, _Fork, clone). `alive` is how everybody knows whose state this is.
 * A vfork child shares both with its parent, so whoever writes to them asks
 * dump_state_is_ours() first, which compares the pid.
 *
 * Ordering.
 *   label  word            released by         acquired by           so that
 *   L1     live->alive     dump_state_adopt    dump_state_is_ours    the state is this process'
 *   L2     live->keeps     whoever starts or   the interposers       the dumper takes the signal
 *                          retires a dumper                          before it is kept blocked
 *   L3     live->tid       dumper_start        dumper_poke           its fds and stack are ready
 *   L4     live->ready     the dumper          dumper_start          what it reports is written
 *   L5     state->owner    whoever changes it  the dumper, handler   the disposition is in place
 *   L6     live->busy      dump_unlock         dump_lock             one dump at a time
 *   L7     hub->state      pl_api, dumper      dumper, pl_api        the entry is complete
 *   L8     live->lock      dumper_unlock       dumper_lock           one start or stop at a time
 *   L12    beat, gauge,    pl_beat, pl_tell    dumper, pl_*          the entry is complete
 *          diag ->state
 *   L13    live->diag_asked   the dumper       the diag thread       it is told which one
 *   L14    live->diag_done    the diag thread  the dumper            the text is whole
 *   L15    live->diag_runs, diag->state: seq_cst on both sides: the diag thread says what it is
 *          about to call, then looks whether it is still registered; who removes it takes it
 *          away, then looks whether it is being called
 *   L17    live->fatal     the thread      the dumper            what the signal was is written
 *                          that got it
 *   L16    live->called_done  the dumper       sigdump_api_dump      the dump is in the feed
 *   L9     live->retire    dumper_stop         the dumper            it ends before more work
 *   L20    live->by_bell   the dumper          dumper_poke           it is rung, or it looks once more
 *   L19    is_lent         dump_signal_poke    dump_signal_poked     the program's handler is known
 *          (dump_signal.c)
 *   L18    live->stack     dump_signal_dump    dump_signal_dump      the reserved stack is free
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_STATE_H
#define SHMSCOPE_PRELOAD_DUMP_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/as/as_control.h"
#include "lib/as/as_record.h"
#include "sigdump/sigdump.h"

enum { DUMP_DIAG_TEXT = 4096, DUMP_PATH = 448, DUMP_DEADLINE_MS = 5000, DUMP_FATAL_MS = 2000 };

/*
 * A registered hub: free -> filling -> wanted (by the thread that registers) -> open (by the
 * dumper, also when opening failed: fd is then a negative errno) -> unwanted -> free.
 */
enum dump_hub_state {
	DUMP_HUB_FREE = 0,
	DUMP_HUB_FILLING,
	DUMP_HUB_WANTED,
	DUMP_HUB_OPEN,
	DUMP_HUB_UNWANTED,
};

struct dump_hub {
	_Atomic uint32_t state; /* L7 */
	uint32_t role;          /* enum sigdump_role */
	uint32_t peer;
	int32_t their_fd;       /* the program's number, its name for this entry */
	int32_t bell_fd;        /* the program's number, -1 for the host */
	int32_t from_tid;       /* whose table of descriptors their_fd is in */
	int32_t fd;             /* the dumper's own */
	uint64_t dev, ino;      /* of the file as registered */
	char path[256];
};

/*
 * A registered heartbeat. free -> filling -> used -> free, by the program. `beats` is the number
 * of beats in its upper bits; bit 0 says that another one is due.
 */
struct dump_beat {
	_Atomic uint32_t state; /* L12: enum dump_beat_state */
	uint32_t limit_ms;      /* 0: the watchdog's */
	_Atomic uint64_t beats;
	char name[AS_CONTROL_TEXT];
};
enum dump_beat_state { DUMP_BEAT_FREE = 0, DUMP_BEAT_FILLING, DUMP_BEAT_USED };

/* A registered gauge, a registered callback; states as a heartbeat's. */
struct dump_gauge {
	_Atomic uint32_t state; /* L12 */
	uint64_t limit;
	_Atomic uint64_t value;
	char name[AS_CONTROL_TEXT];
};

struct dump_diag {
	_Atomic uint32_t state; /* L12, L15 */
	void (*say)(void *arg, char *text, size_t room);
	void *arg;
	char name[AS_CONTROL_TEXT];
};

/* Zero in every fork child. */
struct dump_live {
	_Atomic uint32_t alive;  /* L1 */
	_Atomic uint32_t keeps;  /* L2: the dump signal is kept blocked in the program's threads */
	_Atomic int32_t tid;     /* L3: the dumper; cleared (and woken) by the kernel at its end */
	_Atomic uint32_t ready;  /* L4: futex: 1 ready, 2 could not start */
	int32_t starting;        /* a dumper that has not said so yet; 0: none. Under the lock */
	_Atomic uint32_t busy;   /* L6: tid that writes a dump */
	_Atomic uint32_t again;  /* asked for while one was being written */
	_Atomic uint32_t stack;  /* L18: a handler is on the reserved stack */
	_Atomic uint32_t lock;   /* L8: a futex lock */
	_Atomic uint32_t by_bell; /* L20: the internal signal is the program's: pokes ring the bell */
	_Atomic uint32_t retire; /* L9: the dumper shall end */
	_Atomic uint32_t net;    /* dump signals that the handler took and passed on */
	_Atomic int32_t net_sender; /* who had sent the last one */
	_Atomic int32_t net_tid;    /* the thread it had interrupted */
	_Atomic uint32_t unblock; /* threads shall be told to unblock the dump signal */
	_Atomic uint32_t seen;   /* the dump signal was taken while the program had it blocked */
	_Atomic uint32_t main_blocks; /* the first thread blocks it in its own view */
	_Atomic uint32_t hubs_asked;  /* futex: registrations so far */
	_Atomic uint32_t hubs_done;   /* futex: seen by the dumper */
	_Atomic uint32_t fatal_taken; /* a thread writes the record below */
	_Atomic uint32_t fatal;       /* L17: 1: the dumper shall write the last dump */
	_Atomic uint32_t fatal_done;  /* futex: it has */
	struct as_record_fatal fatal_is;
	_Atomic uint32_t called;      /* sigdump_dump() calls so far */
	_Atomic uint32_t called_done; /* L16: futex: answered */
	_Atomic int32_t diag_tid;     /* the thread that runs callbacks; -1: being started */
	_Atomic uint32_t diag_asked;  /* L13: questions to it so far */
	_Atomic uint32_t diag_bell;   /* futex: rung when there is something for it to see */
	_Atomic uint32_t main_left;   /* the first thread has ended before the process */
	_Atomic uint32_t diag_done;   /* L14: futex: answered */
	_Atomic uint32_t diag_runs;   /* L15: futex: callback + 1 that may be running */
	uint32_t diag_which;          /* the callback that is asked for */
};

struct dump_state {
	/* constant after start-up */
	int signal;          /* the dump signal; 0: switched off */
	int poke;            /* the internal real-time signal, only ever sent to single threads */
	uint64_t handler;    /* dump_signal_handler() as the kernel knows it */
	uint32_t deadline_ms;
	uint32_t watchdog_ms; /* no progress for so long is an incident; 0: off */
	uint64_t boot;
	uint64_t stack_end;  /* of the first thread's: all from a stack pointer to here is mapped */
	char dir[DUMP_PATH]; /* where feeds go; "" asks for the default at the first dump */
	bool dir_given;      /* by the user: no other is tried */
	/* of this image, renewed by dump_state_adopt() */
	pid_t pid;
	uint64_t start;
	uint64_t image;
	bool kept;           /* the parent's live->keeps: a fork child has to unblock */
	bool put_back;       /* the program had the dump signal, and has set the default since */
	bool sandboxed;      /* seccomp is on, for children too: no system call of ours any more */
	_Atomic uint32_t owner;   /* L5: enum as_control_signal */
	struct as_control *page;  /* mapped from a memfd, or `spare` */
	struct as_control spare;
	struct dump_hub hub[SIGDUMP_HUBS];
	struct dump_beat beat[SIGDUMP_BEATS];
	struct dump_gauge gauge[SIGDUMP_GAUGES];
	struct dump_diag diag[SIGDUMP_DIAGS];
	char diag_text[DUMP_DIAG_TEXT];
	_Atomic int32_t child[SIGDUMP_CHILDREN]; /* pid, 0 free */
	char name[AS_CONTROL_TEXT]; /* what the program calls itself; "": it has not said */
};

#pragma GCC visibility push(hidden) /* reached without the global offset table */
extern struct dump_state dump_state;
extern struct dump_live *dump_live; /* NULL before start-up: the library does nothing */

/* This thread's part. In a vfork child it is still the parent's. */
struct dump_thread {
	bool blocks;   /* the program's own view: it has the dump signal blocked */
	bool in_vfork; /* between vfork() and the child's end or exec, in both */
	bool vfork_blocks;
};
extern __thread struct dump_thread dump_thread;
#pragma GCC visibility pop

/*
 * dump_state_is_ours - does dump_state describe the calling process?
 * False in a fork child until it adopted the state, and in a vfork child.
 * Safety: AS-safe, MT-safe, wait-free.
 */
bool dump_state_is_ours(void);

/*
 * dump_state_adopt - make the state that of the calling process: a new image, no dumper, no
 * hubs, no children, a feed of its own. Does nothing when it is ours already, and nothing in a
 * vfork child.
 * Returns whether the state is ours now.
 * Safety: AS-safe; a fork child has one thread.
 */
bool dump_state_adopt(void);

/*
 * dump_state_new_page - give the process a control page that tools can find.
 * Returns the memfd behind it, to be closed by the caller, or a negative errno; then the page
 * that was there stays.
 * Safety: AS-safe, start-up or under dumper_lock().
 */
int dump_state_new_page(void);

/* The kernel's disposition of the dump signal is our handler. Safety: AS-safe, MT-safe. */
bool dump_state_handler_is_ours(void);

/* A random word that is not 0. Safety: AS-safe, MT-safe. */
uint64_t dump_state_random(void);

#endif
