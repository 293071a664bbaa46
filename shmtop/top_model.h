/*
 * top_model - from a sample to sorted rows. Pure: given two samples it needs no terminal, no
 * clock and no process; what it remembers from one sample to the next is only what keeps the
 * screen calm:
 *
 *	- a row is known by its key, so the selection stays with a peer, not with a line;
 *	- rows change places only when their sort value changed by more than 5 %;
 *	- a peer that vanished stays 30 s as GONE.
 *
 * Not known is -1 for numbers, as in the state; a rate that is not known is negative.
 */
#ifndef SHMSCOPE_SHMTOP_TOP_MODEL_H
#define SHMSCOPE_SHMTOP_TOP_MODEL_H

#include <limits.h>

#include "shmtop/frame.h"

enum top_status {
	TOP_RUN,
	TOP_ASLEEP,   /* has work, waits in the kernel, and did so a sample ago */
	TOP_STALL,    /* has work, runs, reads nothing */
	TOP_STOP,     /* SIGSTOP, or traced */
	TOP_START,    /* not attached yet */
	TOP_LEAVE,    /* orderly shutdown */
	TOP_QUARANTINED,
	TOP_DEAD,
	TOP_GONE,     /* ended, slots reclaimed; or no longer there at all */
	TOP_UNKNOWN,
};

enum { TOP_GONE_SECONDS = 30, TOP_MOVE_PERCENT = 5, TOP_STILL_US = 1000000 };

struct top_key { /* identity of a row, over samples */
	uint64_t hub;     /* id of the hub; 0: a process without one */
	uint32_t peer;    /* 0: the host */
	int32_t pid;      /* only where hub is 0 */
	uint64_t start;
};

struct top_ring {
	bool is_there;          /* false: no ring to speak of (host, process without hub) */
	bool is_dead;           /* its consumer has ended: bell and flag mean nothing */
	const char *damage;     /* NULL, or why it cannot be believed; lives as long as the frame */
	int64_t waiting, capacity;
	int64_t written, read;
	int64_t bell;
	enum state_answer flag; /* the consumer said that it goes to sleep */
	bool bell_odd;          /* should not be 0, or should be */
	bool is_still;          /* nothing moved for a second, or since the sample before */
	int64_t oldest_us;      /* age of the first message waiting */
	double rate;            /* messages written per second */
};

struct top_row {
	struct top_key key;
	const struct state_hub *hub;         /* these three live as long as the frame; NULL once */
	const struct state_peer *peer;       /* the row is gone, or where there is none */
	const struct state_process *process;
	char name[HUB_NAME + 1];
	char hub_name[NAME_MAX + 1];         /* base name of its path */
	int32_t pid;
	enum top_status status;
	uint64_t gone_us;                    /* when it ended or vanished; 0: it has not */
	int64_t status_us;                   /* how long it is so */
	int64_t beat_us;                     /* age of its last sign of life */
	struct top_ring ring[2];             /* HUB_RECV, HUB_SEND */
	int64_t calls;                       /* it has not answered yet */
	int64_t slots, slots_dead;           /* in its hands */
	int64_t rss_bytes, fds, threads;
	enum severity worst;                 /* of the findings that stand here; SEVERITIES: none */
	bool old_hub, old_process;           /* seen longer ago than two intervals, or carried */
	uint64_t seen_us;
	double held;                         /* the sort value that decides on its place */
	bool has_held;
};

enum top_sort {
	TOP_BY_ID,
	TOP_BY_NAME,
	TOP_BY_PID,
	TOP_BY_STATE,
	TOP_BY_BEAT,
	TOP_BY_RECV,
	TOP_BY_SEND,
	TOP_BY_RATE,
	TOP_BY_CALLS,
	TOP_BY_SLOTS,
	TOP_BY_RSS,
	TOP_SORTS,
};

struct top_view { /* what of the rows is wanted */
	enum top_sort sort;
	bool inverted;
	uint64_t interval_us; /* between samples; 0: not known, nothing is called old */
};

struct top {
	struct top_row *row;    /* by hub, then as sorted */
	size_t rows, rows_room;
	struct top_row *next;   /* scratch of an update */
	size_t nexts, nexts_room;
	enum top_sort sort;     /* held values belong to this key */
	size_t hubs;            /* that there are rows of */
	size_t peers, dead;     /* hosts are not counted */
};

/* top_init / top_fini Safety: one-owner. */
void top_init(struct top *top);
void top_fini(struct top *top);

/*
 * top_update - rows of `now`.
 * before   the sample before it, for rates and for what stood still; NULL: none.
 * Going back in time is fine: rows that had not come yet are forgotten.
 * Returns 0 or -ENOMEM (the rows of before stay, but point into no frame).
 * Safety: one-owner.
 */
int top_update(struct top *top, const struct frame *before, const struct frame *now,
	       const struct top_view *view);

/* top_find - index of the row with this key; rows when there is none. Safety: one-owner. */
size_t top_find(const struct top *top, const struct top_key *key);

/* top_find_where - index of the row a finding speaks of; rows when none. Safety: one-owner. */
size_t top_find_where(const struct top *top, const struct finding_where *where);

/* top_is_ill - a row that "hide healthy" leaves on the screen. Safety: MT-safe. */
bool top_is_ill(const struct top_row *row);

/* top_has_ended - its process is no more. Safety: MT-safe. */
bool top_has_ended(const struct top_row *row);

/* top_status_word - "run", "ASLEEP", ... Safety: MT-safe. */
const char *top_status_word(enum top_status status);

/* top_sort_name / top_sort_find - "id", "name", ...; -1: no such key. Safety: MT-safe. */
const char *top_sort_name(enum top_sort sort);
int top_sort_find(const char *name);

#endif
