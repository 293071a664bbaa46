/*
 * report - what was seen and what the judge says of it, as text and as JSON: the one place for
 * every tool that prints it (shminspect, shmtop -b, sigdump dump).
 *
 * Views draw what the model and the findings hold; they decide nothing.
 */
#ifndef SHMSCOPE_REPORT_REPORT_H
#define SHMSCOPE_REPORT_REPORT_H

#include <jansson.h>

#include "lib/findings/findings.h"
#include "lib/report/paper.h"

struct report {
	const struct state *st;            /* the last one */
	const struct findings *findings;
	uint64_t from_us;                  /* first moment looked at, by the state's clock; 0 */
	uint64_t took_us;                  /* making it; 0: not told */
	bool partial;                      /* the user stopped it */
	unsigned *number;                  /* report_begin(): of each stack, as shown: S1 is 1 */
	unsigned *order;                   /* the other way round: order[0] is the index of S1 */
};

/*
 * report_begin / report_end - the other fields of `r` are set. Numbers the stacks.
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int report_begin(struct report *r);
void report_end(struct report *r);

/*
 * report_text - the text report: VERDICT, INPUT, FINDINGS, RINGS, SLOTS, CALLS, STACKS, NOT
 * SEEN. Safety: one-owner.
 */
void report_text(const struct paper *p, const struct report *r);

/*
 * report_dump - one process as `sigdump dump` prints it: a line of facts, what was found there, whom
 * it waits for, its stacks, its rings, slots and gauges.
 * Safety: one-owner.
 */
void report_dump(const struct paper *p, const struct report *r,
		 const struct state_process *process);

/*
 * report_json - everything as one object ("kind":"report").
 * Returns it (json_decref() releases it), NULL without memory. Safety: one-owner.
 */
json_t *report_json(const struct report *r);

/* report_finding_json - one finding ("kind":"finding"). As report_json(). */
json_t *report_finding_json(const struct report *r, const struct finding *f);

/*
 * report_explain - the page about one finding's kind: what it is, how it is detected, its usual
 * causes, how to fix it, what it is confused with. Safety: one-owner.
 */
void report_explain(const struct paper *p, const struct rule *rule);

/* report_findings_page - all of them as the manual page shmscope-findings(7). Safety: one-owner. */
void report_findings_page(FILE *out);

#endif
