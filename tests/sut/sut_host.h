/*
 * sut_host - what the host's files share: its links, its lanes, and the tools that faults use.
 */
#ifndef SHMSCOPE_SUT_HOST_H
#define SHMSCOPE_SUT_HOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "lib/hub/shmhub.h"
#include "tests/sut/sut.h"
#include "tests/sut/sut_look.h"
#include "tests/sut/sut_message.h"
#include "tests/sut/sut_tally.h"

enum {
	SUT_SEATS = 4,            /* host threads that may talk to one peer at a time */
	SUT_CALLERS_MAX = 64,     /* threads that faults start */
	SUT_LANES = SUT_THREADS_MAX + 2 + SUT_CALLERS_MAX, /* the last one: no-replies */
	SUT_LANE_MAIN = SUT_THREADS_MAX, /* the main thread's; callers follow */
	SUT_PATIENCE_MS = 60000,  /* a healthy peer answers before that; else the answer is lost */
};

/* The host's side of one peer. */
struct sut_link {
	unsigned id;
	char name[SUT_NAME];
	pthread_mutex_t lock;     /* inside, closed, window */
	pthread_cond_t empty;     /* inside became 0 */
	unsigned inside;          /* threads that talk to it now */
	bool closed;              /* nobody may begin */
	bool unpacking;           /* one thread at a time sends 1.5 MB */
	struct sut_window window; /* numbers that came from it */
	atomic_bool faulty;       /* target of a fault: calls to it may fail */
	atomic_bool unclean;      /* died: what was under way then is not accounted for */
	atomic_int leaving;       /* times it was ended on purpose and we were not yet told */
	atomic_bool dead;         /* not there at the moment */
	_Atomic uint64_t sent;    /* messages it must have received */
	_Atomic uint64_t received; /* messages that came from it whole */
};

/* A numbered stream of messages to all peers, owned by one thread. */
struct sut_lane {
	struct sut_host *host;
	unsigned id;
	uint64_t random;
	uint64_t *number;         /* last number sent, by peer */
	unsigned char *scratch;   /* room for a copied request */
	pthread_t thread;
	bool running;
};

struct sut_host {
	const struct sut_config *config;
	struct shmhub *hub;
	struct sut_tally *tally;  /* [0] ours, [i] peer i's */
	int tally_fd, signal_fd;
	struct sut_link *link;    /* [1..peers] */
	struct sut_lane lane[SUT_LANES];
	unsigned callers;         /* lanes from SUT_LANE_MAIN + 1 on that are in use */
	struct sut_look look;
	atomic_bool stopping;
	bool told_to_stop;        /* by a signal: every later pause ends at once too */
	atomic_bool no_unpack;    /* a fault holds the largest slots */
	bool stuck;               /* threads of ours will never return: no orderly end */
	pthread_mutex_t locked;   /* what SUT_LOCKED needs */
	unsigned restart_next;
};

/* ---- links (sut_link.c) ----------------------------------------------------------------- */

int sut_links_create(struct sut_host *host, struct err *err);
/* sut_link_enter - take a seat; false when all are taken or it is closed. */
bool sut_link_enter(struct sut_link *link);
void sut_link_leave(struct sut_link *link);
/* sut_link_close - nobody may begin any more; returns when nobody is inside. */
void sut_link_close(struct sut_link *link);
void sut_link_open(struct sut_link *link);
/* sut_link_arrived - a message of the peer arrived whole: count it and judge its number. */
void sut_link_arrived(struct sut_host *host, struct sut_link *link, const struct sut_head *head);
/* sut_links_settle - when all has ended: what one side sent, the other has received. */
void sut_links_settle(struct sut_host *host);

/* ---- traffic (sut_traffic.c) ------------------------------------------------------------ */

/* sut_lane_begin - give a lane its memory. Returns 0 or -ENOMEM. */
int sut_lane_begin(struct sut_host *host, unsigned id);
/* sut_exchange - one verified call; counts its outcome. timeout -1: for ever. Returns 0 or why. */
int sut_exchange(struct sut_lane *lane, struct sut_link *link, unsigned method, size_t bytes,
		 size_t answer_bytes, size_t ask_bytes, int timeout_ms);
/* sut_note - one notification. Returns 0, or why it was not sent. */
int sut_note(struct sut_lane *lane, struct sut_link *link, size_t bytes, int timeout_ms,
	     unsigned flags);
/* sut_traffic_start - the host's threads begin. */
int sut_traffic_start(struct sut_host *host, struct err *err);
/* sut_traffic_join - after host->stopping. False: some did not come back in `seconds`. */
bool sut_traffic_join(struct sut_host *host, unsigned seconds);
/* sut_serve - the handlers for what peers ask of the host. */
int sut_serve(struct sut_host *host, struct err *err);

/* ---- a healthy crowd (sut_crowd.c) ------------------------------------------------------- */

/* sut_crowd_start - config->crowd threads begin; they end with the process. */
int sut_crowd_start(struct sut_host *host, struct err *err);

/* ---- for the faults (sut_host.c) -------------------------------------------------------- */

/* sut_pause - sleep, or be told to stop. Returns true when it is time to stop. */
bool sut_pause(struct sut_host *host, unsigned ms);
/* sut_tell - have the peer begin with the fault itself (a notification; does not wait). */
int sut_tell(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err);
/* sut_pile - n notifications to the peer, whatever it does with them. */
int sut_pile(struct sut_host *host, unsigned peer, unsigned n, struct err *err);
/* sut_caller - a new thread of the host that does `work` (which gets its lane). */
int sut_caller(struct sut_host *host, unsigned peer,
	       void (*work)(struct sut_lane *, struct sut_link *), struct err *err);
/* sut_work_call - for sut_caller(): one call without deadline. */
void sut_work_call(struct sut_lane *lane, struct sut_link *link);
/* sut_until - wait up to 10 s until the hub file shows what `reached` wants of this peer. */
int sut_until(struct sut_host *host, unsigned peer, const char *what,
	      bool (*reached)(const struct sut_look_peer *), struct err *err);
pid_t sut_peer_pid(struct sut_host *host, unsigned peer);

#endif
