/*
 * candidate - what a rule reports: a suspicion at a place, with its words.
 *
 *	struct candidate *c = candidate_add(out, place_of_end(end, 0));
 *	c->since_us = end->still_us;
 *	c->sentence = text(out, "%s hangs: asleep for {held}", who(out, &end->consumer));
 *	fact_number(c, "waiting", end->ring->waiting);
 *
 * A rule never fails: when memory is exhausted it fills a candidate that goes nowhere, and the
 * judge gives up on that look.
 *
 * In every text {held} stands for how long the finding has held, {samples} for "N samples",
 * {unchanged} for "unchanged in N samples" ("seen once"), {stack} for " (stack S3)" where
 * where.stack is known, and {cpu} for what candidate_watch_cpu() asks, a comma before it: only
 * the judge knows them.
 */
#ifndef SHMSCOPE_FINDINGS_CANDIDATE_PRIV_H
#define SHMSCOPE_FINDINGS_CANDIDATE_PRIV_H

#include "lib/findings/scene_priv.h"

/* ---- where ---------------------------------------------------------------------------------- */

enum place_kind { /* what has to be looked at before a finding there may be cleared */
	PLACE_STATE,   /* the state as a whole */
	PLACE_HUB,     /* a hub's header */
	PLACE_TABLES,  /* its classes, slots and calls */
	PLACE_PEER,    /* one of its peers */
	PLACE_THREADS, /* all threads of a process, and what they sleep on */
};

struct place { /* two candidates of one rule are the same when this is equal */
	enum place_kind kind;
	uint64_t hub;  /* id; PLACE_THREADS: the start time of the process */
	const char *hub_path; /* where two files have the same id, or none */
	uint32_t peer; /* PLACE_THREADS: pid */
	uint64_t what; /* the rule's own: ring, class, ... */
};

int place_compare(const struct place *a, const struct place *b);

struct place place_of_state(uint64_t what);
struct place place_of_hub(const struct scene_hub *hub, enum place_kind kind, uint64_t what);
struct place place_of_peer(const struct scene_peer *peer, uint64_t what);
struct place place_of_end(const struct scene_end *end);
struct place place_of_threads(const struct state_process *p, uint64_t what);

/* ---- who is stuck, and who waits for whom --------------------------------------------------- */

enum node_kind {
	NODE_NONE,
	NODE_PEER,  /* a peer's loop */
	NODE_LINK,  /* the host's reading of one peer's send ring */
	NODE_HOST,  /* everything the host does */
	NODE_CLASS, /* slots of a class */
	NODE_LEAK,  /* slots of a peer that is dead */
	NODE_DESCRIPTOR, /* a descriptor on the way; id: 2 * peer + ring */
	NODE_HUB,   /* the whole hub */
};

struct node {
	enum node_kind kind;
	uint64_t hub;
	uint32_t id;
};

enum { CANDIDATE_NODES = 12 };

/* ---- the candidate -------------------------------------------------------------------------- */

enum proof {
	PROOF_DWELL,   /* has to hold for a while */
	PROOF_AT_ONCE, /* a fact, not a condition that may pass */
	PROOF_NONE,    /* this source can only suspect it: never confirmed by this look */
	PROOF_UNSURE,  /* cannot be told in this look: with its fingerprint unchanged a finding
			  stays as it was; never new */
};

/* The thread that does not get on, and whether it got a CPU. */
struct candidate_cpu {
	bool wanted;             /* the finding is confirmed only of one that did */
	int32_t tid;
	bool runs;               /* it has a CPU or waits for one; else it sleeps */
	struct state_cpu use;
	uint64_t unknown_dwell_us; /* where that is not known; 0: as where it is */
};

struct candidate {
	const struct rule *rule;
	unsigned rank;          /* of the rule: its place in rules_all() */
	struct place place;
	enum proof proof;
	bool from_file;         /* from a hub file: without threads and bells */
	uint64_t now_us;        /* the moment that the evidence describes */
	uint64_t since_us;      /* the age that the state itself proves; 0: none */
	bool asks_again;        /* not settled yet, and a further look at all threads may do it */
	bool is_exact;          /* not earlier than that either, whatever other looks have seen */
	uint64_t dwell_us;      /* 0: the rule's */
	struct candidate_cpu cpu;
	uint64_t fingerprint;
	bool unwanted;          /* nobody suffers from it in this look: it is confirmed only if */
	uint64_t demand;        /* somebody did in this episode, or this count has grown */
	struct finding_where where;
	const char *place_text, *sentence, *also, *brief, *evidence, *means;
	const char *next[FINDING_NEXT];
	struct finding_fact fact[FINDING_EVIDENCE];
	size_t facts;
	struct finding_edge edge[FINDING_EDGES];
	size_t edges;
	struct node stuck[CANDIDATE_NODES];     /* what does not go on because of this */
	struct node waits_for[CANDIDATE_NODES]; /* what would explain this */
};

struct candidates {
	struct arena arena;
	uint64_t now_us;         /* of the state */
	const struct rule *rule; /* whose turn it is */
	unsigned rank;
	struct candidate **list;
	size_t n, room;
	struct candidate spare;  /* where a candidate goes that there is no memory for */
	bool failed;
};

/* candidate_add - a new candidate of the current rule, everything unknown; never NULL. */
struct candidate *candidate_add(struct candidates *out, struct place place);

/* candidate_of_hub - the same for a hub, with where.hub, place_text and the clock filled in. */
struct candidate *candidate_of_hub(struct candidates *out, const struct scene_hub *hub,
				   enum place_kind kind, uint64_t what);

/* candidate_of_end - the same for a ring, with where and place_text filled in. */
struct candidate *candidate_of_end(struct candidates *out, const struct scene_end *end,
				   const struct scene_party *whose);

/* candidate_of_peer - the same for a peer as a whole. */
struct candidate *candidate_of_peer(struct candidates *out, const struct scene_peer *peer,
				    uint64_t what);

/* candidate_of_thread - the same for a thread, at PLACE_THREADS of its process, with where and
 * place_text filled in. */
struct candidate *candidate_of_thread(struct candidates *out, const struct scene *scene,
				      const struct state_process *p, const struct state_thread *t,
				      uint64_t what);

/* candidate_stack - remember the thread: where.tid, where.stack, where.site. */
void candidate_stack(struct candidates *out, struct candidate *c, const struct state *st,
		     const struct state_thread *t);

/*
 * candidate_watch_cpu - on a busy machine a thread that could run and gets no CPU looks like one
 * that does nothing: confirm the candidate only if its thread had a CPU, or slept, for part of
 * the time in which it was watched. NULL: it was not seen. {cpu} tells what was found.
 * unknown_dwell_us  how long it must hold where that cannot be told, in a single look or from a
 *                   file; 0: no longer than usual.
 */
void candidate_watch_cpu(struct candidate *c, const struct state_thread *t,
			 uint64_t unknown_dwell_us);

void candidate_next(struct candidate *c, const char *what_to_do);
void candidate_stuck(struct candidate *c, enum node_kind kind, const struct scene_hub *hub,
		     uint32_t id);
void candidate_waits_for(struct candidate *c, enum node_kind kind, const struct scene_hub *hub,
			 uint32_t id);
/* What reading the ring depends on, and stands still when it is not read. */
struct node node_of_consumer(const struct scene_end *end);
void candidate_stuck_end(struct candidate *c, const struct scene_end *end);
void candidate_waits_for_end(struct candidate *c, const struct scene_end *end);

/*
 * candidate_edge - one more wait that makes the finding; those beyond FINDING_EDGES are left out.
 * home  threads of other processes are told with their process.
 */
void candidate_edge(struct candidates *out, struct candidate *c, const struct scene *scene,
		    const struct waits_node *node, const struct state_process *home);

/*
 * candidate_stuck_threads - what of the hubs does not go on because the thread waits, and all
 * those who wait for it: peers' loops, the host's handlers, the reading of rings.
 */
void candidate_stuck_threads(struct candidates *out, struct candidate *c, const struct scene *scene,
			     const struct waits_node *node);

/* mix - one more number for a fingerprint; their order counts. */
uint64_t mix(uint64_t fingerprint, uint64_t number);

void fact_number(struct candidate *c, const char *key, int64_t value);
void fact_text(struct candidate *c, const char *key, const char *text_);

/* ---- owners of slots ------------------------------------------------------------------------ */

/* owner_is_host - the host holds them itself: they come back, whoever died. */
bool owner_is_host(const struct state_owner *o);

/* owner_is_earlier - of a start before the peer's present one. */
bool owner_is_earlier(const struct state_owner *o, const struct state_peer *p);

/* ---- words ---------------------------------------------------------------------------------- */

/* text - formatted, in the candidates' memory; never NULL. */
const char *text(struct candidates *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* who - "search (peer 3, pid 4112)", "hostd (host, pid 4101)". */
const char *who(struct candidates *out, const struct scene_party *party);
/* who_short - "search(3)", "hostd". */
const char *who_short(struct candidates *out, const struct scene_party *party);

/* span - "8.4 s", "41 s". */
const char *span(struct candidates *out, uint64_t us);

/* plural - "1 message", "7 messages". */
const char *plural(struct candidates *out, uint64_t n, const char *one, const char *many);

/* who_process - "search (peer 3, pid 4112)", "hostd (host, pid 4101)", "make (pid 812)". */
const char *who_process(struct candidates *out, const struct scene *scene,
			const struct state_process *p);
/* site_of - the program's own code that the thread is in: "FUNCTION FILE:LINE"; NULL. */
const char *site_of(struct candidates *out, const struct state *st, const struct state_thread *t);

/* what_it_does - "tid 4112 in epoll_wait{stack}", "tid 4112 running{stack}", or "" when the
 * thread was not seen. */
const char *what_it_does(struct candidates *out, const struct scene_party *party);

/* ring_text - "7 messages waiting (written 1041, read 1034, capacity 256), waiting flag 1,
 * bell 0 bytes"; ring_facts - the same as facts. */
const char *ring_text(struct candidates *out, const struct scene_end *end);
void ring_facts(struct candidate *c, const struct scene_end *end);

/* edges_text - the candidate's edges, the first `limit` of them; n: how many there are in all. */
const char *edges_text(struct candidates *out, const struct candidate *c, size_t limit, unsigned n);

/* ring_name - "recv", "send". */
const char *ring_name(int dir);

#endif
