#include "lib/findings/candidate_priv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/base/units.h"

const char *text(struct candidates *out, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	const int len = vsnprintf(NULL, 0, fmt, ap);
	char *buf = len < 0 ? NULL : arena_take(&out->arena, (size_t)len + 1);

	if (buf)
		vsnprintf(buf, (size_t)len + 1, fmt, again);
	else
		out->failed = true;
	va_end(again);
	va_end(ap);
	return buf ? buf : "";
}

const char *who(struct candidates *out, const struct scene_party *party)
{
	const char *pid = party->pid > 0 ? text(out, ", pid %" PRId32, party->pid) : "";

	if (!party->peer)
		return text(out, "%s (host%s)", party->name, pid);
	return text(out, "%s (peer %d%s)", party->name, party->peer, pid);
}

const char *who_short(struct candidates *out, const struct scene_party *party)
{
	return party->peer ? text(out, "%s(%d)", party->name, party->peer) : party->name;
}

const char *span(struct candidates *out, uint64_t us)
{
	char buf[UNITS_TEXT];

	return text(out, "%s", units_age(buf, us * 1000));
}

const char *plural(struct candidates *out, uint64_t n, const char *one, const char *many)
{
	char buf[UNITS_TEXT];

	return text(out, "%s %s", units_count(buf, n), n == 1 ? one : many);
}

const char *what_it_does(struct candidates *out, const struct scene_party *party)
{
	const struct state_thread *t = party->thread;

	if (!t)
		return "";
	if (t->state == 'R' || t->moved)
		return text(out, "tid %" PRId32 " running{stack}", t->tid);
	if (t->state == 'T' || t->state == 't')
		return text(out, "tid %" PRId32 " stopped (state %c)", t->tid, t->state);
	return text(out, "tid %" PRId32 " in %s{stack}", t->tid,
		    t->wait_text ? t->wait_text : "an unknown wait");
}

const char *ring_name(int dir)
{
	return dir == HUB_RECV ? "recv" : "send";
}

static bool is_flagged(const struct scene_end *end)
{
	return end->flag & HUB_ASLEEP_MESSAGE;
}

const char *ring_text(struct candidates *out, const struct scene_end *end)
{
	const struct state_ring *r = end->ring;
	const char *bell = r->bell < 0 ? "bell bytes not known"
				       : text(out, "bell %" PRId64 " bytes", r->bell);

	return text(out,
		    "%s waiting (written %" PRIu64 ", read %" PRIu64
		    ", capacity %u), waiting flag %d, %s",
		    plural(out, r->waiting, "message", "messages"), r->written, r->read,
		    r->capacity, is_flagged(end), bell);
}

void ring_facts(struct candidate *c, const struct scene_end *end)
{
	const struct state_ring *r = end->ring;

	fact_number(c, "written", (int64_t)r->written);
	fact_number(c, "read", (int64_t)r->read);
	fact_number(c, "waiting", (int64_t)r->waiting);
	fact_number(c, "capacity", r->capacity);
	fact_number(c, "flag", is_flagged(end));
	fact_number(c, "bell", r->bell < 0 ? FINDING_UNKNOWN : r->bell);
}

/* ---- waits ---------------------------------------------------------------------------------- */

static const char *edge_text(struct candidates *out, const struct finding_edge *e)
{
	return text(out, "%s%s%s%s waits for %s%s%s", e->who, e->site ? " (" : "",
		    e->site ? e->site : "", e->site ? ")" : "", e->waits_for, e->whom ? " " : "",
		    e->whom ? e->whom : "");
}

const char *edges_text(struct candidates *out, const struct candidate *c, size_t limit,
			      unsigned n)
{
	const char *words = "";

	for (size_t i = 0; i < c->edges && i < limit; i++)
		words = text(out, "%s%s%s", words, i ? "; " : "", edge_text(out, &c->edge[i]));
	if (n > limit)
		words = text(out, "%s; and %u more", words, n - (unsigned)limit);
	return words;
}
