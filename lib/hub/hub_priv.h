/*
 * hub_priv - what the parts of the host share: the hub, its links, its pending calls.
 *
 *	hub_event.c	one thread in epoll_wait: bells and deaths of all peers
 *	hub_role.c	who takes messages from a link, and who sleeps for it
 *	hub_take.c	what becomes of a message that was taken
 *	hub_send.c	putting messages into a link; waiting for room
 *	hub_pend.c	the table of pending calls
 *	hub_spill.c	slots of answers that nobody reads, for those who wait for one
 *	hub_knot.c	requests that wait for each other's slots
 *	hub_call.c	calls: start, wait, cancel, notify
 *	hub_serve.c	calls that came in from peers, and their answers
 *	hub_work.c	the handler threads, and one for the library's own work
 *	hub_life.c	one thread that starts, ends and cleans up peers
 *	hub_host.c	create, destroy
 *
 * The host decides only from what stands here; the file gets copies.
 *
 * Order of locks: link->role, then link->send, then link->lock; hub->work_lock and
 * hub->life_lock are taken last, alone; hub->spill_lock is taken first, alone. A pending call's
 * lock bit and hub->knot_lock are leaves.
 *
 * fork(): a child inherits nothing (hub_fork_hold() sees to doorbells that are being made). Its copies of the hub's descriptors are closed by an atfork
 * handler, the mapping is not inherited (MADV_DONTFORK); public functions then say -ESTALE.
 *
 * Ordering.
 *   label  word             released by            acquired by             so that
 *   R1     link->role       hub_role leave         hub_role try            the consumer's position
 *                                                                          and all it delivered
 *   R2     link->dozers     seq_cst on both sides: a caller counts itself in, then looks at the
 *                           role; whoever leaves the role stores that, then looks for callers
 *                           whose answers the event thread must be woken for.
 *   L1     link->state      hub_life open, close   senders, takers         the link's end is set up
 *   M1     method_index[]   hub_pend method row    whoever counts a call   the row's name and number
 *   T1     handler[]        shmhub_handle          hub_work_handler        the handler is complete
 *   E1     pend->word       hub_pend unlock        hub_pend lock, look     the entry's fields
 *   W1     *_seq, *_waiters seq_cst on both sides: the waiter counts itself in, looks once more,
 *                           sleeps on the number it has seen; the waker changes what is waited
 *                           for, then looks for waiters and counts the number up.
 *   M2     klass.mine[]     seq_cst on both sides: a thread counts itself in before it makes a
 *                           slot's word the host's; the repair reads the word, then the count.
 *   W2     flush_queued,    hub_send flush_soon,    hub_send flush_run,     one work item per link,
 *          spill_queued,    hub_spill consider,     hub_spill run,          one of the hub
 *          knot_queued      hub_knot tick           hub_knot run
 *   W3     hub->spill       acq_rel on all sides: three things must meet - a class that is
 *                           waited for, a thread that waits, an answer that lies unread. Each
 *                           comes by a change of this one word after its own store; whichever
 *                           change is last sees the others, and what was stored before them.
 *   A1     link->armed      seq_cst on both sides: the event thread clears it when a bell was
 *                           delivered, then looks at the role; whoever leaves the role stores
 *                           that, then looks whether the bell must be armed.
 *   Q1     request->refs    whoever is done with    the last one, who       it is freed once
 *                           it                     frees it
 *   A2     link->wake_fd    seq_cst on both sides: the consumer makes it, then looks whether
 *                           its call has failed, then sleeps on it; who fails a call stores
 *                           that, then looks for it.
 *   K2     poked, kicks     whoever wants the        the event thread        it looks after the store
 *                           event thread
 *   N1     hub->stopping    shmhub_destroy         everybody               nothing new begins
 */
#ifndef SHMSCOPE_HUB_PRIV_H
#define SHMSCOPE_HUB_PRIV_H

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "lib/base/err.h"
#include "lib/hub/hub_bell.h"
#include "lib/hub/hub_fault.h"
#include "lib/hub/hub_map.h"
#include "lib/hub/hub_os.h"
#include "lib/hub/hub_payload.h"
#include "lib/hub/hub_slot.h"
#include "lib/hub/shmhub.h"

enum {
	HUB_TURN = 64,        /* messages of one link taken before others get their turn */
	HUB_WORKERS_DEFAULT = 4,
	HUB_WORKERS_MAX = 64,
	HUB_EVENT_BATCH = 64,
};

struct hub_link;

/* Something for a handler thread. */
struct hub_work {
	struct hub_work *next;
	void (*run)(struct hub_work *work);
};

/* A further frame of a body, taken and not yet read. */
struct hub_frame {
	struct hub_frame *next;
	struct hub_message m;
	struct hub_slot_ref slot;
	void *copy;               /* the payload, once it had to leave its slot */
};

struct hub_frames {
	struct hub_frame *first, **end;
	unsigned n;
};

/* ---- pending calls ---------------------------------------------------------------------- */

enum hub_pend_state {
	HUB_PEND_FREE = 0,
	HUB_PEND_SETUP,   /* being filled in and sent */
	HUB_PEND_PENDING, /* sent, no frame of the answer to be read */
	HUB_PEND_READY,   /* a frame is there */
	HUB_PEND_FAILED,  /* will never be answered: see error */
};
#define HUB_PEND_LOCKED    UINT64_C(0x100)
#define HUB_PEND_WAITER    UINT64_C(0x200) /* somebody sleeps on the low half of the word */
#define HUB_PEND_CREDIT    UINT64_C(0x400) /* frames of the request may be sent: see credit */
#define HUB_PEND_STATE(w)  ((unsigned)((w)&0xff))
#define HUB_PEND_GEN(w)    ((uint32_t)((w) >> 32))

struct hub_pend {
	_Atomic uint64_t word; /* E1: state, lock, waiter; bits 32..63 generation */
	uint32_t index;
	uint16_t peer, incarnation, method;
	bool answered;         /* the first frame has come */
	bool request_open;     /* SHMHUB_MORE: frames of the request may follow */
	int waiters;           /* threads in shmhub_wait() or shmhub_call() for it: they read it */
	int error;
	int doom;              /* ended this way while a frame lay there: it fails when all are read */
	uint64_t started_ns, deadline_ns;
	uint32_t for_call;     /* made in the handler of this call of `for_peer`; 0: in none */
	uint16_t for_peer;
	uint32_t sent_slot, sent_gen; /* where its payload went; HUB_NO_SLOT */
	uint32_t credit;       /* frames of the request that may still be sent */
	uint32_t frame_no;     /* of the last one sent */
	uint32_t read;         /* frames of the answer read since the last credit */
	struct hub_frames more; /* frames behind the first */
	struct hub_slot_ref slot;
	void *copy;            /* the payload, once it had to leave its slot */
	bool spilling;         /* one of its slots is being copied: whoever reads waits for that */
	struct hub_work work;  /* with fn: queued when something is ready */
	bool queued;
	void (*fn)(void *arg, int result, struct shmhub_msg *reply);
	void *arg;
	struct shmhub *hub;
	struct hub_message m;
};

/* ---- links ------------------------------------------------------------------------------ */

enum hub_link_state { HUB_LINK_NONE = 0, HUB_LINK_OPEN, HUB_LINK_CLOSED };

#define HUB_ROLE_WANTED 0x80000000u /* the life thread waits for the role */

/* An answer that did not fit into the ring, or found no slot, yet. */
struct hub_out {
	struct hub_out *next;
	struct hub_message m;
	struct hub_slot_ref slot;
	void *copy; /* the payload, while there is no slot for it */
	unsigned wants; /* the class it waits for, + 1; 0: none */
};

enum hub_life_state {
	HUB_LIFE_FREE = 0, /* id not in use */
	HUB_LIFE_STARTING, /* somebody waits for the spawn */
	HUB_LIFE_ALIVE,
	HUB_LIFE_DYING,    /* its pidfd says that it ended */
	HUB_LIFE_BACKOFF,  /* to be started again at `restart_ns` */
	HUB_LIFE_ENDED,    /* stays down; the id may be used again */
};

struct hub_spawn; /* hub_life.c */

struct hub_link {
	struct shmhub *hub;           /* these three never change: no lock */
	struct hub_peer *entry;
	uint16_t id;
	struct hub_end end;           /* consumer's half: with the role; producer's: with `send` */
	_Atomic uint32_t state;       /* L1: enum hub_link_state, bits 8.. incarnation */
	_Atomic uint32_t hung_up;     /* the bell is of no use any more */
	_Atomic uint32_t role;        /* R1: tid of the consumer; 0: the event thread stands in */
	unsigned chatty;              /* R1: calls for which LOUD is withdrawn (hub_role.c) */
	_Atomic uint32_t dozers;      /* R2: callers that sleep on their own entries */
	_Atomic uint32_t armed;       /* A1: the event thread's epoll set has the bell */
	_Atomic int32_t wake_fd;      /* A2: eventfd beside the bell, for the sleeping consumer; -1 */
	_Atomic uint32_t kicked;      /* the event thread shall take messages without a bell */
	_Atomic uint32_t pending;     /* host's calls to this peer */
	_Atomic uint32_t probe;       /* calls whose message had to wake the peer */
	_Atomic uint32_t space_seq, space_waiters; /* W1 */
	pthread_mutex_t share_lock;   /* innermost; held over the claim of a slot */
	uint32_t share[HUB_CLASSES_MAX]; /* slots sent to it and not known to be free */
	uint64_t net_in, net_out;     /* event thread: positions at the last tick */
	uint64_t net_caller;          /* the same, while a caller has the role */
	_Atomic uint32_t look;        /* that caller shall look: no bell will tell it */
	unsigned net_ticks;           /* for which the peer should have looked */

	pthread_mutex_t send;         /* the producer's end, end.handled, out */
	struct hub_out *out, **out_end;
	unsigned outs;
	struct hub_work flush;
	_Atomic uint32_t flushing;     /* something is queued that wants a flush */
	_Atomic uint32_t flush_queued; /* W2: `flush` is with the handler threads */

	pthread_mutex_t lock;         /* requests of this peer */
	struct shmhub_request *request[HUB_PEER_CALLS];
	unsigned notifies;            /* taken and not yet handled */
	unsigned requests;            /* that live: some may have lost their caller already */

	/* hub_life.c, under hub->life_lock */
	enum hub_life_state life;
	struct hub_spawn *spawn;
	int pid, pidfd;
	uint16_t incarnation;
	bool stop_wanted;
	uint64_t kill_ns, restart_ns, started_ns;
	unsigned backoff_ms, restarts;
	_Atomic uint32_t used;        /* its rings have pages */
	_Atomic uint32_t is_leaving, attached, quarantined; /* said so, or seen, once */
};

/* The host's own counters; those of the same name in the file are copies. */
struct hub_counts {
	_Atomic uint64_t calls_made, calls_waited, calls_refused, late_replies, peers_died, slots_swept,
		quarantined, punched_bytes, slot_rescues, answers_spilled;
	_Atomic uint64_t rescues, alloc_failed, calls, calls_failed; /* sums, not in the file */
};

struct hub_handler {
	struct hub_handler *next;
	uint16_t method;
	shmhub_handler fn;
	void *arg;
};

struct shmhub {
	struct hub_pool pool;         /* first: pool.wake finds the hub */
	struct hub_map map;
	char path[PATH_MAX];
	bool keep_file;
	struct hub_counts count;
	_Atomic uint32_t stopping;    /* N1 */
	_Atomic uint32_t inherited;   /* this is a fork child's copy */
	struct shmhub *next;          /* all hubs of this process, for fork children */
	cpu_set_t cpus;               /* where its ends may run; life_lock */
	_Atomic uint32_t spin_ns;
	struct hub_link *link;        /* peers_max + 1 */

	/* hub_call.c */
	struct hub_pend *pend;
	_Atomic uint32_t pend_top;    /* entries ever used: no scan goes further */
	_Atomic uint32_t pending;
	_Atomic uint32_t entry_seq, entry_waiters; /* W1 */
	_Atomic uint64_t next_deadline_ns; /* of calls with fn: the event thread watches it */
	pthread_mutex_t method_lock;
	_Atomic uint16_t method_index[SHMHUB_METHOD_MAX + 1]; /* row of METHODS + 1 */
	unsigned methods;

	/* hub_send.c */
	_Atomic uint32_t sleepers;    /* W1: threads asleep for space or slots */
	_Atomic uint32_t slot_seq, slot_waiters; /* W1 */

	/* hub_spill.c */
	_Atomic uint64_t spill;       /* W3: bits 0..31 classes waited for, 32.. threads that wait */
	_Atomic uint32_t slot_wanted[HUB_CLASSES_MAX]; /* by threads and queued answers of the host */
	_Atomic uint32_t spill_queued; /* W2 */
	pthread_mutex_t spill_lock;   /* held over one copy */
	struct hub_work spill_work;

	/* hub_knot.c */
	pthread_mutex_t knot_lock;
	struct hub_knot_wait *knot;   /* handlers that wait for a slot for a request */
	uint64_t knot_serial;
	_Atomic uint32_t knot_queued; /* W2 */
	_Atomic uint32_t knot_passes; /* for tests */
	struct hub_work knot_work;
	uint64_t *knot_seen;          /* who was in a knot at the last pass */
	unsigned knot_seen_n;

	/* hub_event.c */
	pthread_t event_thread;
	uint32_t event_tid;
	int epoll_fd, poke_fd;
	_Atomic uint32_t poked;
	_Atomic uint32_t ticking;     /* W1 */
	_Atomic uint32_t kicks;       /* some link is kicked */
	uint64_t tick_ns;             /* the next one; event thread */
	_Atomic uint32_t event_end;

	/* hub_work.c */
	pthread_mutex_t work_lock;
	pthread_cond_t work_cond, work_idle_cond;
	struct hub_work *work, **work_end;
	unsigned work_n, workers, workers_max, workers_idle;
	pthread_t worker[HUB_WORKERS_MAX];
	bool work_stop;
	struct hub_work *own, **own_end; /* the library's own: run by own_thread */
	pthread_cond_t own_cond;
	pthread_t own_thread;
	bool own_runs, own_stop;
	_Atomic(struct hub_handler *) handler[64]; /* by method & 63 */

	/* hub_life.c */
	pthread_t life_thread;
	pthread_mutex_t life_lock;
	pthread_cond_t life_cond, life_done_cond;
	bool life_stop;
	bool life_changed;
	uint64_t punch_ns;            /* next pass; 0: nothing to punch */
	sigset_t life_mask;
	void (*on_peer)(struct shmhub *hub, unsigned peer, unsigned state, void *arg);
	void *on_peer_arg;
};

static inline struct shmhub *hub_of_pool(struct hub_pool *pool)
{
	return (struct shmhub *)pool;
}

/* Counts privately and copies the sum for readers (mirror may be NULL). */
static inline void hub_note(_Atomic uint64_t *own, _Atomic uint64_t *mirror, uint64_t n)
{
	/* relaxed: a lone counter for display; its copy may be one behind */
	const uint64_t sum = atomic_fetch_add_explicit(own, n, memory_order_relaxed) + n;

	if (mirror)
		hub_put64(mirror, sum);
}
#define HUB_NOTE(hub, field, n) hub_note(&(hub)->count.field, &(hub)->map.host->field, (n))

static inline bool hub_is_stopping(const struct shmhub *hub)
{
	/* acquire N1: pairs with release N1 in shmhub_destroy() */
	return atomic_load_explicit(&hub->stopping, memory_order_acquire) != 0;
}

/* enum hub_link_state, and the incarnation it is about. */
static inline unsigned hub_link_now(const struct hub_link *link, unsigned *incarnation)
{
	/* acquire L1: its end is set up; pairs with release L1 in hub_life.c */
	const uint32_t state = atomic_load_explicit(&link->state, memory_order_acquire);

	*incarnation = state >> 8;
	return state & 0xff;
}

static inline bool hub_link_is_open(const struct hub_link *link)
{
	unsigned incarnation;

	return hub_link_now(link, &incarnation) == HUB_LINK_OPEN;
}

/* The end under which this incarnation's slots travel; with the role or link->send. */
static inline struct hub_slot_end hub_link_end(const struct hub_link *link, unsigned direction)
{
	return (struct hub_slot_end){ link->end.peer, link->end.incarnation, (uint8_t)direction };
}

/* ---- hub_frames (hub_pend.c) -------------------------------------------------------------- */
void hub_frames_init(struct hub_frames *f);
/* hub_frames_add - copy: the payload if it is in no slot any more; taken, as the slot, on 0. */
int hub_frames_add(struct hub_frames *f, const struct hub_message *m,
		   const struct hub_slot_ref *slot, void *copy);
struct hub_frame *hub_frames_take(struct hub_frames *f);
void hub_frames_free(struct hub_frame *frame, struct hub_pool *pool);

/* ---- hub_send.c --------------------------------------------------------------------------- */

/* hub_send - put a message into a link's recv ring. slot: allocated; taken on 0.
 * incarnation: the one that the message is meant for; deadline 0: do not wait.
 * pend: its table entry is told where the descriptor lies; NULL. rang: may be NULL. */
int hub_send(struct shmhub *hub, struct hub_link *link, unsigned incarnation, struct hub_message *m,
	     const void *payload, struct hub_slot_ref *slot, uint64_t deadline_ns,
	     struct hub_pend *pend, bool *rang);

/* hub_send_reserve - a slot of `bytes` towards a peer: its share, the class above, waiting. */
int hub_send_reserve(struct shmhub *hub, struct hub_link *link, unsigned incarnation, size_t bytes,
		     bool is_answer, uint64_t deadline_ns, struct shmhub_buf *buf);

/* hub_send_payload - inline, or copied into a slot: fills m->len, m->slot; slot set if one.
 * m->flags say whether it is an answer. */
int hub_send_payload(struct shmhub *hub, struct hub_link *link, unsigned incarnation,
		     const void *data, size_t len, uint64_t deadline_ns, struct hub_message *m,
		     struct hub_slot_ref *slot);

/* hub_send_later - queue an answer; flushed when there is room. out is taken. */
void hub_send_later(struct shmhub *hub, struct hub_link *link, unsigned incarnation,
		    struct hub_out *out);
void hub_send_out_free(struct shmhub *hub, struct hub_out *out);
/* hub_send_drop_all - its peer is dead; link->send is held, and let go for a moment. */
void hub_send_drop_all(struct shmhub *hub, struct hub_link *link);
/* hub_send_flush - queued answers, as far as there is room. */
void hub_send_flush(struct shmhub *hub, struct hub_link *link);
void hub_send_flush_run(struct hub_work *work);
/* hub_send_handled - a notification of that incarnation was handled: its peer may send another. */
void hub_send_handled(struct hub_link *link, unsigned incarnation);
/* hub_send_space - the peer has taken, or handled, messages: wake and flush. */
void hub_send_space(struct shmhub *hub, struct hub_link *link);
/* hub_send_slots - a slot was freed that somebody waits for: wake all who do. */
void hub_send_slots(struct shmhub *hub);
/* hub_send_backed - pages were added for slots: let them be given back one day. */
void hub_send_backed(struct shmhub *hub);
void hub_send_pool_wake(struct hub_pool *pool);

/* ---- hub_spill.c --------------------------------------------------------------------------- */
void hub_spill_init(struct shmhub *hub);
/* hub_spill_sleep / hub_spill_awake - around each sleep of an application's thread in here. */
void hub_spill_sleep(struct shmhub *hub);
void hub_spill_awake(struct shmhub *hub);
/* hub_spill_want / hub_spill_unwant - somebody of the host waits for a slot of this class. */
void hub_spill_want(struct shmhub *hub, unsigned klass);
void hub_spill_unwant(struct shmhub *hub, unsigned klass);
/* hub_spill_bell - the peer rang: does it wait for a slot? */
void hub_spill_bell(struct shmhub *hub, const struct hub_link *link);
/* hub_spill_look - an answer with a slot was delivered, and nobody waits to read it. */
void hub_spill_look(struct shmhub *hub);
/* hub_spill_settle - until the copy that is being made is made. */
void hub_spill_settle(struct shmhub *hub);

/* ---- hub_knot.c ---------------------------------------------------------------------------- */

/* A thread of the host that waits for a slot in a handler. */
struct hub_knot_wait {
	struct hub_knot_wait *next;
	uint64_t serial;         /* 0: not in a handler, or for an answer */
	const struct hub_link *link; /* to whom the request shall go */
	unsigned klass;
	uint32_t call;           /* that it serves, of `peer` */
	uint16_t peer;
	_Atomic uint32_t doomed; /* what it waits for waits for it */
};

void hub_knot_init(struct shmhub *hub);
void hub_knot_fini(struct shmhub *hub);
/* hub_knot_enter / hub_knot_leave - around a wait for a slot. */
void hub_knot_enter(struct shmhub *hub, struct hub_knot_wait *wait, const struct hub_link *link,
		    unsigned klass, bool is_answer);
void hub_knot_leave(struct shmhub *hub, struct hub_knot_wait *wait);
/* hub_knot_tick - once a second while anything is pending: is there one? */
void hub_knot_tick(struct shmhub *hub);

/* ---- hub_pend.c ---------------------------------------------------------------------------- */
int hub_pend_init(struct shmhub *hub);
void hub_pend_fini(struct shmhub *hub);
/* hub_pend_claim - an entry in state SETUP for a call to that incarnation; waits at the limit. */
int hub_pend_claim(struct shmhub *hub, struct hub_link *link, unsigned incarnation,
		   unsigned method, uint64_t deadline_ns, bool nowait, struct hub_pend **pend,
		   uint32_t *gen);
/* hub_pend_free - the call is over (its caller's doing, entry locked or in SETUP). */
void hub_pend_free(struct shmhub *hub, struct hub_pend *pend, int result);
uint32_t hub_pend_id(const struct hub_pend *pend, uint32_t gen);
uint64_t hub_pend_handle(const struct hub_pend *pend, uint32_t gen);
struct hub_pend *hub_pend_find(struct shmhub *hub, uint64_t handle, uint32_t *gen);
/* hub_pend_lock - false: that call is over. Leaf lock, held for some ten instructions. */
bool hub_pend_lock(struct hub_pend *pend, uint32_t gen, unsigned *state);
void hub_pend_unlock(struct hub_pend *pend, unsigned state);
/* hub_pend_is_waiting - nothing to be read yet (for_credit: nor credit). */
bool hub_pend_is_waiting(const struct hub_pend *pend, uint32_t gen, bool for_credit);
void hub_pend_sleep(struct hub_pend *pend, uint32_t gen, uint64_t deadline_ns, bool for_credit);
/* hub_pend_waiters - threads in shmhub_wait(), counted. False: that call is over. */
bool hub_pend_waiters(struct hub_pend *pend, uint32_t gen, int n);
/* hub_pend_untake_credit - the frame it was taken for was not sent. */
void hub_pend_untake_credit(struct hub_pend *pend, uint32_t gen);
/* hub_pend_fail - what there is to be read already is read first; a whole answer stands. */
void hub_pend_fail(struct shmhub *hub, struct hub_pend *pend, uint32_t gen, int error);
/* Mirrors into the file. */
void hub_pend_note_start(struct shmhub *hub, const struct hub_pend *pend, uint32_t gen, size_t bytes);
void hub_pend_note_sent(struct shmhub *hub, const struct hub_pend *pend, unsigned peer, uint64_t at);
/* What a taker does with an answer, a further frame of it, credit for the request's frames.
 * -EBADMSG: against the protocol. */
int hub_pend_answer(struct shmhub *hub, struct hub_link *link, const struct hub_message *m,
		    struct hub_slot_ref *slot, int error);
int hub_pend_body(struct shmhub *hub, struct hub_link *link, const struct hub_message *m,
		  struct hub_slot_ref *slot);
int hub_pend_credit(struct shmhub *hub, struct hub_link *link, const struct hub_message *m);
void hub_pend_fail_peer(struct shmhub *hub, unsigned peer, unsigned incarnation, int error);
void hub_pend_fail_all(struct shmhub *hub, int error);
/* hub_pend_heal - entries of the file's table that are not in use say so, whoever wrote there. */
void hub_pend_heal(struct shmhub *hub);
/* hub_pend_expire - fail calls with fn whose deadline is over; the next one's, or FOREVER. */
uint64_t hub_pend_expire(struct shmhub *hub, uint64_t now_ns);
void hub_pend_name(struct shmhub *hub, unsigned method, const char *name);
/* hub_call.c: what hub_pend_answer() and others queue for calls with fn. */
void hub_call_run(struct hub_work *work);
/* hub_call_fail - end a call with an error, and tell the peer that nobody wants its answer. */
void hub_call_fail(struct shmhub *hub, struct hub_pend *pend, uint32_t gen, int error);

/* ---- hub_role.c ---------------------------------------------------------------------------- */
bool hub_role_try(struct hub_link *link);
void hub_role_leave(struct shmhub *hub, struct hub_link *link);
/* hub_role_return - back to the event thread, whose announcement stands as it was before. */
void hub_role_return(struct shmhub *hub, struct hub_link *link);
/* hub_role_want / hub_role_drop - the life thread's: waits for it, keeps it without duties. */
void hub_role_want(struct hub_link *link);
void hub_role_drop(struct hub_link *link);
/* hub_role_wait - until the entry has something (for_credit: or credit), or the deadline. */
void hub_role_wait(struct shmhub *hub, struct hub_pend *pend, uint32_t gen, uint64_t deadline_ns,
		   bool rang, bool for_credit);
/* hub_role_nudge - a call failed (cancelled, hub ends): its caller may sleep on this link's bell. */
void hub_role_nudge(struct hub_link *link);
/* hub_role_bell - the bell was drained: whoever waits for space or slots looks again. */
void hub_role_bell(struct shmhub *hub, struct hub_link *link);

/* ---- hub_take.c ---------------------------------------------------------------------------- */
/* hub_take - take up to `max` messages; the caller has the role. Returns how many; -EBADMSG when
 * the ring held nonsense (the link is then being closed). */
int hub_take(struct shmhub *hub, struct hub_link *link, unsigned max);

/* The call in whose handler this thread is, and whose it is: 0 in none. */
uint32_t hub_serve_now(uint16_t *peer);
/* ---- hub_serve.c ------------------------------------------------------------ */
int hub_request_in(struct shmhub *hub, struct hub_link *link, const struct hub_message *m,
		   struct hub_slot_ref *slot, int error);
int hub_request_body(struct shmhub *hub, struct hub_link *link, const struct hub_message *m,
		     struct hub_slot_ref *slot);
int hub_request_credit(struct hub_link *link, const struct hub_message *m);
void hub_request_cancel(struct hub_link *link, uint32_t call);
void hub_request_orphan_all(struct hub_link *link);

/* ---- hub_work.c ---------------------------------------------------------------------------- */
int hub_work_init(struct shmhub *hub, unsigned workers_max);
void hub_work_push(struct shmhub *hub, struct hub_work *work);
/* hub_work_push_own - of the library's own: never behind what an application's handlers wait for. */
void hub_work_push_own(struct shmhub *hub, struct hub_work *work);
void hub_work_stop(struct shmhub *hub);
void hub_work_fini(struct shmhub *hub);
const struct hub_handler *hub_work_handler(struct shmhub *hub, unsigned method);

/* ---- hub_event.c --------------------------------------------------------------------------- */
int hub_event_start(struct shmhub *hub, struct err *err);
void hub_event_stop(struct shmhub *hub);
void hub_event_poke(struct shmhub *hub);
void hub_event_tick(struct shmhub *hub); /* something is pending: stamp last_alive */
void hub_event_arm(struct hub_link *link);
void hub_event_disarm(struct hub_link *link);
void hub_event_kick(struct shmhub *hub, struct hub_link *link);
int hub_event_watch(struct shmhub *hub, struct hub_link *link);

/* ---- hub_life.c ---------------------------------------------------------------------------- */
int hub_life_start(struct shmhub *hub, struct err *err);
void hub_life_stop(struct shmhub *hub, int grace_ms);
void hub_life_suspect(struct shmhub *hub, struct hub_link *link); /* its bell hung up */
void hub_life_quarantine(struct shmhub *hub, struct hub_link *link);
void hub_life_leaving(struct shmhub *hub, struct hub_link *link);
void hub_life_attached(struct shmhub *hub, struct hub_link *link);
void hub_life_ended(struct shmhub *hub, struct hub_link *link);   /* its pidfd is readable */
void hub_life_punch_soon(struct shmhub *hub);

/* hub_host_add_cpus - process `pid` (0: this thread) is an end of this hub, too. */
void hub_host_add_cpus(struct shmhub *hub, int pid);
/* hub_host_set_spin - how long ends may spin, by the number of living peers. */
void hub_host_set_spin(struct shmhub *hub, unsigned live);

/* hub_fork_hold / hub_fork_release - no fork() of this process between the two: what descriptors
 * are made there would be inherited by a child that does not know of them. */
void hub_fork_hold(void);
void hub_fork_release(void);

/* hub_error - copy a sentence to the application's storage; returns r. */
int hub_error(struct shmhub_error *out, int r, const struct err *err);

/* A thread of the library: all signals blocked but those a fault of its own raises. */
int hub_thread(pthread_t *thread, void *(*run)(void *), void *arg);

#endif
