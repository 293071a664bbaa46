/*
 * findings - the judge. Pure: the same states and clocks give the same findings, so it is
 * tested without a process, a terminal or a clock.
 *
 *	struct judge *judge = judge_create(&options);
 *	for each state in time:  judge_look(judge, &state);
 *	const struct findings *f = judge_findings(judge);
 *
 * Each rule is one file, rule_*.c: what it looks for, how long it must hold, its words, and its
 * --explain text. The table in rules.c makes the list. A rule is a pure function of one state
 * that reports candidates; the judge follows each candidate over time (suspected -> confirmed ->
 * cleared), sorts out cause and consequence, and makes the verdict.
 *
 * A candidate is the same one as before when rule and place agree; it is the same *episode*
 * when its fingerprint (ring positions, say) is unchanged too. Dwell runs from the episode's
 * begin: the earlier of "first seen by us" and the age that the state itself proves
 * (candidate.since_us).
 */
#ifndef SHMSCOPE_FINDINGS_H
#define SHMSCOPE_FINDINGS_H

#include "lib/state/state.h"

enum severity { SEVERITY_CRITICAL, SEVERITY_WARNING, SEVERITY_INFO, SEVERITIES };
enum finding_state { FINDING_SUSPECTED, FINDING_CONFIRMED, FINDING_CLEARED };

enum { FINDING_EVIDENCE = 16, FINDING_NEXT = 4 };

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

struct rule;

struct finding {
	unsigned number;             /* F1, F2, ... in order of appearance on the page */
	const struct rule *rule;
	enum finding_state state;
	struct finding_where where;
	const char *place;           /* "search(3) recv ring" */
	const char *sentence;        /* "hangs: asleep for 8.4 s with 7 messages waiting; ..." */
	const char *brief;           /* one line of numbers: "7 waiting, epoll_wait, bell 0" */
	const char *evidence_text;   /* full, for the report */
	const char *means;
	const char *next[FINDING_NEXT]; /* NULL-terminated unless full */
	struct finding_fact fact[FINDING_EVIDENCE];
	size_t facts;
	uint64_t since_us;           /* CLOCK_MONOTONIC of the machine looked at */
	uint64_t held_us;            /* how long it has held (or held, when cleared) */
	uint64_t cleared_us;
	unsigned samples;            /* looks in which it was seen in this episode */
	unsigned times;              /* episodes so far */
	uint64_t fingerprint;
	const struct finding *consequence_of; /* NULL: a cause of its own */
	bool dwell_from_ages;        /* one moment only: dwell was taken from ages */
};

struct findings {
	const struct finding *const *list; /* by severity, confirmed first, causes first, oldest first */
	size_t n;
	size_t confirmed[SEVERITIES];
	const char *verdict;         /* the one sentence */
};

struct judge;

struct judge_options {
	uint64_t dwell_us[64];       /* by rule number (rules_find()); 0: the rule's own */
	uint64_t growth_min_us;      /* 0: default */
};

/* judge_create / judge_destroy - options may be NULL. Returns NULL without memory.
 * Safety: one-owner. */
struct judge *judge_create(const struct judge_options *options);
void judge_destroy(struct judge *judge);

/*
 * judge_look - take one state into account. States come in order of time. What a finding says
 * is copied: the state may be given back afterwards.
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int judge_look(struct judge *judge, const struct state *st);

/* judge_findings - borrowed, valid until the next judge_look(). Safety: one-owner. */
const struct findings *judge_findings(const struct judge *judge);

/* ---- rules ---------------------------------------------------------------------------- */

struct candidates; /* what a rule reports into; finding_report() in findings_priv.h */

struct rule {
	const char *name;            /* "missed-wakeup" */
	enum severity severity;
	uint64_t dwell_us;
	unsigned sources;            /* enum state_source bits that can see it */
	void (*look)(const struct state *st, struct candidates *out);
	const char *means;           /* what it means, one sentence */
	const char *summary;         /* --explain: what it is */
	const char *detection;       /* --explain: how it is detected */
	const char *causes;          /* --explain: what usually causes it */
	const char *fix;             /* --explain: how to fix it */
	const char *confused_with;   /* --explain: what it is mistaken for */
};

/* rules_all - every rule, in the order of the page; *n is set. Safety: MT-safe. */
const struct rule *const *rules_all(size_t *n);

/* rules_find - by name; NULL when there is none. Safety: MT-safe. */
const struct rule *rules_find(const char *name);

/* severity_name - "critical", "warning", "info". Safety: MT-safe. */
const char *severity_name(enum severity s);

/* finding_state_name - "suspected", "confirmed", "cleared". Safety: MT-safe. */
const char *finding_state_name(enum finding_state s);

#endif
