#include "shmtop/top_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/grow.h"
#include "shmtop/top_slots.h"

static const char *const status_words[] = {
	[TOP_RUN] = "run",       [TOP_ASLEEP] = "ASLEEP", [TOP_STALL] = "STALL",
	[TOP_STOP] = "STOP",     [TOP_START] = "start",   [TOP_LEAVE] = "leave",
	[TOP_QUARANTINED] = "BAD", [TOP_DEAD] = "DEAD",   [TOP_GONE] = "GONE",
	[TOP_UNKNOWN] = "-",
};

static const char *const sort_names[TOP_SORTS] = {
	[TOP_BY_ID] = "id",       [TOP_BY_NAME] = "name",   [TOP_BY_PID] = "pid",
	[TOP_BY_STATE] = "state", [TOP_BY_BEAT] = "beat",   [TOP_BY_RECV] = "recv",
	[TOP_BY_SEND] = "send",   [TOP_BY_RATE] = "rate",   [TOP_BY_CALLS] = "calls",
	[TOP_BY_SLOTS] = "slots", [TOP_BY_RSS] = "rss",
};

const char *top_status_word(enum top_status status)
{
	return status_words[status];
}

const char *top_sort_name(enum top_sort sort)
{
	return sort_names[sort];
}

int top_sort_find(const char *name)
{
	for (int s = 0; s < TOP_SORTS; s++)
		if (strcmp(sort_names[s], name) == 0)
			return s;
	return -1;
}

void top_init(struct top *top)
{
	*top = (struct top){ 0 };
}

void top_fini(struct top *top)
{
	free(top->row);
	free(top->next);
	*top = (struct top){ 0 };
}

/* ---- rows of one sample ------------------------------------------------------------------ */

static int64_t age(uint64_t now_us, uint64_t then_us)
{
	if (!then_us)
		return -1;
	return then_us > now_us ? 0 : (int64_t)(now_us - then_us);
}

static void copy_name(char *to, size_t room, const char *from)
{
	const size_t len = from ? strnlen(from, room - 1) : 0;

	memcpy(to, from ? from : "", len);
	to[len] = '\0';
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	if (slash)
		return slash + 1;
	return path ? path : "";
}

static double rate_of(uint64_t before, uint64_t now, uint64_t before_us, uint64_t now_us)
{
	if (now < before || now_us <= before_us)
		return -1;
	return (double)(now - before) * 1e6 / (double)(now_us - before_us);
}

/* Whether the first message has waited a second and nobody has taken any in that time. One
 * state tells it, so a single look does as well as two, and fast samples do not flicker. */
static bool is_still(const struct state_ring *r, uint64_t now_us)
{
	const int64_t taken = age(now_us, r->take_us);

	return r->waiting > 0 && age(now_us, r->oldest.time_us) >= TOP_STILL_US &&
	       (taken < 0 || taken >= TOP_STILL_US);
}

static struct top_ring make_ring(const struct state_ring *r, const struct state_ring *before,
				 uint32_t flags, bool is_dead, uint64_t now_us,
				 uint64_t before_us)
{
	struct top_ring out = {
		.is_there = r->capacity > 0,
		.is_dead = is_dead,
		.damage = r->damage,
		.waiting = -1,
		.capacity = r->capacity,
		.written = -1,
		.read = -1,
		.bell = is_dead ? -1 : r->bell,
		.flag = is_dead ? STATE_UNKNOWN : !!(flags & HUB_ASLEEP_IN_LOOP),
		.oldest_us = -1,
		.rate = -1,
	};

	if (r->damage)
		return out;
	out.waiting = (int64_t)r->waiting;
	out.written = (int64_t)r->written;
	out.read = (int64_t)r->read;
	if (r->waiting && r->oldest.is_there)
		out.oldest_us = age(now_us, r->oldest.time_us);
	out.is_still = is_still(r, now_us);
	/* work that nobody takes: a sleeper's bell was not rung (0), or it does not hear it */
	out.bell_odd = out.is_still && (out.bell > 0 || (out.bell == 0 && out.flag == STATE_YES));
	if (before && !before->damage)
		out.rate = rate_of(before->written, r->written, before_us, now_us);
	return out;
}

/* Its waiting flag says so, or its loop was seen in its wait (a bell takes the flag away). */
static bool is_asleep(const struct state_peer *p, const struct top_ring *recv,
		      const struct state_process *process)
{
	const struct state_thread *loop =
		process ? state_find_thread(process, (int32_t)p->loop_tid) : NULL;

	return recv->flag == STATE_YES || (loop && loop->wait == STATE_WAIT_POLL);
}

static enum top_status peer_status(const struct state_peer *p, const struct top_ring *recv,
				   const struct state_process *process)
{
	if (p->state == HUB_PEER_GONE)
		return TOP_GONE;
	if (p->state == HUB_PEER_QUARANTINED)
		return TOP_QUARANTINED;
	if (p->state == HUB_PEER_DEAD || p->alive == STATE_NO)
		return TOP_DEAD;
	if (p->stopped == STATE_YES)
		return TOP_STOP;
	if (recv->is_still)
		return is_asleep(p, recv, process) ? TOP_ASLEEP : TOP_STALL;
	if (p->state == HUB_PEER_STARTING)
		return TOP_START;
	if (p->state == HUB_PEER_LEAVING)
		return TOP_LEAVE;
	return p->alive == STATE_YES ? TOP_RUN : TOP_UNKNOWN;
}

static uint64_t status_since(const struct state_peer *p, enum top_status status)
{
	switch (status) {
	case TOP_ASLEEP:
		return p->flag_us;
	case TOP_STALL:
		return p->ring[HUB_RECV].take_us;
	case TOP_DEAD:
	case TOP_GONE:
		return p->died_us;
	default:
		return 0;
	}
}

static const struct state_process *process_at(const struct state *st, int index)
{
	return index >= 0 && (size_t)index < st->processes ? &st->process[index] : NULL;
}

static void fill_process(struct top_row *row, const struct state_process *p)
{
	row->process = p;
	row->rss_bytes = row->fds = row->threads = -1;
	if (!p)
		return;
	row->rss_bytes = p->rss_bytes;
	row->fds = p->fds;
	if (p->threads)
		row->threads = (int64_t)p->threads;
}

/* A damaged hub has no id that could be believed: its path stands in. */
static uint64_t hub_identity(const struct state_hub *hub)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	if (hub->id)
		return hub->id;
	for (const char *p = hub->path ? hub->path : ""; *p; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3); /* FNV-1a */
	return h | 1;
}

/* What both ends of a hub have in common. */
static struct top_row hub_row(const struct state_hub *hub, uint32_t peer)
{
	struct top_row row = {
		.key = { .hub = hub_identity(hub), .peer = peer },
		.hub = hub,
		.calls = -1,
		.status_us = -1,
		.beat_us = -1,
		.worst = SEVERITIES,
		.ring = { { .rate = -1, .bell = -1, .flag = STATE_UNKNOWN, .oldest_us = -1 },
			  { .rate = -1, .bell = -1, .flag = STATE_UNKNOWN, .oldest_us = -1 } },
	};
	const struct top_owner owner = top_owner_of(hub, peer);

	row.slots = (int64_t)owner.slots;
	row.slots_dead = (int64_t)owner.dead;
	copy_name(row.hub_name, sizeof(row.hub_name), base_name(hub->path));
	return row;
}

static enum top_status host_status(const struct state_hub *hub, const struct state_peer *p)
{
	if (hub->host_alive == STATE_NO)
		return TOP_DEAD;
	if (p && p->stopped == STATE_YES)
		return TOP_STOP;
	return hub->host_alive == STATE_YES ? TOP_RUN : TOP_UNKNOWN;
}

static struct top_row host_row(const struct state *st, const struct state_hub *hub)
{
	struct top_row row = hub_row(hub, 0);
	const struct state_peer *p = state_find_peer(hub, 0);
	const struct state_process *process =
		p ? process_at(st, p->process) : state_find_process(st, hub->host_pid,
								    hub->host_start);

	row.peer = p;
	row.pid = hub->host_pid;
	row.status = host_status(hub, p);
	copy_name(row.name, sizeof(row.name), process ? process->name : "host");
	if (p && p->name)
		copy_name(row.name, sizeof(row.name), p->name);
	fill_process(&row, process);
	return row;
}

static struct top_row peer_row(const struct state *st, const struct state_hub *hub,
			       const struct state_peer *p, const struct state_hub *hub_before)
{
	struct top_row row = hub_row(hub, p->id);
	const struct state_peer *before = hub_before ? state_find_peer(hub_before, p->id) : NULL;
	const uint64_t before_us = hub_before ? hub_before->seen_us : 0;
	const bool dead = p->state == HUB_PEER_DEAD || p->state == HUB_PEER_GONE ||
			  p->alive == STATE_NO;
	const bool host_dead = hub->host_alive == STATE_NO;

	row.peer = p;
	row.pid = p->pid;
	copy_name(row.name, sizeof(row.name), p->name ? p->name : "?");
	row.ring[HUB_RECV] = make_ring(&p->ring[HUB_RECV], before ? &before->ring[HUB_RECV] : NULL,
				       p->flag, dead, hub->seen_us, before_us);
	row.ring[HUB_SEND] = make_ring(&p->ring[HUB_SEND], before ? &before->ring[HUB_SEND] : NULL,
				       p->host_flag, dead || host_dead, hub->seen_us, before_us);
	row.status = peer_status(p, &row.ring[HUB_RECV], process_at(st, p->process));
	row.status_us = age(st->now_us, status_since(p, row.status));
	row.gone_us = row.status == TOP_GONE ? p->died_us : 0;
	if (p->beat.state != HUB_BEAT_NONE)
		row.beat_us = age(st->now_us, p->beat.since_us);
	row.calls = p->calls_pending;
	fill_process(&row, process_at(st, p->process));
	return row;
}

static enum top_status process_status(const struct state_process *p)
{
	if (p->alive == STATE_NO)
		return TOP_DEAD;
	if (p->state == 'T' || p->state == 't')
		return TOP_STOP;
	return p->alive == STATE_YES ? TOP_RUN : TOP_UNKNOWN;
}

static struct top_row process_row(const struct state_process *p)
{
	struct top_row row = {
		.key = { .pid = p->pid, .start = p->start },
		.pid = p->pid,
		.status = process_status(p),
		.status_us = -1,
		.beat_us = -1,
		.calls = -1,
		.slots = -1,
		.slots_dead = 0,
		.worst = SEVERITIES,
		.ring = { { .rate = -1, .bell = -1, .flag = STATE_UNKNOWN, .oldest_us = -1 },
			  { .rate = -1, .bell = -1, .flag = STATE_UNKNOWN, .oldest_us = -1 } },
	};

	copy_name(row.name, sizeof(row.name), p->name ? p->name : "?");
	fill_process(&row, p);
	return row;
}

static bool is_in_a_hub(const struct state *st, const struct state_process *p)
{
	for (size_t h = 0; h < st->hubs; h++) {
		const struct state_hub *hub = &st->hub[h];

		if (hub->host_pid == p->pid && (!hub->host_start || hub->host_start == p->start))
			return true;
		for (size_t i = 0; i < hub->peers; i++)
			if (process_at(st, hub->peer[i].process) == p)
				return true;
	}
	return false;
}

static const struct state_hub *same_hub(const struct frame *before, const struct state_hub *hub)
{
	for (size_t i = 0; before && i < before->st.hubs; i++)
		if (hub_identity(&before->st.hub[i]) == hub_identity(hub))
			return &before->st.hub[i];
	return NULL;
}

static bool is_long_gone(const struct top_row *row, uint64_t now_us)
{
	return row->status == TOP_GONE &&
	       row->gone_us + TOP_GONE_SECONDS * UINT64_C(1000000) < now_us;
}

static bool is_old(uint64_t seen_us, const struct frame *now, const struct top_view *view)
{
	return view->interval_us &&
	       age(now->st.now_us, seen_us) > (int64_t)(2 * view->interval_us);
}

static int add_row(struct top *top, struct top_row row, const struct frame *now,
		   const struct top_view *view)
{
	if (is_long_gone(&row, now->st.now_us))
		return 0;
	if (!GROW(top->next, top->nexts, top->nexts_room))
		return -ENOMEM;
	row.seen_us = now->st.now_us;
	row.old_hub = (row.peer && row.peer->carried) || is_old(row.hub ? row.hub->seen_us : 0, now,
								view);
	row.old_process = (row.process && row.process->carried) ||
			  is_old(row.process ? row.process->seen_us : 0, now, view);
	top->next[top->nexts++] = row;
	return 0;
}

static int add_hub(struct top *top, const struct state_hub *hub, const struct frame *before,
		   const struct frame *now, const struct top_view *view)
{
	const struct state_hub *hub_before = same_hub(before, hub);
	int r = add_row(top, host_row(&now->st, hub), now, view);

	for (size_t i = 0; r == 0 && i < hub->peers; i++) {
		const struct state_peer *p = &hub->peer[i];

		if (p->id != 0 && p->state != HUB_PEER_UNUSED)
			r = add_row(top, peer_row(&now->st, hub, p, hub_before), now, view);
	}
	return r;
}

static int add_all(struct top *top, const struct frame *before, const struct frame *now,
		   const struct top_view *view)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < now->st.hubs; i++)
		r = add_hub(top, &now->st.hub[i], before, now, view);
	for (size_t i = 0; r == 0 && i < now->st.processes; i++)
		if (!is_in_a_hub(&now->st, &now->st.process[i]))
			r = add_row(top, process_row(&now->st.process[i]), now, view);
	return r;
}

/* ---- from one sample to the next --------------------------------------------------------- */

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_keys(const void *a, const void *b)
{
	const struct top_key *x = &((const struct top_row *)a)->key;
	const struct top_key *y = &((const struct top_row *)b)->key;
	int r = compare_u64(x->hub, y->hub);

	r = r ? r : compare_u64(x->peer, y->peer);
	r = r ? r : (x->pid > y->pid) - (x->pid < y->pid);
	return r ? r : compare_u64(x->start, y->start);
}

static void sort_by_key(struct top_row *row, size_t n)
{
	if (n)
		qsort(row, n, sizeof(*row), compare_keys);
}

/* Rows that the new sample no longer has stay for a while, as they were last seen. */
static int keep_gone(struct top *top, uint64_t now_us)
{
	const size_t fresh = top->nexts;

	for (size_t i = 0; i < top->rows; i++) {
		struct top_row row = top->row[i];

		if (row.seen_us > now_us ||
		    (fresh && bsearch(&row, top->next, fresh, sizeof(row), compare_keys)))
			continue;
		if (row.status != TOP_GONE)
			row.gone_us = row.seen_us;
		row.status = TOP_GONE;
		row.hub = NULL;
		row.peer = NULL;
		row.process = NULL;
		row.worst = SEVERITIES;
		row.calls = row.rss_bytes = row.fds = row.threads = row.beat_us = -1;
		row.status_us = age(now_us, row.gone_us);
		for (unsigned d = 0; d < 2; d++)
			row.ring[d] = (struct top_ring){ .rate = -1, .bell = -1, .oldest_us = -1,
							 .flag = STATE_UNKNOWN };
		if (is_long_gone(&row, now_us))
			continue;
		if (!GROW(top->next, top->nexts, top->nexts_room))
			return -ENOMEM;
		top->next[top->nexts++] = row;
	}
	return 0;
}

static double sort_value(const struct top_row *r, enum top_sort sort)
{
	switch (sort) {
	case TOP_BY_PID:
		return r->pid;
	case TOP_BY_STATE:
		return r->worst != SEVERITIES ? 100 - (int)r->worst : (int)r->status;
	case TOP_BY_BEAT:
		return (double)r->beat_us;
	case TOP_BY_RECV:
		return (double)r->ring[HUB_RECV].waiting;
	case TOP_BY_SEND:
		return (double)r->ring[HUB_SEND].waiting;
	case TOP_BY_RATE:
		return r->ring[HUB_RECV].rate + r->ring[HUB_SEND].rate;
	case TOP_BY_CALLS:
		return (double)r->calls;
	case TOP_BY_SLOTS:
		return (double)r->slots;
	case TOP_BY_RSS:
		return (double)r->rss_bytes;
	default:
		return 0; /* the key or the name decides */
	}
}

static void hold_value(struct top_row *row, const struct top_row *old, enum top_sort sort)
{
	const double value = sort_value(row, sort);

	row->held = value;
	row->has_held = true;
	if (!old || !old->has_held)
		return;
	const double change = value > old->held ? value - old->held : old->held - value;
	const double larger = value > old->held ? value : old->held;
	if (change * 100 <= larger * TOP_MOVE_PERCENT)
		row->held = old->held;
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct top_row *x = a, *y = b;
	const struct top_view *view = arg;
	const bool ascending = view->sort <= TOP_BY_PID;
	int r = 0;

	/* hubs one after the other, then processes without one */
	if (x->key.hub != y->key.hub) {
		if (!x->key.hub || !y->key.hub)
			return x->key.hub ? -1 : 1;
		r = strcmp(x->hub_name, y->hub_name);
		return r ? r : compare_u64(x->key.hub, y->key.hub);
	}
	if (view->sort == TOP_BY_NAME)
		r = strcmp(x->name, y->name);
	else if (x->held != y->held)
		r = (x->held > y->held) == ascending ? 1 : -1;
	if (r == 0)
		r = compare_keys(x, y);
	return view->inverted ? -r : r;
}

static void mark_findings(struct top *top, const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *finding = f->list[i];
		const size_t at = top_find_where(top, &finding->where);

		if (finding->state == FINDING_CLEARED || at == top->rows)
			continue;
		if (finding->rule->severity < top->row[at].worst)
			top->row[at].worst = finding->rule->severity;
	}
}

static void count_peers(struct top *top)
{
	top->hubs = top->peers = top->dead = 0;
	for (size_t i = 0; i < top->rows; i++) {
		const struct top_row *row = &top->row[i];

		/* rows of a hub stand together */
		top->hubs += row->key.hub && (!i || row[-1].key.hub != row->key.hub);
		if (!row->key.hub || !row->key.peer || row->status == TOP_GONE)
			continue;
		top->peers++;
		top->dead += row->status == TOP_DEAD;
	}
}

/* The frame that the rows speak of is about to go. */
static void forget_frame(struct top *top)
{
	for (size_t i = 0; i < top->rows; i++) {
		top->row[i].hub = NULL;
		top->row[i].peer = NULL;
		top->row[i].process = NULL;
		top->row[i].ring[0].damage = top->row[i].ring[1].damage = NULL;
	}
}

/* Rows of the new sample find what they were before; the first `fresh` are new, the rest gone. */
static void hold_values(struct top *top, size_t fresh, enum top_sort sort)
{
	const bool comparable = top->rows && top->sort == sort;

	for (size_t i = 0; i < fresh; i++) {
		const struct top_row *old = NULL;

		if (comparable)
			old = bsearch(&top->next[i], top->row, top->rows, sizeof(*top->row),
				      compare_keys);
		hold_value(&top->next[i], old, sort);
	}
}

static void swap_rows(struct top *top)
{
	struct top_row *const row = top->row;
	const size_t room = top->rows_room;

	top->row = top->next;
	top->rows = top->nexts;
	top->rows_room = top->nexts_room;
	top->next = row;
	top->nexts = 0;
	top->nexts_room = room;
}

static void sort_rows(struct top *top, const struct top_view *view)
{
	/* how bad a row is was not known before its findings were marked */
	for (size_t i = 0; view->sort == TOP_BY_STATE && i < top->rows; i++)
		top->row[i].held = sort_value(&top->row[i], TOP_BY_STATE);
	if (top->rows)
		qsort_r(top->row, top->rows, sizeof(*top->row), compare_rows, (void *)view);
	top->sort = view->sort;
}

int top_update(struct top *top, const struct frame *before, const struct frame *now,
	       const struct top_view *view)
{
	forget_frame(top);
	top->nexts = 0;
	int r = add_all(top, before, now, view);
	if (r)
		return r;
	sort_by_key(top->next, top->nexts);
	sort_by_key(top->row, top->rows);
	const size_t fresh = top->nexts;
	r = keep_gone(top, now->st.now_us);
	if (r)
		return r;
	hold_values(top, fresh, view->sort);
	swap_rows(top);
	mark_findings(top, &now->findings);
	sort_rows(top, view);
	count_peers(top);
	return 0;
}

/* ---- questions --------------------------------------------------------------------------- */

size_t top_find(const struct top *top, const struct top_key *key)
{
	struct top_row wanted = { .key = *key };
	size_t i = 0;

	while (i < top->rows && compare_keys(&top->row[i], &wanted) != 0)
		i++;
	return i;
}

size_t top_find_where(const struct top *top, const struct finding_where *where)
{
	size_t by_pid = top->rows;

	for (size_t i = 0; i < top->rows; i++) {
		const struct top_row *row = &top->row[i];

		if (where->peer >= 0 && row->key.hub && row->key.peer == (uint32_t)where->peer &&
		    (!where->hub || strcmp(where->hub, row->hub_name) == 0))
			return i;
		if (where->peer < 0 && where->pid > 0 && row->pid == where->pid &&
		    by_pid == top->rows)
			by_pid = i;
	}
	return by_pid;
}

bool top_has_ended(const struct top_row *row)
{
	return row->status == TOP_DEAD || row->status == TOP_GONE;
}

bool top_is_ill(const struct top_row *row)
{
	return row->worst != SEVERITIES || row->status == TOP_ASLEEP || row->status == TOP_STALL ||
	       row->status == TOP_STOP || row->status == TOP_QUARANTINED ||
	       row->status == TOP_DEAD || row->slots_dead > 0 || row->ring[HUB_RECV].damage ||
	       row->ring[HUB_SEND].damage;
}
