/*
 * ends - the open files that threads wait on, and who has their other ends.
 *
 * Sources give what a thread waits on (ends_take()); what the other end of a pipe or socket is to
 * who has it follows from that. Who has it open is worked out by ends_resolve() from what the
 * processes of the state are known to have open (feeds), or asked of the system by
 * ends_look_fill() (ends_look.h).
 */
#ifndef SHMSCOPE_STATE_ENDS_H
#define SHMSCOPE_STATE_ENDS_H

#include "lib/state/state.h"

struct ends_given { /* one file, as a source has it; the text is copied */
	int32_t fd;
	uint32_t events;   /* as poll(2) has them */
	const char *is;    /* NULL */
	uint64_t peer;     /* inode of the socket at the other end; 0 */
	bool is_fifo;
};

/*
 * ends_take - what a thread waits on: n files of `all`. set: the epoll set, -1.
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int ends_take(struct state *st, struct state_thread *t, const struct ends_given *given, size_t n,
	      uint32_t all, int32_t set);

/* ends_share - the same as an earlier thread of the process that waits on that epoll set.
 * Returns false when there is none. Safety: one-owner. */
bool ends_share(const struct state_process *p, struct state_thread *t, int32_t set);

struct ends_who { /* a process that has a file open; the name is copied */
	int32_t pid, fd;
	bool reads, writes;
	const char *name;
};

/*
 * ends_asked - every process was asked who has `is` open, which may be the other end of what threads
 * of p wait on (ends_take()): n are told of `all`, and nobody was left out where all_known.
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int ends_asked(struct state *st, struct state_process *p, const char *is, const struct ends_who *who,
	       size_t n, uint32_t all, bool all_known);

/* ends_open - the process has this pipe or socket open. Returns 0 or -ENOMEM. Safety: one-owner. */
int ends_open(struct state *st, struct state_process *p, int32_t fd, const char *is, bool reads,
	      bool writes);

/* ends_resolve - of a state that is complete; may be called again. Returns 0 or -ENOMEM.
 * Safety: one-owner. */
int ends_resolve(struct state *st);

/*
 * ends_retell - the text of a thread that waits on a single file gets what is known of its other
 * end: "read from pipe:[1234] (other end: make, pid 12) (fd 0)".
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int ends_retell(struct state *st, const struct state_process *p, struct state_thread *t);

enum { ENDS_TEXT = 1024, ENDS_SHOWN = 8 };

/*
 * ends_text - of an event loop: "3 fds: 5 socket:[77] (other end: thumbs, pid 12), 8 timerfd,
 * 9 eventfd to write"; "" for other threads.
 * Returns buf. Safety: MT-safe.
 */
char *ends_text(const struct state_process *p, const struct state_thread *t, char buf[ENDS_TEXT]);

/* ends_other_text - " (other end: make, pid 12 and 2 more)", or why nobody is known, or "".
 * Returns buf. Safety: MT-safe. */
char *ends_other_text(const struct state_process *p, const struct state_end *e, char *buf, size_t room);

#endif
