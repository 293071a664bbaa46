#include <stdbool.h>
#include <string.h>

#include "lib/as/as_ring.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump.h"
#include "sigdump/preload/as/dump_state.h"
#include "sigdump/preload/as/dump_watch.h"

enum { WATCHES = 2048, LOOKS = 5, IDLE_LOOKS = 2, NAP_MIN_MS = 20, RECENT = 2 };

/*
 * What can stand still, in the order in which a look comes by. A key is its place in that order:
 * hub << 16 | peer << 2 | kind, the heartbeats last.
 */
enum kind { RECV = HUB_RECV, SEND = HUB_SEND, CALL, BEAT };
static const char *const kind_name[] = { "ring", "ring", "call", "beat" };
static const char *const dir_name[] = { "recv", "send" };

struct watch {
	uint32_t key;
	uint32_t stuck_ms; /* naps since it was first seen where it stands */
	uint64_t mark;     /* where it stands: another one is progress */
	uint64_t since_us;
	uint64_t incident; /* its number; 0: none */
	uint64_t dump;     /* that shows it */
};

/* What was due in the last look, sorted by key; and in this one. */
static struct watch list[2][WATCHES];

static struct {
	uint64_t image;     /* whose state this is */
	unsigned now;       /* the list of this look */
	size_t n[2];
	size_t old;         /* in the other list: what this look has not come by yet */
	uint32_t nap_ms;    /* asked for before this look */
	uint64_t due_ns;    /* of the next look; 0: none */
	uint64_t incidents;
	uint64_t dump;      /* written because of this look; 0: none yet */
	uint64_t dumps[RECENT]; /* number of the last dump at the last looks */
} watch;

/* Room for one look. */
static struct {
	struct as_hub hub;
	struct hub_peer peer;
	struct hub_ring words;
	struct as_ring ring;
	union as_ring_space space;
	struct as_ring_walk walk;
	struct {
		uint64_t started_ns;
		uint32_t id;
	} oldest[HUB_PEERS_MAX + 1]; /* pending call to each peer */
} room;

/* One thing that may stand still, as this look finds it. */
struct seen {
	unsigned hub; /* or SIGDUMP_HUBS + heartbeat */
	unsigned peer;
	enum kind kind;
	bool due;     /* it should go on */
	uint64_t mark;
	uint64_t at;  /* for people */
	uint32_t limit_ms;
};

static uint32_t key_of(const struct seen *s)
{
	return s->hub << 16 | s->peer << 2 | s->kind;
}

/* ---- one thing ------------------------------------------------------------------------------ */

/* The other record of an incident. */
static void tell_end(const struct watch *w, const char *state)
{
	dump_incident(&(struct as_record_incident){ .n = w->incident,
						    .state = state,
						    .what = kind_name[w->key & 3],
						    .dump = w->dump,
						    .stuck_ms = w->stuck_ms,
						    .since_us = w->since_us });
}

/* What it was in the last look, NULL if nothing. What lies before it has gone: nobody came by. */
static const struct watch *last_seen(uint32_t key)
{
	const struct watch *old = list[!watch.now];
	const size_t n = watch.n[!watch.now];

	for (; watch.old < n && old[watch.old].key < key; watch.old++)
		if (old[watch.old].incident)
			tell_end(&old[watch.old], "gone");
	return watch.old < n && old[watch.old].key == key ? &old[watch.old++] : NULL;
}

/* Is there a dump from the last looks, asked for by somebody who was faster? */
static bool was_just_dumped(void)
{
	return dump_number() != watch.dumps[RECENT - 1];
}

static void tell_stall(struct watch *w, const struct seen *s)
{
	const bool beat = s->kind == BEAT;

	if (!watch.dump) {
		if (!was_just_dumped())
			dump_run(&(struct dump_request){ .why = DUMP_WHY_WATCHDOG });
		watch.dump = dump_number();
	}
	w->incident = ++watch.incidents;
	w->dump = watch.dump;
	dump_incident(&(struct as_record_incident){
		.n = w->incident,
		.state = "stalled",
		.what = kind_name[s->kind],
		.dump = w->dump,
		.stuck_ms = w->stuck_ms,
		.since_us = w->since_us,
		.path = beat ? NULL : dump_state.hub[s->hub].path,
		.peer = s->peer,
		.dir = s->kind == RECV || s->kind == SEND ? dir_name[s->kind] : NULL,
		.at = s->at,
		.waiting = room.ring.waiting,
		.beat = beat ? dump_state.beat[s->hub - SIGDUMP_HUBS].name : NULL,
	});
}

/* The cells are the truth: is there a message, and did it stay? */
static bool is_true(const struct seen *s)
{
	if (s->kind != RECV && s->kind != SEND)
		return true;
	return as_ring_read(&room.hub, s->peer, s->kind, &room.space, &room.ring) == 0 &&
	       room.ring.waiting && room.ring.tail == s->mark;
}

/* A call whose successor is as old as it was has not got anybody further. */
static bool still_stands(const struct watch *old, const struct seen *s)
{
	const uint64_t limit_us = (uint64_t)s->limit_ms * 1000;

	if (old->mark == s->mark)
		return true;
	return old->incident && s->kind == CALL && as_record_now_us() - s->mark / 1000 > limit_us;
}

static void see(const struct seen *s)
{
	const struct watch *old = last_seen(key_of(s));
	size_t *n = &watch.n[watch.now];
	struct watch w = { .key = key_of(s), .mark = s->mark, .since_us = as_record_now_us() };

	if (old && s->due && still_stands(old, s)) {
		w = *old;
		w.mark = s->mark;
		w.stuck_ms += watch.nap_ms;
	} else if (old && old->incident) {
		tell_end(old, "progress");
	}
	if (!s->due || *n == WATCHES)
		return;
	if (!w.incident && w.stuck_ms >= s->limit_ms && is_true(s))
		tell_stall(&w, s);
	list[watch.now][(*n)++] = w;
}

/* ---- hubs ------------------------------------------------------------------------------------ */

/* Words of a private copy: nobody else writes them. */
static uint64_t word64(const _Atomic uint64_t *w)
{
	/* relaxed: a private copy */
	return atomic_load_explicit(w, memory_order_relaxed);
}

static uint32_t word32(const _Atomic uint32_t *w)
{
	/* relaxed: a private copy */
	return atomic_load_explicit(w, memory_order_relaxed);
}

static void see_ring(unsigned h, unsigned peer, enum kind dir)
{
	if (as_ring_words(&room.hub, peer, dir, &room.words) != 0)
		return;
	const uint64_t tail = word64(&room.words.tail);
	/* a tail ahead of head is a message that was taken before head was stored */
	see(&(struct seen){ .hub = h,
			    .peer = peer,
			    .kind = dir,
			    .due = (int64_t)(word64(&room.words.head) - tail) > 0,
			    .mark = tail,
			    .at = tail,
			    .limit_ms = dump_state.watchdog_ms });
}

/* The oldest pending call to each peer, of the calls that `by` made. */
static void find_calls(unsigned by)
{
	const struct hub_call *call;

	memset(room.oldest, 0, sizeof(room.oldest));
	if (as_calls_begin(&room.walk, &room.hub, by, &room.space) != 0)
		return;
	while (as_calls_next(&room.walk, &call) == 1) {
		const uint64_t word = word64(&call->word);
		const unsigned peer = by ? by : HUB_CALL_PEER(word);

		if (HUB_CALL_STATE(word) != HUB_CALL_PENDING || peer > HUB_PEERS_MAX)
			continue;
		if (!room.oldest[peer].started_ns ||
		    call->started_ns < room.oldest[peer].started_ns) {
			room.oldest[peer].started_ns = call->started_ns;
			room.oldest[peer].id = call->id;
		}
	}
}

static void see_calls(unsigned h, unsigned peer, bool any)
{
	see(&(struct seen){ .hub = h,
			    .peer = peer,
			    .kind = CALL,
			    .due = any && room.oldest[peer].started_ns,
			    .mark = room.oldest[peer].started_ns,
			    .at = room.oldest[peer].id,
			    .limit_ms = dump_state.watchdog_ms });
}

static void see_peer(unsigned h, unsigned peer, bool any_calls)
{
	if (as_hub_peer(&room.hub, peer, &room.peer) != 0)
		return;
	const uint32_t state = word32(&room.peer.state);
	if (state != HUB_PEER_LIVE && state != HUB_PEER_LEAVING)
		return;
	see_ring(h, peer, RECV);
	see_ring(h, peer, SEND);
	see_calls(h, peer, any_calls);
}

static void see_hub(unsigned h)
{
	const struct dump_hub *hub = &dump_state.hub[h];
	struct hub_host host;

	/* acquire L7: fd is open, or an error */
	if (atomic_load_explicit(&hub->state, memory_order_acquire) != DUMP_HUB_OPEN ||
	    hub->fd < 0 || as_hub_open(&room.hub, hub->fd) < 0)
		return;
	if (hub->role == SIGDUMP_PEER) {
		if (hub->peer == 0 || hub->peer > HUB_PEERS_MAX)
			return;
		find_calls(hub->peer);
		see_peer(h, hub->peer, true);
		return;
	}
	/* the table has thousands of entries: read it only when one is in use */
	const bool any = as_hub_host(&room.hub, &host) == 0 && word32(&host.calls_pending);
	if (any)
		find_calls(0);
	for (unsigned id = 1; id < as_hub_peers(&room.hub); id++)
		see_peer(h, id, any);
}

/* ---- heartbeats ------------------------------------------------------------------------------- */

static uint32_t limit_of(const struct dump_beat *beat)
{
	return beat->limit_ms ? beat->limit_ms : dump_state.watchdog_ms;
}

static bool is_used(const struct dump_beat *beat)
{
	/* acquire L12: the entry is complete */
	return atomic_load_explicit(&beat->state, memory_order_acquire) == DUMP_BEAT_USED;
}

static void see_beat(unsigned i)
{
	const struct dump_beat *beat = &dump_state.beat[i];

	if (!is_used(beat))
		return;
	/* relaxed: a word on its own */
	const uint64_t beats = atomic_load_explicit(&beat->beats, memory_order_relaxed);
	see(&(struct seen){ .hub = SIGDUMP_HUBS + i,
			    .kind = BEAT,
			    .due = beats & 1,
			    .mark = beats,
			    .at = beats >> 1,
			    .limit_ms = limit_of(beat) });
}

/* ---- when ------------------------------------------------------------------------------------- */

/* The shortest limit of what is registered; 0: nothing is. */
static uint32_t shortest_limit(void)
{
	uint32_t ms = 0;

	for (size_t i = 0; i < SIGDUMP_HUBS; i++)
		/* acquire L7: as above */
		if (atomic_load_explicit(&dump_state.hub[i].state, memory_order_acquire) ==
		    DUMP_HUB_OPEN)
			ms = dump_state.watchdog_ms;
	for (size_t i = 0; i < SIGDUMP_BEATS; i++)
		if (is_used(&dump_state.beat[i]) && (!ms || limit_of(&dump_state.beat[i]) < ms))
			ms = limit_of(&dump_state.beat[i]);
	return ms;
}

void dump_watch_begin(void)
{
	if (watch.image != dump_state.image)
		memset(&watch, 0, sizeof(watch));
	watch.image = dump_state.image;
	watch.due_ns = 0;
}

const struct timespec *dump_watch_nap(struct timespec *nap)
{
	const uint32_t limit_ms = dump_state.watchdog_ms ? shortest_limit() : 0;
	const uint64_t now = as_sys_clock_ns(CLOCK_MONOTONIC);

	if (!limit_ms && !watch.n[watch.now]) {
		watch.due_ns = 0;
		return NULL;
	}
	if (!watch.due_ns) {
		watch.nap_ms = limit_ms / (watch.n[watch.now] ? LOOKS : IDLE_LOOKS);
		watch.nap_ms = watch.nap_ms > NAP_MIN_MS ? watch.nap_ms : NAP_MIN_MS;
		watch.due_ns = now + watch.nap_ms * UINT64_C(1000000);
	}
	const uint64_t left = watch.due_ns > now ? watch.due_ns - now : 0;
	*nap = (struct timespec){ (time_t)(left / 1000000000u), (long)(left % 1000000000u) };
	return nap;
}

void dump_watch_look(void)
{
	if (!watch.due_ns || as_sys_clock_ns(CLOCK_MONOTONIC) < watch.due_ns)
		return;
	watch.due_ns = 0;
	watch.now = !watch.now;
	watch.n[watch.now] = 0;
	watch.old = 0;
	watch.dump = 0;
	for (unsigned h = 0; h < SIGDUMP_HUBS; h++)
		see_hub(h);
	for (unsigned i = 0; i < SIGDUMP_BEATS; i++)
		see_beat(i);
	last_seen(UINT32_MAX);
	memmove(&watch.dumps[1], &watch.dumps[0], sizeof(watch.dumps) - sizeof(watch.dumps[0]));
	watch.dumps[0] = dump_number();
}
