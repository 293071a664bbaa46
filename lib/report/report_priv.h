/* report - what its parts share. */
#ifndef SHMSCOPE_REPORT_REPORT_PRIV_H
#define SHMSCOPE_REPORT_REPORT_PRIV_H

#include "lib/base/units.h"
#include "lib/report/report.h"

enum { REPORT_TIME = 48, REPORT_COLUMN = 10 /* where the text of a block begins */ };

/* "14:02:31", or "2026-11-20 14:02:31.310" with date; local time. "-" when not known. */
const char *report_clock(char buf[REPORT_TIME], const struct state *st, uint64_t us, bool date);

/* RFC 3339 with milliseconds and zone; NULL when not known. */
const char *report_rfc3339(char buf[REPORT_TIME], const struct state *st, uint64_t us);

/* What --explain and the manual page say of a rule: how long it must hold; from where it is seen. */
enum { REPORT_SEEN_IN = 128 };
const char *report_dwell(char buf[UNITS_TEXT], const struct rule *rule);
const char *report_seen_in(char buf[REPORT_SEEN_IN], const struct rule *rule);

/* "8.4 s" since `us` at the state's moment; "-" when not known. */
const char *report_age(char buf[UNITS_TEXT], uint64_t now_us, uint64_t us);

/* The moment in which the tables of a hub, and the rings of a peer, were seen. */
uint64_t report_hub_now(const struct state_hub *hub);
uint64_t report_peer_now(const struct state_hub *hub, const struct state_peer *peer);

/* The confirmed (else suspected) finding about a ring of a peer, the gravest; NULL. dir -1: about
 * the peer as a whole. */
const struct finding *report_finding_at(const struct report *r, const struct state_hub *hub,
					unsigned peer, const char *ring);

const char *report_mark(const struct finding *f); /* "!!", " !", " ?", " -" */
enum ink report_ink(const struct finding *f);
const char *report_base_name(const char *path);

/* Parts of the text report. */
void report_rings(const struct paper *p, const struct report *r, const struct state_hub *hub);
void report_slots(const struct paper *p, const struct report *r, const struct state_hub *hub);
/* These two share a line: report_calls() leaves it open, report_processes() ends it. */
void report_calls(const struct paper *p, const struct state_hub *hub);
void report_processes(const struct paper *p, const struct report *r);
void report_stacks(const struct paper *p, const struct report *r);
/* What only a hub file has; the latter two where they were asked for. */
void report_methods(const struct paper *p, const struct state_hub *hub);
void report_messages(const struct paper *p, const struct report *r, const struct state_hub *hub);
void report_slot_list(const struct paper *p, const struct state_hub *hub);
/* So many percent of the calls took less (a power of two); 0: not known. */
uint64_t report_latency_ns(const struct state_method *m, unsigned percent);
/* The process was looked at because a dumped one waits for it, directly or not. */
bool report_is_followed(const struct state *st, int32_t pid);
/* A line about each of those that this one waits for, the nearest first. */
void report_followed(const struct paper *p, const struct report *r, const struct state_process *process);
/* The frames of a stack, one a line. */
void report_frames(const struct paper *p, unsigned indent, const struct state_stack *s);
/* A finding's evidence, meaning and next steps. */
void report_finding(const struct paper *p, const struct report *r, const struct finding *f);

/* Owners of slots of a class, added up by peer, most first. Returns how many; at most room. */
struct report_owner {
	unsigned peer;
	uint32_t n, dead;
	uint64_t oldest_us;
};
size_t report_owners(const struct state_hub *hub, const struct state_class *k,
		     struct report_owner *owner, size_t room);
/* Slots of it in the hands of the dead; moment of its oldest slot. */
uint32_t report_dead_slots(const struct state_hub *hub, const struct state_class *k);
uint64_t report_oldest_slot(const struct state_class *k);

#endif
