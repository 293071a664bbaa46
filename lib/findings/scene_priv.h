/*
 * scene - a state as the rules look at it: facts that several rules need, worked out once, so
 * that two rules never disagree about what "asleep" or "full" means.
 *
 * Moments
 *	The clock of a hub is the moment its look describes; of a peer, the moment in which it
 *	was seen itself: looks of a family may lie apart. When its host is dead, nobody can
 *	move any more and what the system says about its processes is their end, not their
 *	trouble: the clock then stands at the last sign of life in the file, and peers that
 *	died together with the host count as alive.
 *
 * A link that must not be judged (carried over, damaged, starting, leaving, dead) has
 * usable = false; rules pass over it.
 */
#ifndef SHMSCOPE_FINDINGS_SCENE_PRIV_H
#define SHMSCOPE_FINDINGS_SCENE_PRIV_H

#include "lib/findings/findings.h"
#include "lib/findings/waits.h"

enum { SECOND_US = 1000000 };

struct scene_party { /* one of the two processes at a ring */
	int peer;                /* id; 0: the host */
	const char *name;
	int32_t pid;
	const struct state_process *process; /* NULL: not looked at in this moment */
	const struct state_thread *thread;   /* who reads or writes the ring; NULL: not known */
	enum state_answer alive, stopped;
	bool reachable;          /* a command may name its pid: its hub has not ended */
};

enum scene_doing { /* what the consumer of a ring does */
	DOING_UNKNOWN,
	DOING_ASLEEP,   /* in its loop's wait: it would go on if it were woken */
	DOING_RUNNING,
	DOING_BLOCKED,  /* waits for something else */
	DOING_STOPPED,
};

struct scene_end { /* a ring and the two at it */
	const struct scene_hub *hub;
	const struct scene_peer *peer;
	const struct state_ring *ring;
	int dir;                 /* HUB_RECV, HUB_SEND */
	bool usable;
	struct scene_party consumer, producer;
	struct state_beat beat;  /* of whoever runs the handlers for what comes out of it */
	uint32_t flag;           /* what the consumer announced to sleep for; MESSAGE with LOUD */
	bool quiet;              /* the oldest message needs no bell: its caller comes for it */
	uint32_t producer_flag;
	uint64_t flag_us;
	enum scene_doing doing;  /* the consumer */
	bool doing_seen;         /* from the system; false: from what the file says */
	uint64_t still_us;       /* messages wait and none was taken since; 0: not known */
	uint64_t used_cells;
	bool full;               /* hardly room for another message */
	bool rung;               /* the bell was rung after the oldest waiting message came */
};

struct scene_peer {
	const struct scene_hub *hub;
	const struct state_peer *p;
	const char *name;        /* never NULL */
	bool looked_at;          /* not carried, in a hub that can be believed */
	bool living;             /* at the moment of the hub's clock */
	bool usable;             /* attached, living, looked at, not on its way out */
	uint64_t now_us;         /* its own clock; its death if it died with the hub */
	struct scene_end end[2]; /* HUB_RECV, HUB_SEND */
};

struct scene_hub {
	const struct state_hub *h;
	const struct state *st;
	const char *name;        /* base name of its path */
	uint64_t now_us;
	bool ended;              /* its host is dead */
	bool sees_tables;        /* classes, slots and calls were looked at */
	struct scene_party host;
	struct scene_peer *peer; /* by id, without the host's own entry */
	size_t peers;
};

struct scene {
	const struct state *st;
	struct arena arena;
	struct scene_hub *hub;   /* by id and path */
	size_t hubs;
	struct waits waits;      /* who waits for whom */
};

/* scene_build / scene_fini - st is borrowed. Returns 0 or -ENOMEM. Safety: one-owner. */
int scene_build(struct scene *scene, const struct state *st);
void scene_fini(struct scene *scene);

/* scene_peer - by id; NULL when absent. Safety: MT-safe. */
const struct scene_peer *scene_peer(const struct scene_hub *hub, unsigned id);

/* scene_later - the later of two moments, 0 standing for not known. Safety: MT-safe. */
uint64_t scene_later(uint64_t a, uint64_t b);

/* scene_age - how long ago, 0 when not known. Safety: MT-safe. */
uint64_t scene_age(uint64_t now_us, uint64_t then_us);

/* Each ring of each peer of each hub that may be judged. */
#define EACH_HUB(scene, hub) \
	(const struct scene_hub *hub = (scene)->hub; hub < (scene)->hub + (scene)->hubs; hub++)
#define EACH_PEER(hub, peer_) \
	(const struct scene_peer *peer_ = (hub)->peer; peer_ < (hub)->peer + (hub)->peers; peer_++)

/* scene_each_end - look(end, out) for every usable ring that is not quite empty of interest. */
struct candidates;
void scene_each_end(const struct scene *scene,
		    void (*look)(const struct scene_end *end, struct candidates *out),
		    struct candidates *out);

#endif
