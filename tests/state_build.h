/*
 * state_build - states made by code that says what is wrong with them, for tests of the judge
 * and of what draws its findings.
 *
 *	struct state *st = build_state(0);              seconds after BUILD_NOW_US
 *	struct state_hub *hub = build_hub(st, 16);      host and 16 healthy peers
 *	build_lost_bell(build_peer(hub, 3), 8.4);
 *
 * A healthy peer sleeps in epoll_wait with its waiting flag set and empty rings. Everything
 * happens at BUILD_NOW_US and before; state and hub are freed by build_free().
 */
#ifndef SHMSCOPE_TESTS_STATE_BUILD_H
#define SHMSCOPE_TESTS_STATE_BUILD_H

#include "lib/findings/findings.h"
#include "lib/state/state.h"

#define BUILD_NOW_US UINT64_C(1000000000) /* 1000 s of uptime */
enum { BUILD_HOST_PID = 4000, BUILD_HUB_CELLS = 256 };

/* The moment `seconds` before `now_us`, and back: a duration in microseconds. */
uint64_t build_ago(uint64_t now_us, double seconds);

/* A live look, `seconds` after BUILD_NOW_US. */
struct state *build_state(double seconds);
void build_free(struct state *st);

/* Turns a live state into what a hub file tells after everybody was killed: no processes, no
 * bells, one moment. */
void build_as_file(struct state *st);

/* hostd and peers 1..n, named as those of hubdemo; n processes with a thread each. */
struct state_hub *build_hub(struct state *st, unsigned peers);
struct state_peer *build_peer(struct state_hub *hub, unsigned id);
struct state_process *build_process(struct state *st, const struct state_peer *peer);
struct state_process *build_host_process(struct state *st);
struct state_thread *build_loop(struct state *st, const struct state_peer *peer);

/* n messages wait in a ring, the oldest for `seconds`. Nothing was taken since. */
void build_waiting(struct state *st, struct state_peer *peer, int dir, unsigned n, double seconds);

/* The faults, as they look while they last. */
void build_lost_bell(struct state *st, struct state_peer *peer, int dir, double seconds);
void build_deaf(struct state *st, struct state_peer *peer, double seconds);
void build_handler(struct state *st, struct state_peer *peer, unsigned method, double seconds);
void build_spinning(struct state *st, struct state_peer *peer, double seconds);
void build_blocked(struct state *st, struct state_peer *peer, double seconds);
void build_stopped(struct state *st, struct state_peer *peer);

/* What the thread has got of the CPUs by now, in seconds. */
void build_cpu(struct state *st, struct state_thread *t, double ran, double queued);

/* Frames by name: "inner", "outer", NULL. Returns the stack's index. */
int build_stack(struct state *st, const char *const *functions);

/* One more thread, asleep; pointers to others of its process are void afterwards. */
struct state_thread *build_thread(struct state *st, struct state_process *p, int32_t tid,
				  const char *name);

/* The thread has slept on a lock for `seconds`, and was found there in both looks. owner: of its
 * own process, alive; 0: nobody. */
struct state_lock *build_sleep(struct state *st, struct state_process *p, int32_t tid,
			       enum state_lock_kind kind, uint64_t addr, const char *name,
			       int32_t owner, double seconds);

/* A class of slots, all free; and n slots of it in one pair of hands. */
struct state_class *build_class(struct state *st, struct state_hub *hub, uint32_t bytes,
				uint32_t slots);
void build_owner(struct state *st, struct state_hub *hub, struct state_class *k,
		 const struct state_peer *peer, unsigned direction, unsigned slot_state, uint32_t n,
		 double seconds);

struct state_call *build_call(struct state *st, struct state_hub *hub, unsigned by, unsigned peer,
			      uint32_t id, double seconds);

/* What the judge says after looking at each of the states (freed); NULL-terminated. */
struct judge *build_judge(struct state *first, ...) __attribute__((sentinel));

/* The finding of that name (and state); NULL: none. */
const struct finding *build_find(const struct judge *judge, const char *rule,
				 enum finding_state state);
/* Findings in that state that are critical or warning. */
unsigned build_count(const struct judge *judge, enum finding_state state);

#endif
