#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/report/report_priv.h"

int report_begin(struct report *r)
{
	const size_t n = r->st->stacks;

	r->order = malloc((2 * n + 1) * sizeof(*r->order));
	if (!r->order)
		return -ENOMEM;
	r->number = r->order + n;
	stacks_order(r->st, r->order);
	for (unsigned i = 0; i < n; i++)
		r->number[r->order[i]] = i + 1;
	return 0;
}

void report_end(struct report *r)
{
	free(r->order);
	r->order = r->number = NULL;
}

/* ---- times ---------------------------------------------------------------------------------- */

static bool to_calendar(const struct state *st, uint64_t us, struct tm *tm, unsigned *ms)
{
	const int64_t real_us = (int64_t)us + st->real_offset_us;
	const time_t seconds = real_us / 1000000;

	*ms = (unsigned)(real_us / 1000 % 1000);
	return us && real_us > 0 && localtime_r(&seconds, tm);
}

const char *report_clock(char buf[REPORT_TIME], const struct state *st, uint64_t us, bool date)
{
	struct tm tm;
	unsigned ms;

	if (!to_calendar(st, us, &tm, &ms))
		return "-";
	strftime(buf, REPORT_TIME, date ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", &tm);
	if (date)
		snprintf(buf + strlen(buf), REPORT_TIME - strlen(buf), ".%03u", ms);
	return buf;
}

const char *report_rfc3339(char buf[REPORT_TIME], const struct state *st, uint64_t us)
{
	struct tm tm;
	char zone[8];
	unsigned ms;

	if (!to_calendar(st, us, &tm, &ms))
		return NULL;
	strftime(buf, REPORT_TIME, "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm); /* +0100 */
	snprintf(buf + strlen(buf), REPORT_TIME - strlen(buf), ".%03u%.3s:%.2s", ms, zone,
		 zone + 3);
	return buf;
}

const char *report_age(char buf[UNITS_TEXT], uint64_t now_us, uint64_t us)
{
	if (!us)
		return "-";
	return units_span(buf, us < now_us ? (now_us - us) * 1000 : 0);
}

uint64_t report_hub_now(const struct state_hub *hub)
{
	return hub->tables_us ? hub->tables_us : hub->seen_us;
}

uint64_t report_peer_now(const struct state_hub *hub, const struct state_peer *peer)
{
	return peer->seen_us ? peer->seen_us : hub->seen_us;
}

/* ---- findings ------------------------------------------------------------------------------- */

const char *report_base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : "-";
}

static bool is_at(const struct finding *f, const char *hub, int peer, const char *ring)
{
	if (f->state == FINDING_CLEARED || f->where.peer != peer || !f->where.hub ||
	    strcmp(f->where.hub, hub) != 0)
		return false;
	return ring ? f->where.ring && strcmp(f->where.ring, ring) == 0 : !f->where.ring;
}

const struct finding *report_finding_at(const struct report *r, const struct state_hub *hub,
					unsigned peer, const char *ring)
{
	for (size_t i = 0; i < r->findings->n; i++) /* the gravest come first */
		if (is_at(r->findings->list[i], report_base_name(hub->path), (int)peer, ring))
			return r->findings->list[i];
	return NULL;
}

const char *report_mark(const struct finding *f)
{
	if (f->state == FINDING_CLEARED)
		return " -";
	if (f->state == FINDING_SUSPECTED)
		return " ?";
	return f->rule->severity == SEVERITY_CRITICAL  ? "!!"
	       : f->rule->severity == SEVERITY_WARNING ? " !"
						       : " i";
}

enum ink report_ink(const struct finding *f)
{
	if (f->state == FINDING_CLEARED || f->rule->severity == SEVERITY_INFO)
		return INK_DIM;
	if (f->state == FINDING_SUSPECTED)
		return INK_PLAIN;
	return f->rule->severity == SEVERITY_CRITICAL ? INK_RED : INK_YELLOW;
}
