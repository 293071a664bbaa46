/*
 * What is asked for beyond the tables: latency of each method, the last messages of each ring,
 * every slot in use. Only a hub file has them.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/report/report_priv.h"
#include "lib/state/names.h"

static void put_block(const struct paper *p, const char *name)
{
	paper_ink(p, INK_BOLD, "%-*s", REPORT_COLUMN, name);
}

static const char *peer_name(char buf[HUB_NAME + 16], const struct state_hub *hub, unsigned id)
{
	const struct state_peer *peer = state_find_peer(hub, id);

	if (!id)
		return "host";
	snprintf(buf, HUB_NAME + 16, "%s(%u)", peer && peer->name ? peer->name : "peer", id);
	return buf;
}

/* ---- METHODS -------------------------------------------------------------------------------- */

uint64_t report_latency_ns(const struct state_method *m, unsigned percent)
{
	uint64_t all = 0, so_far = 0;

	for (unsigned i = 0; i < HUB_LATENCY_BUCKETS; i++)
		all += m->bucket[i];
	for (unsigned i = 0; i < HUB_LATENCY_BUCKETS; i++) {
		so_far += m->bucket[i];
		/* of 100 calls the 99th, of 3 the third; all / 100 first: counts may be wild */
		if (so_far && so_far >= all / 100 * percent + (all % 100 * percent + 99) / 100)
			return UINT64_C(2) << i;
	}
	return 0;
}

/* Powers of two in nanoseconds: "<16 us" is all that a bucket knows. */
static const char *below(char buf[UNITS_TEXT], uint64_t ns)
{
	static const char *const unit[] = { "ns", "us", "ms", "s" };
	double n = (double)ns;
	unsigned i = 0;

	if (!ns)
		return "-";
	for (; n >= 1000 && i < 3; i++)
		n /= 1000;
	snprintf(buf, UNITS_TEXT, n < 10 ? "<%.1f %s" : "<%.0f %s", n, unit[i]);
	return buf;
}

void report_methods(const struct paper *p, const struct state_hub *hub)
{
	char median[UNITS_TEXT], p99[UNITS_TEXT], longest[UNITS_TEXT];

	if (!hub->methods)
		return;
	put_block(p, "METHODS");
	paper_put(p, "%6s  %-20s  %9s  %7s  %8s  %8s  %8s\n", "method", "name", "calls", "failed",
		  "median", "99 %", "longest");
	for (size_t i = 0; i < hub->methods; i++) {
		const struct state_method *m = &hub->method[i];

		paper_put(p, "%*s%6u  %-20s  %9llu  %7llu  %8s  %8s  %8s\n", REPORT_COLUMN, "",
			  m->method, m->name ? m->name : "-", (unsigned long long)m->calls,
			  (unsigned long long)m->failed, below(median, report_latency_ns(m, 50)),
			  below(p99, report_latency_ns(m, 99)),
			  below(longest, report_latency_ns(m, 100)));
	}
}

/* ---- MESSAGES ------------------------------------------------------------------------------- */

static const char *class_name(char buf[UNITS_TEXT], const struct state_hub *hub, uint32_t slot)
{
	const unsigned klass = HUB_SLOT_REF_CLASS(slot);

	for (size_t i = 0; i < hub->classes && slot != HUB_NO_SLOT; i++)
		if (hub->klass[i].index == klass)
			return units_class(buf, hub->klass[i].bytes);
	return "-"; /* in the ring itself */
}

static const char *number(char buf[UNITS_TEXT], bool known, uint32_t n)
{
	if (!known)
		return "-";
	snprintf(buf, UNITS_TEXT, "%u", n);
	return buf;
}

/* To the millisecond: what came before what, also across rings. */
static const char *moment(char buf[REPORT_TIME], const struct state *st, uint64_t us)
{
	const char *text = report_clock(buf, st, us, true);
	const char *time = strchr(text, ' ');

	return time ? time + 1 : text;
}

static void put_message(const struct paper *p, const struct state *st, const struct state_hub *hub,
			const struct state_ring *ring, const struct state_message *m)
{
	char call[UNITS_TEXT], class[UNITS_TEXT], slot[UNITS_TEXT], time[REPORT_TIME];
	const bool in_slot = m->slot != HUB_NO_SLOT;

	paper_put(p, "%*s%10llu  %-6s  %10s  %6u  %5s  %7s  %9u  %-7s  %s", REPORT_COLUMN, "",
		  (unsigned long long)m->position, names_of(&names_kind, m->kind),
		  number(call, m->call != 0, m->call), m->method, class_name(class, hub, m->slot),
		  number(slot, in_slot, HUB_SLOT_REF_INDEX(m->slot)), m->len,
		  m->position < ring->tail ? "read" : "waiting",
		  moment(time, st, m->time_us));
	if (m->kind == HUB_KIND_REPLY && m->aux)
		paper_put(p, "  status %d", m->aux);
	paper_put(p, "\n");
}

void report_messages(const struct paper *p, const struct report *r, const struct state_hub *hub)
{
	size_t rings = 0;

	if (!hub->has_recent)
		return;
	put_block(p, "MESSAGES");
	for (size_t i = 0; i < hub->peers; i++) {
		for (int dir = 0; hub->peer[i].id && dir < 2; dir++) {
			const struct state_ring *ring = &hub->peer[i].ring[dir];
			char peer[HUB_NAME + 16];

			if (!ring->recents)
				continue;
			paper_put(p, "%*s%s %s ring: the last %zu of %llu\n",
				  rings ? REPORT_COLUMN : 0, "",
				  peer_name(peer, hub, hub->peer[i].id), names_of(&names_ring, (unsigned)dir),
				  ring->recents, (unsigned long long)ring->written);
			if (!rings++)
				paper_put(p, "%*s%10s  %-6s  %10s  %6s  %5s  %7s  %9s  %-7s  %s\n",
					  REPORT_COLUMN, "", "cell", "kind", "call", "method", "class",
					  "slot", "bytes", "state", "published");
			for (size_t k = 0; k < ring->recents; k++)
				put_message(p, r->st, hub, ring, &ring->recent[k]);
		}
	}
	if (!rings)
		paper_put(p, "none\n");
}

/* ---- SLOT LIST ------------------------------------------------------------------------------ */

void report_slot_list(const struct paper *p, const struct state_hub *hub)
{
	char class[UNITS_TEXT], age[UNITS_TEXT], peer[HUB_NAME + 16], call[UNITS_TEXT];

	if (!hub->has_every)
		return;
	put_block(p, "SLOT LIST");
	if (!hub->everys) {
		paper_put(p, "every slot is free\n");
		return;
	}
	paper_put(p, "%5s  %7s  %-9s  %-7s  %-16s  %5s  %9s  %10s  %6s  %8s\n", "class", "slot",
		  "state", "way", "peer", "start", "bytes", "call", "method", "since");
	for (size_t i = 0; i < hub->everys; i++) {
		const struct state_slot *s = &hub->every[i];

		paper_put(p, "%*s%5s  %7u  %-9s  %-7s  %-16s  %5u  %9u  %10s  %6u  %8s\n",
			  REPORT_COLUMN, "", class_name(class, hub, HUB_SLOT_REF(s->klass, s->index)),
			  s->index, names_of(&names_slot_state, s->slot_state),
			  names_of(&names_direction, s->direction), peer_name(peer, hub, s->peer),
			  s->incarnation, s->bytes, number(call, s->call != 0, s->call), s->method,
			  report_age(age, report_hub_now(hub), s->time_us));
	}
	if (hub->every_left_out)
		paper_put(p, "%*s(and %u more)\n", REPORT_COLUMN, "", hub->every_left_out);
}
