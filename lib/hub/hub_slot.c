/*
 * The life of a slot, and who gives it back if somebody dies there:
 *
 *	free
 *	  | claim		sender (allocated)		sweep, by the incarnation in the word
 *	allocated
 *	  | send		sender (in flight)		sweep, after the ring was drained
 *	in flight
 *	  | take		receiver (held)			sweep
 *	held
 *	  | free
 *	free
 *	  | punch		the host; nobody else can claim; if the host dies, so does the hub
 *	punching
 *	  | done
 *	free
 *
 * Each arrow is one compare-and-swap from the exact word the holder knows: state, direction,
 * peer, incarnation and generation. It fails when the slot was swept meanwhile, or scribbled
 * over by a peer gone wild; the loser then holds nothing. No lock, no list: a process killed
 * between any two instructions leaves a word that names who must give the slot back.
 *
 * Answers. A request keeps its slot until it was answered, and its answer wants a slot too. If
 * requests could have all of a class, then all of it could be requests whose answers wait for
 * each other's slots, for ever. So the first slots of a class are for answers only, which need
 * nobody else's answer to go away, and an answer may exceed the share of its peer by one. One
 * that was delivered and is not read gives way (hub_spill.c).
 *
 * Shares. One peer may have half of a class: a quarter each way, counted by the sender alone, so
 * that neither end has to know at the moment of a claim what the other one does. One half for
 * both ways together would leave more to traffic that goes one way. But the requests to a peer
 * could take all of it, and what the peer has to ask before it can answer them would wait for
 * them (tests/model/answers.pml has it as a variant that hangs).
 *
 * Pages. A store to a hole of a full filesystem is SIGBUS, so the claimer calls fallocate() for
 * what it is going to use and marks it, while it owns the slot. The host believes only its own
 * marks (a peer may scribble over the shared ones); peers use the shared ones, because the
 * host's puncher clears those.
 */
#include "lib/hub/hub_slot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hub/hub_fault.h"
#include "lib/hub/hub_file.h"
#include "lib/hub/hub_os.h"

enum {
	LOOK_BYTES = 16 << 10, /* that may be given back without a look at where a search begins */
	UP_SHARE = 4,  /* 1/4 of a class is never used for the class below */
	WAY_SHARE = 4, /* 1/4 of it for one peer, each way */
};

static uint64_t end_word(unsigned state, struct hub_slot_end end, uint64_t generation)
{
	return HUB_SLOT_WORD(state, end.direction, end.peer, end.incarnation, generation);
}

static uint64_t with_state(uint64_t word, unsigned state)
{
	return (word & ~UINT64_C(7)) | state;
}

static uint64_t units_of(const struct hub_map_class *k)
{
	return ((uint64_t)k->bytes * k->max + k->unit - 1) / k->unit;
}

/* ---- set-up ----------------------------------------------------------------------------- */

static int init_class(struct hub_slot_class *c, const struct hub_map_class *k,
		      const struct hub_class *mirror, bool is_host)
{
	pthread_mutex_init(&c->lock, NULL);
	c->freed = LOOK_BYTES;
	if (!is_host)
		return 0;
	hub_put32(&c->known, mirror->slots_first);
	c->backed = calloc((units_of(k) + 63) / 64, sizeof(*c->backed));
	c->idle = calloc(k->max, sizeof(*c->idle));
	c->mine = calloc(k->max, sizeof(*c->mine));
	return c->backed && c->idle && c->mine ? 0 : -ENOMEM;
}

int hub_slots_init(struct hub_slots *s, const struct hub_map *map, bool is_host)
{
	memset(s, 0, sizeof(*s));
	s->map = map;
	s->is_host = is_host;
	for (unsigned i = 0; i < map->class_count; i++)
		if (init_class(&s->klass[i], &map->klass[i], hub_map_class(map, i), is_host)) {
			hub_slots_fini(s);
			return -ENOMEM;
		}
	return 0;
}

void hub_slots_fini(struct hub_slots *s)
{
	for (unsigned i = 0; i < HUB_CLASSES_MAX; i++) {
		free((void *)s->klass[i].backed);
		free(s->klass[i].idle);
		free((void *)s->klass[i].mine);
		s->klass[i].backed = NULL;
		s->klass[i].idle = NULL;
		s->klass[i].mine = NULL;
	}
}

int hub_slot_class_for(const struct hub_slots *s, uint64_t bytes)
{
	for (unsigned i = 0; i < s->map->class_count; i++)
		if (bytes <= s->map->klass[i].bytes)
			return (int)i;
	return -EMSGSIZE;
}

/*
 * The host touches no slot word in a page it did not back: a count that a peer raised is
 * followed by backing, one that was scribbled down is ignored.
 */
static uint32_t learn_published(struct hub_slots *s, unsigned klass, uint32_t n)
{
	const struct hub_table *t = &s->map->klass[klass].slots;
	_Atomic uint32_t *known = &s->klass[klass].known;
	/* acquire G1: what this process has backed; pairs with the release below */
	uint32_t have = atomic_load_explicit(known, memory_order_acquire);

	if (n <= have)
		return have;
	if (hub_file_back(s->map->fd, t->offset + have * t->stride, (n - have) * t->stride))
		return have;
	/* release G1: the pages exist; a lower count stored last only costs backing again */
	atomic_store_explicit(known, n, memory_order_release);
	return n;
}

uint32_t hub_slot_published(struct hub_slots *s, unsigned klass)
{
	/* acquire G1: tables of published slots exist; pairs with release G1 in grow() */
	uint32_t n = atomic_load_explicit(&hub_map_class(s->map, klass)->slots,
					  memory_order_acquire);

	if (n > s->map->klass[klass].max) /* anybody may have scribbled over it */
		n = s->map->klass[klass].max;
	return s->is_host ? learn_published(s, klass, n) : n;
}

void *hub_slot_payload(const struct hub_slots *s, uint32_t ref, uint32_t *room)
{
	const unsigned klass = HUB_SLOT_REF_CLASS(ref);

	*room = s->map->klass[klass].bytes;
	return hub_map_payload(s->map, klass, HUB_SLOT_REF_INDEX(ref));
}

static struct hub_slot *slot_of(const struct hub_slots *s, uint32_t ref)
{
	return hub_map_slot(s->map, HUB_SLOT_REF_CLASS(ref), HUB_SLOT_REF_INDEX(ref));
}

/* ---- pages ------------------------------------------------------------------------------ */

static _Atomic uint64_t *mark_word(const struct hub_slots *s, unsigned klass, uint64_t unit)
{
	return hub_table_at(&s->map->klass[klass].backed, unit / 64);
}

static bool is_backed(const struct hub_slots *s, unsigned klass, uint64_t unit)
{
	_Atomic uint64_t *word = s->is_host ? &s->klass[klass].backed[unit / 64]
					    : mark_word(s, klass, unit);

	/* acquire K1: the pages exist; pairs with release K1 in mark_backed() */
	return atomic_load_explicit(word, memory_order_acquire) >> (unit % 64) & 1;
}

static void mark_backed(struct hub_slots *s, unsigned klass, uint64_t unit)
{
	const uint64_t bit = UINT64_C(1) << (unit % 64);

	/* release K1: after fallocate(); pairs with acquire K1 in is_backed() */
	atomic_fetch_or_explicit(mark_word(s, klass, unit), bit, memory_order_release);
	if (!s->is_host)
		return;
	/* release K1: the same for the host's own copy */
	atomic_fetch_or_explicit(&s->klass[klass].backed[unit / 64], bit, memory_order_release);
	hub_put32(&s->backed_more, 1);
}

static int back_unit(struct hub_slots *s, unsigned klass, uint64_t unit)
{
	const struct hub_map_class *k = &s->map->klass[klass];
	const uint64_t all = (uint64_t)k->bytes * k->max;
	const uint64_t from = unit * k->unit;
	const uint64_t bytes = all - from < k->unit ? all - from : k->unit;
	const int r = hub_file_back(s->map->fd, k->payload.offset + from, bytes);

	HUB_STEP("slot.back.unmarked");
	if (!r)
		mark_backed(s, klass, unit);
	return r;
}

static void count_no_space(struct hub_slots *s, unsigned klass)
{
	hub_add_shared(&hub_map_class(s->map, klass)->no_space, 1);
	hub_add_shared(&s->map->host->no_space, 1);
	hub_put64(&s->map->host->no_space_ns, hub_now_ns());
}

/* A full filesystem (a fault) refuses a claimer; a receiver finds pages that are there. */
static bool lacks_space(struct hub_slots *s, uint32_t ref)
{
	return HUB_FAULT_IS(no_space) &&
	       HUB_SLOT_STATE(hub_get64(&slot_of(s, ref)->word)) == HUB_SLOT_ALLOCATED;
}

/* Every unit that the first `bytes` of the slot reach. */
static int back_slot(struct hub_slots *s, uint32_t ref, uint32_t bytes)
{
	const unsigned klass = HUB_SLOT_REF_CLASS(ref);
	const struct hub_map_class *k = &s->map->klass[klass];
	const uint64_t from = (uint64_t)HUB_SLOT_REF_INDEX(ref) * k->bytes;
	const uint64_t last = from + (bytes ? bytes - 1 : 0);

	for (uint64_t unit = from / k->unit; unit <= last / k->unit; unit++) {
		int r = 0;

		if (!is_backed(s, klass, unit))
			r = lacks_space(s, ref) ? -ENOSPC : back_unit(s, klass, unit);
		if (r) {
			count_no_space(s, klass);
			return r == -ENOMEM || r == -ENOSPC ? -ENOSPC : r;
		}
	}
	return 0;
}

/* The host keeps its own count of who of it has a slot: up before the word is changed in its
 * favour, down after it was given away. hub_slot_repair() goes by it. */
static void count_mine(struct hub_slots *s, uint32_t ref, int n)
{
	if (s->is_host)
		/* seq_cst M2: before the word is ours, after it is not; pairs with is_possible() */
		atomic_fetch_add_explicit(&s->klass[HUB_SLOT_REF_CLASS(ref)].mine[HUB_SLOT_REF_INDEX(ref)],
					  (uint8_t)n, memory_order_seq_cst);
}

/* ---- claim ------------------------------------------------------------------------------ */

/* free -> allocated, if it is free now. */
static bool try_claim(struct hub_slots *s, unsigned klass, uint32_t i, struct hub_slot_end end,
		      struct hub_slot_ref *slot)
{
	struct hub_slot *at = hub_map_slot(s->map, klass, i);
	uint64_t was = hub_get64(&at->word);

	if (HUB_SLOT_STATE(was) != HUB_SLOT_FREE)
		return false;
	const uint64_t now = end_word(HUB_SLOT_ALLOCATED, end, HUB_SLOT_GENERATION(was) + 1);

	count_mine(s, HUB_SLOT_REF(klass, i), 1);
	HUB_STEP("slot.claim.before");
	/* acquire S1: the former holder has let go; pairs with release S1 in hub_slot_free() */
	if (!atomic_compare_exchange_strong_explicit(&at->word, &was, now, memory_order_acquire,
						     memory_order_relaxed)) {
		count_mine(s, HUB_SLOT_REF(klass, i), -1);
		return false;
	}
	HUB_STEP("slot.claim.after");
	*slot = (struct hub_slot_ref){ HUB_SLOT_REF(klass, i), now };
	return true;
}

static bool claim_hinted(struct hub_slots *s, unsigned klass, uint32_t first,
			 struct hub_slot_end end, struct hub_slot_ref *slot)
{
	struct hub_slot_class *c = &s->klass[klass];
	bool found = false;

	if (pthread_mutex_trylock(&c->lock))
		return false;
	while (!found && c->hints) {
		const uint32_t i = c->hint[--c->hints];

		found = i >= first && try_claim(s, klass, i, end, slot);
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

static bool claim_between(struct hub_slots *s, unsigned klass, uint32_t from, uint32_t to,
			  struct hub_slot_end end, struct hub_slot_ref *slot)
{
	for (uint32_t i = from; i < to; i++)
		if (try_claim(s, klass, i, end, slot)) {
			hub_put32(&hub_map_class(s->map, klass)->hint, i + 1);
			return true;
		}
	return false;
}

/* Publishes more slots: their table's pages first, then the count. False: it is at its limit,
 * or the filesystem is. */
static bool grow(struct hub_slots *s, unsigned klass, uint32_t n)
{
	const struct hub_table *t = &s->map->klass[klass].slots;
	struct hub_class *c = hub_map_class(s->map, klass);
	const uint32_t max = s->map->klass[klass].max;
	const uint32_t more = n < max - n ? 2 * n : max;

	if (n >= max || HUB_FAULT_IS(no_growth))
		return false;
	if (hub_file_back(s->map->fd, t->offset + n * t->stride, (more - n) * t->stride)) {
		count_no_space(s, klass);
		return false;
	}
	HUB_STEP("slot.grow.backed");
	uint32_t was = hub_get32(&c->slots);

	/* release G1: the new slots' words exist; pairs with acquire G1 in hub_slot_published().
	 * A count beyond the table (scribbled) is left alone: readers clamp it. */
	if (was < more && atomic_compare_exchange_strong_explicit(&c->slots, &was, more,
								  memory_order_release,
								  memory_order_relaxed))
		hub_add_shared(&c->grown, 1);
	return true;
}

static bool claim_likely(struct hub_slots *s, unsigned klass, uint32_t likely, uint32_t first,
			 struct hub_slot_end end, struct hub_slot_ref *slot)
{
	const uint32_t i = HUB_SLOT_REF_INDEX(likely);

	return likely != HUB_NO_SLOT && HUB_SLOT_REF_CLASS(likely) == klass && i >= first &&
	       i < hub_slot_published(s, klass) && try_claim(s, klass, i, end, slot);
}

/* A slot from `first` on. */
static bool claim_any(struct hub_slots *s, unsigned klass, uint32_t first, struct hub_slot_end end,
		      struct hub_slot_ref *slot)
{
	if (claim_hinted(s, klass, first, end, slot))
		return true;
	for (;;) {
		const uint32_t n = hub_slot_published(s, klass);
		uint32_t from = hub_get32(&hub_map_class(s->map, klass)->hint);

		if (from >= n || from < first)
			from = first;
		if (claim_between(s, klass, from, n, end, slot) ||
		    claim_between(s, klass, first, from, end, slot))
			return true;
		if (!grow(s, klass, n))
			return false;
	}
}

uint32_t hub_slot_share(const struct hub_slots *s, unsigned klass, bool is_answer)
{
	const uint32_t max = s->map->klass[klass].max;

	if (HUB_FAULT_IS(no_shares))
		return UINT32_MAX;
	if (max < 2)
		return max;
	return (max < WAY_SHARE ? 1 : max / WAY_SHARE) + is_answer;
}

int hub_slot_claim(struct hub_slots *s, unsigned klass, uint32_t bytes, struct hub_slot_end end,
		   bool is_answer, uint32_t likely, struct hub_slot_ref *slot)
{
	const uint32_t first = is_answer || HUB_FAULT_IS(no_shares) ? 0 : s->map->klass[klass].answers;
	struct hub_class *c = hub_map_class(s->map, klass);
	struct hub_slot_ref mine;

	if (!claim_likely(s, klass, likely, first, end, &mine) &&
	    !claim_any(s, klass, first, end, &mine)) {
		hub_add_shared(&c->failed, 1);
		return -EAGAIN;
	}
	const int r = back_slot(s, mine.ref, bytes);

	if (r) {
		hub_slot_free(s, &mine);
		return r;
	}
	hub_add_shared(&c->claims, 1);
	*slot = mine;
	return 0;
}

bool hub_slot_may_go_up(struct hub_slots *s, unsigned klass)
{
	if (klass >= s->map->class_count)
		return false;
	if (HUB_FAULT_IS(no_shares))
		return true;
	const uint32_t n = hub_slot_published(s, klass), max = s->map->klass[klass].max;
	uint32_t free_slots = max - n;

	for (uint32_t i = 0; i < n && free_slots <= max / UP_SHARE; i++)
		free_slots += HUB_SLOT_STATE(hub_get64(&hub_map_slot(s->map, klass, i)->word)) ==
			      HUB_SLOT_FREE;
	return free_slots > max / UP_SHARE;
}

uint32_t hub_slot_count(struct hub_slots *s, unsigned klass, struct hub_slot_end end)
{
	const uint32_t n = hub_slot_published(s, klass);
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint64_t word = hub_get64(&hub_map_slot(s->map, klass, i)->word);

		count += HUB_SLOT_STATE(word) != HUB_SLOT_FREE &&
			 HUB_SLOT_STATE(word) != HUB_SLOT_PUNCHING &&
			 HUB_SLOT_PEER(word) == end.peer && HUB_SLOT_DIRECTION(word) == end.direction;
	}
	return count;
}

/* ---- send, take, free --------------------------------------------------------------------- */

static int move(struct hub_slots *s, struct hub_slot_ref *slot, unsigned state)
{
	uint64_t was = slot->word;
	const uint64_t now = with_state(was, state);

	/* acq_rel S1: hands the payload on, or takes it over; pairs with itself on the other side */
	if (!atomic_compare_exchange_strong_explicit(&slot_of(s, slot->ref)->word, &was, now,
						     memory_order_acq_rel, memory_order_relaxed))
		return -ESTALE;
	slot->word = now;
	return 0;
}

int hub_slot_send(struct hub_slots *s, struct hub_slot_ref *slot, uint32_t bytes, uint32_t call,
		  uint16_t method, uint32_t time_ms)
{
	struct hub_slot *at = slot_of(s, slot->ref);

	hub_put32(&at->time_ms, time_ms);
	hub_put32(&at->bytes, bytes);
	hub_put32(&at->call, call);
	hub_put32(&at->method, method);
	HUB_STEP("slot.send.before");
	const int r = move(s, slot, HUB_SLOT_IN_FLIGHT);

	HUB_STEP("slot.send.after");
	if (!r)
		count_mine(s, slot->ref, -1);
	return r;
}

static bool is_reference(const struct hub_slots *s, uint32_t ref, uint32_t bytes)
{
	const unsigned klass = HUB_SLOT_REF_CLASS(ref);

	return klass < s->map->class_count && HUB_SLOT_REF_INDEX(ref) < s->map->klass[klass].max &&
	       bytes <= s->map->klass[klass].bytes;
}

int hub_slot_take(struct hub_slots *s, uint32_t ref, uint32_t gen, uint32_t bytes,
		  struct hub_slot_end end, uint32_t time_ms, struct hub_slot_ref *slot)
{
	if (!is_reference(s, ref, bytes))
		return -EBADMSG;
	/* a table page beyond the published count may not exist: nobody can have sent from there */
	if (HUB_SLOT_REF_INDEX(ref) >= hub_slot_published(s, HUB_SLOT_REF_CLASS(ref)))
		return -EBADMSG;
	struct hub_slot_ref mine = { ref, hub_get64(&slot_of(s, ref)->word) };

	if ((uint32_t)HUB_SLOT_GENERATION(mine.word) != gen ||
	    mine.word != end_word(HUB_SLOT_IN_FLIGHT, end, HUB_SLOT_GENERATION(mine.word)))
		return -ESTALE;
	count_mine(s, ref, 1);
	HUB_STEP("slot.take.before");
	int r = move(s, &mine, HUB_SLOT_HELD);

	HUB_STEP("slot.take.after");
	if (r) {
		count_mine(s, ref, -1);
		return r;
	}
	hub_put32(&slot_of(s, ref)->time_ms, time_ms);
	/* the sender should have backed it; the host reads only what it knows to have pages */
	if (s->is_host && (r = back_slot(s, ref, bytes))) {
		hub_slot_free(s, &mine);
		return r;
	}
	*slot = mine;
	return 0;
}

static void remember_hint(struct hub_slots *s, uint32_t ref)
{
	struct hub_slot_class *c = &s->klass[HUB_SLOT_REF_CLASS(ref)];
	struct hub_class *mirror = hub_map_class(s->map, HUB_SLOT_REF_CLASS(ref));
	const uint32_t i = HUB_SLOT_REF_INDEX(ref);

	if (pthread_mutex_trylock(&c->lock))
		return;
	/* claimers write to its line: not looked at for each small slot that is given back */
	if ((c->freed += s->map->klass[HUB_SLOT_REF_CLASS(ref)].bytes) >= LOOK_BYTES) {
		c->freed = 0;
		c->cursor = hub_get32(&mirror->hint);
	}
	if (i < c->cursor) {
		hub_put32(&mirror->hint, i); /* the next search starts low: a compact file */
		c->cursor = i;
	}
	if (c->hints == HUB_SLOT_HINTS) {
		memmove(c->hint, c->hint + HUB_SLOT_HINTS / 2, sizeof(c->hint) / 2);
		c->hints = HUB_SLOT_HINTS / 2;
	}
	c->hint[c->hints++] = i;
	pthread_mutex_unlock(&c->lock);
}

/* True: it was what `slot` says, and is free now. */
static bool set_free(struct hub_slots *s, const struct hub_slot_ref *slot)
{
	uint64_t was = slot->word;

	HUB_STEP("slot.free.before");
	/* release S1: the payload is done with; pairs with acquire S1 in try_claim(). seq_cst B1:
	 * and the waiters are looked at after it; pairs with hub_slot_announce(). */
	const bool freed = atomic_compare_exchange_strong_explicit(
		&slot_of(s, slot->ref)->word, &was, with_state(was, HUB_SLOT_FREE),
		memory_order_seq_cst, memory_order_relaxed);

	HUB_STEP("slot.free.after");
	return freed;
}

bool hub_slot_free(struct hub_slots *s, struct hub_slot_ref *slot)
{
	if (slot->ref == HUB_NO_SLOT)
		return false;
	const uint32_t ref = slot->ref;
	const bool freed = set_free(s, slot);

	slot->ref = HUB_NO_SLOT;
	count_mine(s, ref, -1);
	if (!freed)
		return false; /* swept meanwhile, or scribbled over: no longer ours to give back */
	remember_hint(s, ref);
	/* seq_cst B1: pairs with hub_slot_announce() */
	return atomic_load_explicit(&hub_map_class(s->map, HUB_SLOT_REF_CLASS(ref))->waiters,
				    memory_order_seq_cst) != 0;
}

/* ---- waiting ------------------------------------------------------------------------------ */

void hub_slot_announce(struct hub_slots *s, unsigned klass)
{
	/* seq_cst B1: before the second look at the slot words; pairs with hub_slot_free() */
	atomic_store_explicit(&hub_map_class(s->map, klass)->waiters, 1, memory_order_seq_cst);
}

bool hub_slot_unannounce(struct hub_slots *s)
{
	bool any = false;

	for (unsigned i = 0; i < s->map->class_count; i++) {
		struct hub_class *c = hub_map_class(s->map, i);

		/* seq_cst B1: cleared before the waiters are woken to look and announce again */
		if (hub_get32(&c->waiters) &&
		    atomic_exchange_explicit(&c->waiters, 0, memory_order_seq_cst))
			any = true;
	}
	return any;
}

/* ---- sweep --------------------------------------------------------------------------------- */

/* Must this slot go back when that incarnation of the peer is dead? */
static bool is_left_behind(uint64_t word, unsigned peer, unsigned incarnation)
{
	if (HUB_SLOT_PEER(word) != peer || HUB_SLOT_INCARNATION(word) != (incarnation & 0x1ff))
		return false;
	switch (HUB_SLOT_STATE(word)) {
	case HUB_SLOT_ALLOCATED:
		return HUB_SLOT_DIRECTION(word) == HUB_TO_HOST;
	case HUB_SLOT_IN_FLIGHT:
		return true;
	case HUB_SLOT_HELD:
		return HUB_SLOT_DIRECTION(word) == HUB_TO_PEER;
	default:
		return false;
	}
}

static bool sweep_slot(struct hub_slots *s, unsigned klass, uint32_t i, unsigned peer,
		       unsigned incarnation, uint32_t time_ms)
{
	struct hub_slot *at = hub_map_slot(s->map, klass, i);
	const struct hub_slot_ref slot = { HUB_SLOT_REF(klass, i), hub_get64(&at->word) };

	if (!is_left_behind(slot.word, peer, incarnation) || !set_free(s, &slot))
		return false;
	remember_hint(s, slot.ref);
	hub_put32(&at->time_ms, time_ms);
	return true;
}

uint32_t hub_slot_sweep(struct hub_slots *s, unsigned peer, unsigned incarnation, uint32_t time_ms)
{
	uint32_t swept = 0;

	for (unsigned klass = 0; klass < s->map->class_count; klass++) {
		const uint32_t n = hub_slot_published(s, klass);

		for (uint32_t i = 0; i < n; i++)
			swept += sweep_slot(s, klass, i, peer, incarnation, time_ms);
	}
	/* what the dead peer backed without ever sending it is known only to the shared marks */
	hub_put32(&s->backed_more, 1);
	return swept;
}

/* ---- repair -------------------------------------------------------------------------------- */

/* Can somebody who lives, and keeps to the protocol, have written this word? */
static bool is_possible(struct hub_slots *s, unsigned klass, uint32_t i, uint64_t word,
			bool (*is_alive)(void *, unsigned, unsigned), void *arg)
{
	const bool hosts = HUB_SLOT_DIRECTION(word) == HUB_TO_PEER;

	switch (HUB_SLOT_STATE(word)) {
	case HUB_SLOT_FREE:
		return true;
	case HUB_SLOT_IN_FLIGHT:
		return is_alive(arg, HUB_SLOT_PEER(word), HUB_SLOT_INCARNATION(word));
	case HUB_SLOT_ALLOCATED:
	case HUB_SLOT_HELD:
		/* the host's: of a dead peer's incarnation too, as long as it knows of it */
		if (hosts == (HUB_SLOT_STATE(word) == HUB_SLOT_ALLOCATED))
			/* seq_cst M2: it was counted before the word was written */
			return atomic_load_explicit(&s->klass[klass].mine[i], memory_order_seq_cst);
		return is_alive(arg, HUB_SLOT_PEER(word), HUB_SLOT_INCARNATION(word));
	default:
		return false; /* punching: that is done by the thread that also repairs */
	}
}

uint32_t hub_slot_repair(struct hub_slots *s,
			 bool (*is_alive)(void *arg, unsigned peer, unsigned incarnation), void *arg)
{
	uint32_t repaired = 0;

	for (unsigned klass = 0; klass < s->map->class_count; klass++) {
		const uint32_t n = hub_slot_published(s, klass);

		for (uint32_t i = 0; i < n; i++) {
			struct hub_slot *at = hub_map_slot(s->map, klass, i);
			const struct hub_slot_ref slot = { HUB_SLOT_REF(klass, i),
							   hub_get64(&at->word) };

			if (!is_possible(s, klass, i, slot.word, is_alive, arg))
				repaired += set_free(s, &slot);
		}
	}
	return repaired;
}

/* ---- punch --------------------------------------------------------------------------------- */

/* Was slot i free in the last pass too, unused since? Notes its word for the next pass. */
static bool is_idle(struct hub_slots *s, unsigned klass, uint32_t i)
{
	uint64_t *seen = &s->klass[klass].idle[i];
	const uint64_t word = hub_get64(&hub_map_slot(s->map, klass, i)->word);
	const bool same = HUB_SLOT_STATE(word) == HUB_SLOT_FREE && *seen == word + 1;

	*seen = word + 1; /* so that 0 is "never looked at" */
	return same;
}

static bool take_for_punching(struct hub_slots *s, unsigned klass, uint32_t i)
{
	uint64_t was = s->klass[klass].idle[i] - 1;
	const uint64_t now = with_state(was, HUB_SLOT_PUNCHING);

	/* acquire S1: from the last holder; pairs with release S1 in hub_slot_free() */
	return atomic_compare_exchange_strong_explicit(&hub_map_slot(s->map, klass, i)->word, &was,
						       now, memory_order_acquire,
						       memory_order_relaxed);
}

static void give_back_punched(struct hub_slots *s, unsigned klass, uint32_t i)
{
	const uint64_t free_word = s->klass[klass].idle[i] - 1;

	/* release S1: marks and pages are gone before anybody can claim it again */
	atomic_store_explicit(&hub_map_slot(s->map, klass, i)->word, free_word, memory_order_release);
}

static void unmark(struct hub_slots *s, unsigned klass, uint64_t unit)
{
	const uint64_t bit = UINT64_C(1) << (unit % 64);

	/* relaxed: all slots in the unit are ours; the release S1 that frees them publishes it */
	atomic_fetch_and_explicit(mark_word(s, klass, unit), ~bit, memory_order_relaxed);
	/* relaxed: as above */
	atomic_fetch_and_explicit(&s->klass[klass].backed[unit / 64], ~bit, memory_order_relaxed);
}

/* Any end's mark counts here: a peer may have backed what the host has never seen. */
static bool has_mark(const struct hub_slots *s, unsigned klass, uint64_t unit)
{
	return (hub_get64(mark_word(s, klass, unit)) >> (unit % 64) & 1) ||
	       (hub_get64(&s->klass[klass].backed[unit / 64]) >> (unit % 64) & 1);
}

struct group { /* slots that are punched together, and their units */
	unsigned klass;
	uint32_t first, slots;
	uint64_t unit, units;
	bool is_whole; /* false: slots of it are not published yet, so cannot be claimed */
};

static struct group group_at(const struct hub_slots *s, unsigned klass, uint32_t i, uint32_t n)
{
	const struct hub_map_class *k = &s->map->klass[klass];

	if (k->bytes >= k->unit) {
		const uint64_t units = k->bytes / k->unit;

		return (struct group){ klass, i, 1, i * units, units, true };
	}
	const uint32_t per = k->unit / k->bytes;
	const uint32_t in_table = k->max - i < per ? k->max - i : per;
	const uint32_t slots = n - i < per ? n - i : per;

	return (struct group){ klass, i, slots, i / per, 1, slots == in_table };
}

static uint64_t punch_units(struct hub_slots *s, const struct group *g)
{
	const struct hub_map_class *k = &s->map->klass[g->klass];
	const uint64_t all = (uint64_t)k->bytes * k->max;
	uint64_t bytes = 0;

	for (uint64_t u = g->unit; u < g->unit + g->units; u++) {
		const uint64_t from = u * k->unit;
		const uint64_t n = all - from < k->unit ? all - from : k->unit;

		if (!has_mark(s, g->klass, u))
			continue;
		unmark(s, g->klass, u);
		HUB_STEP("slot.punch.unmarked");
		if (fallocate(s->map->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)(k->payload.offset + from), (off_t)n) == 0)
			bytes += n;
	}
	return bytes;
}

static bool group_is_backed(const struct hub_slots *s, const struct group *g)
{
	for (uint64_t u = g->unit; u < g->unit + g->units; u++)
		if (has_mark(s, g->klass, u))
			return true;
	return false;
}

static uint64_t punch_group(struct hub_slots *s, const struct group *g)
{
	uint32_t taken = 0;
	uint64_t bytes = 0;

	while (taken < g->slots && take_for_punching(s, g->klass, g->first + taken))
		taken++;
	HUB_STEP("slot.punch.taken");
	if (taken == g->slots) {
		bytes = punch_units(s, g);
		hub_add_shared(&hub_map_class(s->map, g->klass)->punched, g->slots);
	}
	while (taken)
		give_back_punched(s, g->klass, g->first + --taken);
	return bytes;
}

static uint64_t punch_class(struct hub_slots *s, unsigned klass, bool *more)
{
	const uint32_t n = hub_slot_published(s, klass);
	const bool is_small = s->map->klass[klass].bytes < s->map->klass[klass].unit;
	uint64_t bytes = 0;
	struct group g;

	for (uint32_t i = 0; i < n; i += g.slots) {
		bool idle = true;

		g = group_at(s, klass, i, n);
		for (uint32_t k = 0; k < g.slots; k++)
			idle &= is_idle(s, klass, i + k);
		if ((is_small && i == 0) || !group_is_backed(s, &g) || !g.is_whole)
			continue;
		if (idle)
			bytes += punch_group(s, &g);
		*more |= group_is_backed(s, &g);
	}
	return bytes;
}

uint64_t hub_slot_punch(struct hub_slots *s, bool *more)
{
	uint64_t bytes = 0;

	*more = false;
	for (unsigned klass = 0; klass < s->map->class_count; klass++)
		bytes += punch_class(s, klass, more);
	return bytes;
}
