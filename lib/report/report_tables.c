#include <stdlib.h>
#include <string.h>

#include "lib/report/report_priv.h"

/* Blocks begin with their name in the first column; marks stand there in the rows below. */
static void put_block(const struct paper *p, const char *name)
{
	paper_ink(p, INK_BOLD, "%-*s", REPORT_COLUMN, name);
}

static void put_row_mark(const struct paper *p, const struct finding *f)
{
	if (f)
		paper_ink(p, report_ink(f), "%s", report_mark(f));
	paper_put(p, "%*s", f ? REPORT_COLUMN - 2 : REPORT_COLUMN, "");
}

/* ---- RINGS ---------------------------------------------------------------------------------- */

struct ring_row {
	const struct state_peer *peer;
	int dir;
	const struct finding *f;
};

/* What stands in the last column: the reader's trouble in two words. */
static const char *ring_state(const struct ring_row *row)
{
	static const struct {
		const char *rule, *words;
	} known[] = {
		{ "missed-wakeup", "consumer asleep" },	   { "bell-not-drained", "consumer deaf" },
		{ "consumer-stalled", "consumer stalled" }, { "peer-stopped", "stopped" },
		{ "ring-full", "full" },		   { "hub-corrupted", "damaged" },
		{ "call-cycle", "in a cycle" },
	};

	if (!row->f)
		return row->peer->carried ? "as last seen" : "ok";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].rule, row->f->rule->name) == 0)
			return known[i].words;
	return row->f->rule->name;
}

static const char *number_or_dash(char buf[UNITS_TEXT], bool known, int64_t n)
{
	if (!known)
		return "-";
	snprintf(buf, UNITS_TEXT, "%lld", (long long)n);
	return buf;
}

static void put_ring(const struct paper *p, const struct state_hub *hub, const struct ring_row *row)
{
	const struct state_ring *r = &row->peer->ring[row->dir];
	const uint32_t flag = row->dir == HUB_RECV ? row->peer->flag : row->peer->host_flag;
	char peer[HUB_NAME + 16], bell[UNITS_TEXT], age[UNITS_TEXT];
	const uint64_t now = report_peer_now(hub, row->peer);

	snprintf(peer, sizeof(peer), "%s(%u)", row->peer->name ? row->peer->name : "peer",
		 row->peer->id);
	put_row_mark(p, row->f);
	paper_put(p, "%-12s  %s  %7llu  %4u  %7llu  %7llu  %4d  %4s  %7s  %s\n", peer,
		  row->dir == HUB_RECV ? "recv" : "send", (unsigned long long)r->waiting,
		  r->capacity, (unsigned long long)r->written, (unsigned long long)r->read,
		  !!(flag & HUB_ASLEEP_IN_LOOP), number_or_dash(bell, r->bell >= 0, r->bell),
		  r->waiting && r->oldest.is_there ? report_age(age, now, r->oldest.time_us) : "-",
		  ring_state(row));
}

/* With findings first, in their order; then by what waits. */
static int by_trouble(const void *a, const void *b)
{
	const struct ring_row *x = a, *y = b;

	if (!x->f != !y->f)
		return x->f ? -1 : 1;
	if (x->f && x->f->number != y->f->number)
		return x->f->number < y->f->number ? -1 : 1;
	const uint64_t wx = x->peer->ring[x->dir].waiting, wy = y->peer->ring[y->dir].waiting;

	if (wx != wy)
		return wx > wy ? -1 : 1;
	if (x->peer->id != y->peer->id)
		return x->peer->id < y->peer->id ? -1 : 1;
	return x->dir - y->dir;
}

void report_rings(const struct paper *p, const struct report *r, const struct state_hub *hub)
{
	struct ring_row *row = malloc((2 * hub->peers + 1) * sizeof(*row));
	size_t n = 0, left_out = 0;

	if (!row)
		return;
	for (size_t i = 0; i < hub->peers; i++) {
		for (int dir = 0; hub->peer[i].id && dir < 2; dir++) {
			row[n] = (struct ring_row){ &hub->peer[i], dir, NULL };
			row[n].f = report_finding_at(r, hub, hub->peer[i].id,
						     dir == HUB_RECV ? "recv" : "send");
			if (p->verbose || row[n].f || hub->peer[i].ring[dir].waiting)
				n++;
			else
				left_out++;
		}
	}
	qsort(row, n, sizeof(*row), by_trouble);
	put_block(p, "RINGS");
	if (n)
		paper_put(p, "%-12s  %s  %7s  %4s  %7s  %7s  %4s  %4s  %7s  %s\n", "peer", "ring",
			  "waiting", "cap", "written", "read", "flag", "bell", "oldest", "state");
	for (size_t i = 0; i < n; i++)
		put_ring(p, hub, &row[i]);
	if (left_out)
		paper_put(p, "%*s(%zu ring%s empty: -v)\n", n ? REPORT_COLUMN : 0, "", left_out,
			  left_out == 1 ? "" : "s");
	else if (!n)
		paper_put(p, "none\n");
	free(row);
}

/* ---- SLOTS ---------------------------------------------------------------------------------- */

static int by_slots(const void *a, const void *b)
{
	const struct report_owner *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return (x->peer > y->peer) - (x->peer < y->peer);
}

size_t report_owners(const struct state_hub *hub, const struct state_class *k,
		     struct report_owner *owner, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < k->owners; i++) {
		const struct state_owner *o = &k->owner[i];
		size_t at = 0;

		while (at < n && owner[at].peer != o->peer)
			at++;
		if (at == room)
			continue;
		if (at == n)
			owner[n++] = (struct report_owner){ .peer = o->peer };
		owner[at].n += o->n;
		owner[at].dead += owner_is_dead(hub, o) ? o->n : 0;
		if (o->oldest_us && (!owner[at].oldest_us || o->oldest_us < owner[at].oldest_us))
			owner[at].oldest_us = o->oldest_us;
	}
	if (n)
		qsort(owner, n, sizeof(*owner), by_slots);
	return n;
}

uint32_t report_dead_slots(const struct state_hub *hub, const struct state_class *k)
{
	uint32_t n = 0;

	for (size_t i = 0; i < k->owners; i++)
		n += owner_is_dead(hub, &k->owner[i]) ? k->owner[i].n : 0;
	return n;
}

uint64_t report_oldest_slot(const struct state_class *k)
{
	uint64_t oldest = 0;

	for (size_t i = 0; i < k->owners; i++)
		if (k->owner[i].oldest_us && (!oldest || k->owner[i].oldest_us < oldest))
			oldest = k->owner[i].oldest_us;
	return oldest;
}

static void put_owners(const struct paper *p, const struct state_hub *hub,
		       const struct state_class *k)
{
	enum { SHOWN = 3 };
	struct report_owner *owner = malloc((k->owners + 1) * sizeof(*owner));
	const size_t n = owner ? report_owners(hub, k, owner, k->owners) : 0;

	for (size_t i = 0; i < n && i < SHOWN; i++) {
		const struct state_peer *peer = state_find_peer(hub, owner[i].peer);

		paper_put(p, "%s%s(%u) %s%u", i ? ", " : "",
			  peer && peer->name ? peer->name : "peer", owner[i].peer,
			  owner[i].dead ? "X" : "", owner[i].n);
	}
	if (n > SHOWN)
		paper_put(p, ", %zu more", n - SHOWN);
	paper_put(p, n ? "\n" : "-\n");
	free(owner);
}

static const struct finding *finding_of_class(const struct report *r, const struct state_hub *hub,
					      const struct state_class *k)
{
	for (size_t i = 0; i < r->findings->n; i++) {
		const struct finding *f = r->findings->list[i];

		if (f->state != FINDING_CLEARED && f->where.class_bytes == k->bytes &&
		    f->where.hub && strcmp(f->where.hub, report_base_name(hub->path)) == 0)
			return f;
	}
	return NULL;
}

static void put_class(const struct paper *p, const struct report *r, const struct state_hub *hub,
		      const struct state_class *k)
{
	char size[UNITS_TEXT], age[UNITS_TEXT];

	put_row_mark(p, finding_of_class(r, hub, k));
	paper_put(p, "%-5s  %5u  %5u  %5u  %6u  %5u  %4u  %7s  ", units_class(size, k->bytes),
		  k->slots, k->count[HUB_SLOT_FREE], k->count[HUB_SLOT_ALLOCATED],
		  k->count[HUB_SLOT_IN_FLIGHT], k->count[HUB_SLOT_HELD], report_dead_slots(hub, k),
		  report_age(age, report_hub_now(hub), report_oldest_slot(k)));
	put_owners(p, hub, k);
}

static void put_too_large(const struct paper *p, const struct state_hub *hub,
			  const struct state_peer *peer, uint64_t refused, uint64_t last_bytes,
			  const char *way)
{
	char limit[UNITS_TEXT], last[UNITS_TEXT];
	uint32_t largest = 0;

	for (size_t i = 0; i < hub->classes; i++)
		largest = hub->klass[i].bytes > largest ? hub->klass[i].bytes : largest;
	if (refused)
		paper_put(p, "%*s%llu payload%s %s %s(%u) refused: larger than the largest slot"
			  " (%s), the last %s\n", REPORT_COLUMN, "", (unsigned long long)refused,
			  refused == 1 ? "" : "s", way, peer->name ? peer->name : "peer", peer->id,
			  largest ? units_class(limit, largest) : "-", units_bytes(last, last_bytes));
}

void report_slots(const struct paper *p, const struct report *r, const struct state_hub *hub)
{
	size_t left_out = 0, n = 0;

	put_block(p, "SLOTS");
	for (size_t i = 0; i < hub->classes; i++) {
		const struct state_class *k = &hub->klass[i];

		if (!p->verbose && k->count[HUB_SLOT_FREE] == k->slots &&
		    !finding_of_class(r, hub, k)) {
			left_out++;
			continue;
		}
		if (!n++)
			paper_put(p, "%-5s  %5s  %5s  %5s  %6s  %5s  %4s  %7s  %s\n", "class",
				  "total", "free", "alloc", "flight", "held", "dead", "oldest",
				  "owners (most first)");
		put_class(p, r, hub, k);
	}
	if (left_out)
		paper_put(p, "%*s(%zu class%s unused: -v)\n", n ? REPORT_COLUMN : 0, "", left_out,
			  left_out == 1 ? "" : "es");
	else if (!n)
		paper_put(p, hub->carried ? "as last seen\n" : "none\n");
	for (size_t i = 0; i < hub->peers; i++) {
		const struct state_peer *peer = &hub->peer[i];

		put_too_large(p, hub, peer, peer->host_too_large, peer->host_too_large_bytes, "to");
		put_too_large(p, hub, peer, peer->too_large, peer->too_large_bytes, "from");
	}
}

/* ---- CALLS ---------------------------------------------------------------------------------- */

void report_calls(const struct paper *p, const struct state_hub *hub)
{
	uint64_t oldest = 0;
	char age[UNITS_TEXT];

	for (size_t i = 0; i < hub->calls; i++)
		if (hub->call[i].call_state == HUB_CALL_PENDING && hub->call[i].started_us &&
		    (!oldest || hub->call[i].started_us < oldest))
			oldest = hub->call[i].started_us;
	put_block(p, "CALLS");
	paper_put(p, "%u of %u pending", hub->calls_pending, hub->calls_max);
	if (oldest)
		paper_put(p, ", oldest %s", report_age(age, report_hub_now(hub), oldest));
}

/* ---- PROCESSES, THREADS --------------------------------------------------------------------- */

static void put_process(const struct paper *p, const struct state_process *pr)
{
	char rss[UNITS_TEXT], fds[UNITS_TEXT];

	paper_put(p, "%*s%-14s %7d  %c  %5zu threads  %5s rss  %5s fds  %s%s\n", REPORT_COLUMN, "",
		  pr->name ? pr->name : "-", pr->pid, pr->state, pr->threads,
		  pr->rss_bytes >= 0 ? units_bytes(rss, (uint64_t)pr->rss_bytes) : "-",
		  number_or_dash(fds, pr->fds >= 0, pr->fds),
		  pr->feed ? report_base_name(pr->feed) : "", pr->carried ? " (as last seen)" : "");
}

void report_processes(const struct paper *p, const struct report *r)
{
	const struct state *st = r->st;
	size_t dead = 0, threads = 0;

	if (!st->processes) {
		paper_put(p, st->hubs ? "\n" : "");
		return;
	}
	for (size_t i = 0; i < st->processes; i++) {
		dead += st->process[i].alive == STATE_NO;
		threads += st->process[i].threads;
	}
	paper_ink(p, INK_BOLD, "%*sPROCESSES", st->hubs ? 8 : 0, "");
	paper_put(p, "  %zu", st->processes);
	if (dead)
		paper_put(p, " (%zu dead)", dead);
	paper_put(p, "        ");
	paper_ink(p, INK_BOLD, "THREADS");
	paper_put(p, "  %zu in %zu stack%s\n", threads, st->stacks, st->stacks == 1 ? "" : "s");
	for (size_t i = 0; p->verbose && i < st->processes; i++)
		put_process(p, &st->process[i]);
}
