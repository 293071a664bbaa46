/*
 * waits - who waits for whom: the wait-for graph over threads, across processes.
 *
 * A node is a thread, and each waits for at most one other: whoever holds the lock that it
 * sleeps on, the thread that it joins, a thread of the process that has the file locked; a
 * thread of a hub's host in a call waits for its own handler that the called peer needs first,
 * or for the peer. So from every thread one path leads on, and it ends, or runs into a circle.
 *
 * Pipes, sockets and children may let it go on by any thread of any process that has the other
 * end, and an event loop by any of its files. Such a thread has a path only if none of all those
 * can go on either (waits_ends.c): then whichever of them the path takes, it runs into a circle.
 *
 * Waits for nobody in particular (condition variables, semaphores, event loops) end the path:
 * anybody may end such a wait.
 */
#ifndef SHMSCOPE_FINDINGS_WAITS_H
#define SHMSCOPE_FINDINGS_WAITS_H

#include "lib/state/state.h"

enum waits_kind {
	WAITS_NOBODY,  /* it runs, or waits for nobody in particular, or that is not known */
	WAITS_LOCK,    /* whoever holds the lock */
	WAITS_JOIN,    /* the thread whose end it waits for */
	WAITS_FILE,    /* a thread of the process that has locked the file */
	WAITS_CALL,    /* in a call: the host's handler that the called peer needs, or its loop */
	WAITS_HANDLER, /* a peer's loop, blocked in a call of its own: the host's handler */
	WAITS_END,     /* a thread of a process that has the other end of what it waits on */
	WAITS_CHILD,   /* a thread of a child whose end it waits for */
};

struct waits_any { /* processes, by the index of their first node */
	const int *first;
	size_t n;
	bool all_known; /* false: others may end the wait, too */
};

struct waits_node {
	const struct state_process *process;
	const struct state_thread *thread;
	enum waits_kind kind;
	int to;                       /* index of the node that it waits for; -1 */
	const struct state_lock *lock; /* WAITS_LOCK, WAITS_JOIN, WAITS_FILE */
	const struct state_hub *hub;  /* WAITS_CALL, WAITS_HANDLER */
	const struct state_peer *peer;
	const struct state_call *call; /* that it waits in */
	const struct state_call *back; /* the peer's, made to answer it; NULL */
	bool is_sure;                 /* false: seen only once, or others may end the wait too */
	uint64_t from_us, to_us;      /* it has waited there all the time in between; 0, 0 not known */
	int circle;                   /* number of the circle that it is in; -1 */
	const struct state_end *end;  /* WAITS_END */
	struct waits_any any;         /* WAITS_END, WAITS_CHILD: not one thread, but any of these */
};

struct waits {
	struct waits_node *node;      /* by pid, start, tid */
	size_t n;
	int *circle;                  /* of each circle: its node with the lowest index */
	size_t circles;
};

/*
 * waits_create / waits_destroy - the graph of a state, which is borrowed. NULL without memory;
 * destroying NULL is fine. (Rules find it in their scene.) Safety: one-owner.
 */
struct waits *waits_create(const struct state *st);
void waits_destroy(struct waits *w);

/* waits_find - a thread's node; NULL when it has none. Safety: MT-safe. */
const struct waits_node *waits_find(const struct waits *w, const struct state_process *p,
				    const struct state_thread *t);

/*
 * waits_is_proven - all waits of a circle were seen at one common moment, so it is a fact and
 * not a picture put together from different moments. Circles with calls in them never are: that
 * takes two looks.
 * Safety: MT-safe.
 */
bool waits_is_proven(const struct waits *w, int circle);

/* waits_has - the circle has a wait of that kind. Safety: MT-safe. */
bool waits_has(const struct waits *w, int circle, enum waits_kind kind);

/*
 * waits_knot - all that a circle depends on: its own nodes and, where any of several may end a wait,
 * those and whom they wait for. Marks them in in[], which has w->n elements and is all false.
 * Returns how many. Safety: MT-safe.
 */
size_t waits_knot(const struct waits *w, int circle, bool *in);

/* ---- words ------------------------------------------------------------------------------ */

enum { WAITS_TEXT = 512 };

/*
 * waits_who - "tid 4143 "query-1"", and of which process where that is not `home` (NULL: never).
 * waits_what - "mutex 0x55d0c0a8 (index_lock)", "the end of tid 7", "call 12 to search(3)"; "-".
 * waits_whom - how the other comes in: "held by tid 4143 "query-1""; "" where it needs no words.
 * Each returns buf. Safety: MT-safe.
 */
char *waits_who(const struct waits_node *node, const struct state_process *home,
		char buf[WAITS_TEXT]);
char *waits_what(const struct waits_node *node, char buf[WAITS_TEXT]);
char *waits_whom(const struct waits *w, const struct waits_node *node,
		 const struct state_process *home, char buf[WAITS_TEXT]);

#endif
