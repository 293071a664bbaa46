/*
 * findings - the judge. Pure: the same states and clocks give the same findings, so it is
 * tested without a process, a terminal or a clock.
 *
 *	struct judge *judge = judge_create(&options);
 *	for each state in time:  judge_look(judge, &state);
 *	const struct findings *f = judge_findings(judge);
 *
 * Each rule is one file, rule_*.c: what it looks for, how long it must hold, its words, and its
 * --explain text. The table in rules.c makes the list. A rule is a pure function of one scene
 * (a state with the facts that several rules need worked out once) that reports candidates; the
 * judge follows each candidate over time (suspected -> confirmed -> cleared), sorts out cause
 * and consequence, and makes the verdict.
 *
 * A candidate is the same one as before when rule and place agree; it is the same *episode*
 * when its fingerprint (ring positions, say) is unchanged too. Dwell runs from the episode's
 * begin: the earlier of "first seen by us" and the age that the state itself proves. A finding
 * is confirmed when its dwell is over and it was seen in two looks; in a state of a single
 * moment the proven age alone has to do. What was not looked at stays as it was.
 */
#ifndef SHMSCOPE_FINDINGS_H
#define SHMSCOPE_FINDINGS_H

#include "lib/state/state.h"

enum severity { SEVERITY_CRITICAL, SEVERITY_WARNING, SEVERITY_INFO, SEVERITIES };
enum finding_state { FINDING_SUSPECTED, FINDING_CONFIRMED, FINDING_CLEARED };

enum { FINDING_EVIDENCE = 16, FINDING_NEXT = 4, FINDING_EDGES = 12 };
#define FINDING_UNKNOWN INT64_MIN /* a fact's value, or a number of where, that is not known */

struct finding_where { /* what does not apply: NULL or -1 */
	const char *hub;       /* base name of its path */
	const char *name;      /* of the peer or process */
	int peer;
	int32_t pid, tid;
	const char *ring;      /* "recv", "send" */
	int64_t class_bytes;   /* slot size */
	int64_t slot;
	const char *site;      /* "FUNCTION FILE:LINE" */
	int stack;             /* index into state->stack of the last state looked at */
	const char *gauge, *file;
	int64_t offset;
};

struct finding_fact { /* one number or word of evidence; keys are part of the JSON format */
	const char *key;       /* "written", "waiting", "bell", ... */
	const char *text;      /* NULL: value is a number */
	int64_t value;
};

struct finding_edge { /* one wait of those that make a finding: who waits for what, and for whom */
	int32_t pid, tid;
	const char *who;       /* "tid 4140 \"flush\"" */
	const char *waits_for; /* "mutex 0x55d0c0a8 (index_lock)" */
	const char *whom;      /* "held by tid 4143 \"query-1\""; NULL: needs no words */
	const char *site;      /* "index_flush index.c:88"; NULL */
};

struct rule;

struct finding {
	unsigned number;             /* F1, F2, ... in order of appearance on the page */
	const struct rule *rule;
	unsigned rank;               /* of the rule, in rules_all() */
	enum finding_state state;
	struct finding_where where;
	const char *place;           /* "search(3) recv ring" */
	const char *sentence;        /* "search (peer 3, pid 4112) hangs: asleep for 8.4 s ..." */
	const char *also;            /* the same as a clause: "768K of slots lost with export" */
	const char *brief;           /* one line of numbers: "7 waiting, epoll_wait, bell 0" */
	const char *evidence_text;   /* full, for the report */
	const char *means;
	const char *next[FINDING_NEXT]; /* NULL-terminated unless full */
	struct finding_fact fact[FINDING_EVIDENCE];
	size_t facts;
	struct finding_edge edge[FINDING_EDGES];
	size_t edges;
	uint64_t since_us;           /* CLOCK_MONOTONIC of the machine looked at */
	uint64_t held_us;            /* how long it has held (or held, when cleared) */
	uint64_t longest_us;         /* of all episodes */
	uint64_t cleared_us;
	uint64_t dwell_us;           /* the threshold that was used */
	unsigned samples;            /* looks in which it was seen in this episode */
	unsigned times;              /* episodes so far */
	uint64_t fingerprint;
	const struct finding *consequence_of; /* NULL: a cause of its own */
	bool dwell_from_ages;        /* one moment only: dwell was taken from ages */
	bool unproven;               /* this source can only suspect it */
};

struct findings {
	const struct finding *const *list; /* confirmed, suspected, cleared; in each by severity,
					      causes before consequences, by rule, oldest first */
	size_t n;
	size_t confirmed[SEVERITIES];
	const char *verdict;         /* the one sentence */
	bool wants_threads;          /* something is suspected that only a further look at all
					threads can settle; it need not be listed yet */
	unsigned looks;              /* states taken into account */
	uint64_t span_us;            /* from the first to the last of them */
};

struct judge;

enum { JUDGE_RULES = 64 };
struct judge_options {
	uint64_t dwell_us[JUDGE_RULES]; /* in the order of rules_all(); 0: the rule's own */
	uint64_t growth_min_us;      /* 0: default */
};

/* judge_create / judge_destroy - options may be NULL. Returns NULL without memory.
 * Safety: one-owner. */
struct judge *judge_create(const struct judge_options *options);
void judge_destroy(struct judge *judge);

/*
 * judge_look - take one state into account. States come in order of time. What a finding says
 * is copied: the state may be given back afterwards.
 * Returns 0 or -ENOMEM (that state then counts as not seen). Safety: one-owner.
 */
int judge_look(struct judge *judge, const struct state *st);

/* judge_findings - borrowed, valid until the next judge_look(). Safety: one-owner. */
const struct findings *judge_findings(const struct judge *judge);

/* ---- rules ---------------------------------------------------------------------------- */

struct scene;      /* scene_priv.h */
struct candidates; /* candidate_priv.h */

struct rule {
	const char *name;            /* "missed-wakeup" */
	enum severity severity;
	uint64_t dwell_us;
	unsigned sources;            /* enum state_source bits that can see it */
	void (*look)(const struct scene *scene, struct candidates *out);
	const char *means;           /* what it means, one sentence */
	const char *summary;         /* --explain: what it is */
	const char *detection;       /* --explain: how it is detected */
	const char *causes;          /* --explain: what usually causes it */
	const char *fix;             /* --explain: how to fix it */
	const char *confused_with;   /* --explain: what it is mistaken for */
};

/*
 * rules_all - every rule; *n is set. The order is that of explanation: where one finding could
 * explain another, the earlier rule is the cause.
 * Safety: MT-safe.
 */
const struct rule *const *rules_all(size_t *n);

/* rules_find - by name; NULL when there is none. Safety: MT-safe. */
const struct rule *rules_find(const char *name);

/* rules_nearest - the rule whose name is most like this one; NULL when none is. Safety: MT-safe. */
const struct rule *rules_nearest(const char *name);

/* severity_name - "critical", "warning", "info". Safety: MT-safe. */
const char *severity_name(enum severity s);

/* finding_state_name - "suspected", "confirmed", "cleared". Safety: MT-safe. */
const char *finding_state_name(enum finding_state s);

/* ---- slots ----------------------------------------------------------------------------- */

/*
 * owner_is_at_host - the host has to give them back: it fills them, has sent them, or reads
 * them; else the peer has to. Safety: MT-safe.
 */
bool owner_is_at_host(const struct state_owner *owner);

/*
 * owner_is_dead - slots that only a sweep of the host can free: named to a peer that has ended,
 * or to an earlier start of it. Safety: MT-safe on a state that nobody changes.
 */
bool owner_is_dead(const struct state_hub *hub, const struct state_owner *owner);

/* ---- stacks ---------------------------------------------------------------------------- */

/*
 * stacks_order - the order in which the stacks of a state are shown and numbered: of blocked
 * threads, of running ones, of idle ones; in each the larger group first. It depends on the
 * stacks alone, not on the order in which a source found them.
 * order   st->stacks elements: order[0] is the index of S1.
 * Safety: MT-safe on a state that nobody changes.
 */
void stacks_order(const struct state *st, unsigned *order);

enum thread_doing { THREAD_BLOCKED, THREAD_RUNNING, THREAD_IDLE };

/*
 * thread_doing - what a thread is about. Idle is a wait for work: in an event loop, for a caller
 * (accept), in a sleep, in a futex that is no lock. Safety: MT-safe on a state that nobody changes.
 */
enum thread_doing thread_doing(const struct state *st, const struct state_thread *t);

/* thread_doing_word - "blocked", "running", "idle". Safety: MT-safe. */
const char *thread_doing_word(enum thread_doing doing);

#endif
