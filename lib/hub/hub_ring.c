/*
 * A message is one to four cells. Every cell, continuation cells too, begins with a word of
 * its own that names its position in the ring's endless sequence. The producer writes payload
 * and continuation words first, then the first cell's word: that store is the publication.
 * A consumer at position p looks at one word; only {p, first} is a message. What else may
 * stand there is older (an earlier lap) or not yet published, never a phantom.
 *
 * If the producer dies
 *	before the first cell's word	nothing was sent; the cells it filled are scrubbed or
 *					overwritten by the next incarnation
 *	after it, before `head`		the message is whole and will be taken; `head` is short
 *					by one message, which readers correct by the cells
 * If the consumer dies
 *	before `tail`			the message still lies there (whoever cleans up drops it)
 *	after it			the message is gone with its taker, as with any queue
 */
#include "lib/hub/hub_ring.h"

#include <errno.h>
#include <string.h>

#include "lib/hub/hub_fault.h"

_Static_assert(offsetof(struct hub_cell, payload) - offsetof(struct hub_cell, time_ms) == 32,
	       "a descriptor's fixed part is copied in one piece");
_Static_assert(offsetof(struct hub_message, small) == 32, "private and shared layout agree");

/*
 * How often the consumer looks for a producer that waits for space, per lap: the look costs a
 * full fence, as much as the rest of taking a small message. Whoever waits found, after it had
 * announced itself, no more free cells than HUB_RING_RESERVED and one message less than it needs:
 * so at least cells - 12 untaken ones. A sixteenth of the ring (one cell, in the smallest) lies
 * among them, wherever they begin, and at its end the consumer looks.
 */
enum { DESC_BYTES = 32, SPACE_LOOKS = 16 };

unsigned hub_ring_cells(uint32_t inline_len)
{
	if (inline_len <= HUB_INLINE_FIRST)
		return 1;
	return 1 + (inline_len - HUB_INLINE_FIRST + HUB_INLINE_MORE - 1) / HUB_INLINE_MORE;
}

void hub_ring_tx_start(struct hub_tx *tx, struct hub_ring *ring, uint32_t cells, uint64_t position)
{
	tx->ring = ring;
	tx->mask = cells - 1;
	tx->position = tx->tail = position;
	tx->notified = tx->handled = hub_get64(&ring->handled);
	hub_put64(&ring->head, position);
}

void hub_ring_rx_start(struct hub_rx *rx, struct hub_ring *ring, uint32_t cells, uint64_t position)
{
	rx->ring = ring;
	rx->mask = cells - 1;
	rx->position = position;
	/* release H2: a new beginning; pairs with acquire H2 in hub_ring_claim() */
	atomic_store_explicit(&ring->tail, position, memory_order_release);
}

void hub_ring_tx_adopt(struct hub_tx *tx, const struct hub_ring *ring)
{
	tx->messages = hub_get64(&ring->messages);
	tx->bytes = hub_get64(&ring->bytes);
	tx->bells = hub_get64(&ring->bells);
	tx->full = hub_get64(&ring->full);
	tx->full_waits = hub_get64(&ring->full_waits);
}

void hub_ring_rx_adopt(struct hub_rx *rx, const struct hub_ring *ring)
{
	hub_put64(&rx->taken, hub_get64(&ring->taken));
	hub_put64(&rx->taken_bytes, hub_get64(&ring->taken_bytes));
	hub_put64(&rx->sleeps, hub_get64(&ring->sleeps));
	rx->refused = hub_get64(&ring->refused);
}

static struct hub_cell *cell_at(struct hub_ring *ring, uint64_t mask, uint64_t position)
{
	return &HUB_RING_CELLS(ring)[position & mask];
}

static bool fits(const struct hub_tx *tx, unsigned n, bool may_use_reserved)
{
	const uint64_t room = tx->mask + 1 - (may_use_reserved ? 0 : HUB_RING_RESERVED);

	return tx->position + n - tx->tail <= room;
}

/* The consumer's tail, believed only where it can be true. */
static int look_at_tail(struct hub_tx *tx)
{
	/* acquire H2 and seq_cst B1: cells below it were copied; pairs with hub_ring_next() */
	const uint64_t tail = atomic_load_explicit(&tx->ring->tail, memory_order_seq_cst);

	if (tail < tx->tail || tail > tx->position)
		return -EBADMSG;
	tx->tail = tail;
	return 0;
}

int hub_ring_claim(struct hub_tx *tx, unsigned n, bool may_use_reserved)
{
	if (fits(tx, n, may_use_reserved))
		return 0;
	const int r = look_at_tail(tx);

	if (r)
		return r;
	return fits(tx, n, may_use_reserved) ? 0 : -EAGAIN;
}

bool hub_ring_has_room(struct hub_tx *tx, unsigned n, bool may_use_reserved)
{
	return look_at_tail(tx) || fits(tx, n, may_use_reserved);
}

int hub_ring_credit(struct hub_tx *tx)
{
	if (tx->notified - tx->handled < HUB_NOTIFY_WINDOW)
		return 0;
	/* acquire H3 and seq_cst B1: pairs with hub_ring_handled() */
	const uint64_t handled = atomic_load_explicit(&tx->ring->handled, memory_order_seq_cst);

	if (handled < tx->handled || handled > tx->notified)
		return -EBADMSG;
	tx->handled = handled;
	return tx->notified - handled < HUB_NOTIFY_WINDOW ? 0 : -EAGAIN;
}

bool hub_ring_handled(struct hub_ring *ring, uint64_t n)
{
	if (n % (HUB_NOTIFY_WINDOW / 2)) {
		/* release H3: pairs with hub_ring_credit() */
		atomic_store_explicit(&ring->handled, n, memory_order_release);
		return false;
	}
	/* release H3 and seq_cst B1: then the announcement is looked at; see hub_ring_credit() */
	atomic_store_explicit(&ring->handled, n, memory_order_seq_cst);
	return true;
}

bool hub_ring_is_due(const struct hub_rx *rx, uint64_t from)
{
	return (from ^ rx->position) > rx->mask / SPACE_LOOKS;
}

bool hub_ring_moves(const _Atomic uint64_t *count, uint64_t from, uint64_t by,
		    struct hub_spin *spin)
{
	while (hub_get64(count) - from <= by) {
		hub_relax_apart();
		spin->n |= HUB_LOOKS_PER_CLOCK - 1; /* a look at the clock costs less than these */
		if (!hub_spin_on(spin))
			return false;
	}
	return true;
}

static void write_more(struct hub_tx *tx, unsigned i, const uint8_t *from, uint32_t len)
{
	struct hub_cell *cell = cell_at(tx->ring, tx->mask, tx->position + i);

	memcpy(cell->more, from, len);
	/* relaxed: the first cell's word (H1) publishes this one too */
	atomic_store_explicit(&cell->word, HUB_WORD(tx->position + i, 0, i), memory_order_relaxed);
}

/* The cell is going to be written. */
static void ask_for(const struct hub_cell *cell)
{
#if defined(__x86_64__)
	/* prefetchw: __builtin_prefetch(, 1) would only ask for reading on plain x86-64 */
	__asm__ volatile("prefetchw %0" : : "m"(*cell));
#else
	__builtin_prefetch(cell, 1);
#endif
}

/*
 * The consumer has these cells in its cache, from reading them a lap ago; each store to one of
 * them would wait for the line, and the fence of the publication for that. So lines are asked for
 * AHEAD cells before they are written, where they are known to have been taken: twice as many
 * messages get through. Not much nearer: a consumer that follows closely would take them back,
 * its processor fetches some 20 lines ahead of those it reads. For calls, which are asked and
 * answered in turn, it always follows closely: see hub_ring_ask().
 */
static void ask_for_lines(const struct hub_tx *tx)
{
	enum { AHEAD = 32 };

	if (tx->position + AHEAD + 2 - tx->tail > tx->mask)
		return;
	for (unsigned i = AHEAD; i < AHEAD + 2; i++)
		ask_for(cell_at(tx->ring, tx->mask, tx->position + i));
}

void hub_ring_ask(struct hub_ring *ring, uint64_t mask, unsigned n)
{
	const uint64_t head = hub_get64(&ring->head);

	for (unsigned i = 0; i < n; i++)
		ask_for(cell_at(ring, mask, head + i));
}

unsigned hub_ring_write(struct hub_tx *tx, const struct hub_message *m, const void *payload)
{
	struct hub_cell *cell = cell_at(tx->ring, tx->mask, tx->position);
	const uint32_t len = m->slot == HUB_NO_SLOT ? m->len : 0;
	const uint32_t in_first = len < HUB_INLINE_FIRST ? len : HUB_INLINE_FIRST;
	const uint8_t *from = payload;
	unsigned n = 1;

	if (m->kind == HUB_KIND_NOTIFY || m->kind == HUB_KIND_BODY)
		ask_for_lines(tx);
	memcpy(&cell->time_ms, m, DESC_BYTES);
	if (in_first)
		memcpy(cell->payload, from, in_first);
	for (uint32_t done = in_first; done < len; n++) {
		const uint32_t part = len - done < HUB_INLINE_MORE ? len - done : HUB_INLINE_MORE;

		write_more(tx, n, from + done, part);
		done += part;
	}
	return n;
}

void hub_ring_publish(struct hub_tx *tx, unsigned n, uint32_t bytes)
{
	struct hub_ring *ring = tx->ring;
	struct hub_cell *cell = cell_at(ring, tx->mask, tx->position);

	HUB_STEP("ring.publish.before");
	/* release H1 and seq_cst B1: the message is whole; and the announcement is looked at after
	 * this store. Pairs with hub_ring_next(), hub_ring_is_empty(). */
	atomic_store_explicit(&cell->word, HUB_WORD(tx->position, 1, n), memory_order_seq_cst);
	HUB_STEP("ring.publish.after");
	tx->position += n;
	tx->last_cells = n;
	hub_put64(&ring->head, tx->position);
	hub_put64(&ring->messages, ++tx->messages);
	hub_put64(&ring->bytes, tx->bytes += bytes);
}

/* Copies the continuation cells' payload; false when their words are not what was promised. */
static bool read_more(const struct hub_rx *rx, unsigned n, uint32_t len, uint8_t *to)
{
	for (unsigned i = 1; i < n; i++) {
		struct hub_cell *cell = cell_at(rx->ring, rx->mask, rx->position + i);
		const uint32_t part = len < HUB_INLINE_MORE ? len : HUB_INLINE_MORE;

		/* relaxed: published by the first cell's word (acquire H1 in hub_ring_next()) */
		if (atomic_load_explicit(&cell->word, memory_order_relaxed) !=
		    HUB_WORD(rx->position + i, 0, i))
			return false;
		memcpy(to, cell->more, part);
		to += part;
		len -= part;
	}
	return true;
}

static bool read_message(const struct hub_rx *rx, unsigned n, struct hub_message *m)
{
	const struct hub_cell *cell = cell_at(rx->ring, rx->mask, rx->position);

	memcpy(m, &cell->time_ms, DESC_BYTES);
	if (m->slot != HUB_NO_SLOT)
		return n == 1;
	if (m->len > HUB_INLINE_MAX || n != hub_ring_cells(m->len))
		return false;
	const uint32_t in_first = m->len < HUB_INLINE_FIRST ? m->len : HUB_INLINE_FIRST;

	memcpy(m->small, cell->payload, in_first);
	return read_more(rx, n, m->len - in_first, m->small + in_first);
}

int hub_ring_next(struct hub_rx *rx, struct hub_message *m, uint32_t now_ms)
{
	struct hub_ring *ring = rx->ring;
	struct hub_cell *cell = cell_at(ring, rx->mask, rx->position);
	/* acquire H1: pairs with release H1 in hub_ring_publish() */
	const uint64_t word = atomic_load_explicit(&cell->word, memory_order_acquire);
	const unsigned n = HUB_WORD_CELLS(word);

	if (word != HUB_WORD(rx->position, 1, n)) {
		/* a word from the future was written by nobody who keeps to the protocol */
		return HUB_WORD_POSITION(word) > rx->position ||
				       (word && HUB_WORD_POSITION(word) == rx->position) ?
			       -EBADMSG :
			       0;
	}
	if (n < 1 || n > HUB_MSG_CELLS || !read_message(rx, n, m)) {
		hub_put64(&ring->refused, ++rx->refused);
		return -EBADMSG;
	}
	const uint64_t from = rx->position;

	rx->position += n;
	HUB_STEP("ring.next.before_tail");
	if (hub_ring_is_due(rx, from))
		/* release H2 and seq_cst B1: the cells were copied; and the other end's wait for
		 * space is looked at after this store. Pairs with look_at_tail(). */
		atomic_store_explicit(&ring->tail, rx->position, memory_order_seq_cst);
	else
		/* release H2: see above */
		atomic_store_explicit(&ring->tail, rx->position, memory_order_release);
	HUB_STEP("ring.next.after_tail");
	hub_add(&rx->taken, 1);
	hub_add(&rx->taken_bytes, m->len);
	hub_put64(&ring->taken, hub_get64(&rx->taken));
	hub_put64(&ring->taken_bytes, hub_get64(&rx->taken_bytes));
	hub_put32(&ring->take_ms, now_ms);
	return 1;
}

bool hub_ring_is_empty(const struct hub_rx *rx)
{
	struct hub_cell *cell = cell_at(rx->ring, rx->mask, rx->position);
	/* seq_cst B1: loaded after the announcement was stored; pairs with hub_ring_publish() */
	const uint64_t word = atomic_load_explicit(&cell->word, memory_order_seq_cst);

	return HUB_WORD_POSITION(word) < rx->position || !word;
}

bool hub_ring_is_quiet(const struct hub_rx *rx)
{
	const struct hub_cell *cell = cell_at(rx->ring, rx->mask, rx->position);

	return !hub_ring_is_empty(rx) && cell->kind == HUB_KIND_REPLY && (cell->flags & HUB_FLAG_QUIET);
}

bool hub_ring_is_half_full(struct hub_tx *tx)
{
	const uint64_t half = (tx->mask + 1) / 2;

	return tx->position - tx->tail > half && (look_at_tail(tx) || tx->position - tx->tail > half);
}

bool hub_ring_is_torn(const struct hub_rx *rx)
{
	const uint64_t cells = rx->mask + 1;

	if (hub_get64(&rx->ring->head) <= rx->position)
		return false;
	for (uint64_t i = 1; i < cells; i++) {
		const uint64_t word = hub_get64(&cell_at(rx->ring, rx->mask, rx->position + i)->word);
		const unsigned n = HUB_WORD_CELLS(word);

		if (n >= 1 && n <= HUB_MSG_CELLS && word == HUB_WORD(rx->position + i, 1, n))
			return hub_ring_is_empty(rx); /* it may have come meanwhile */
	}
	return false;
}

uint64_t hub_ring_skip(struct hub_rx *rx)
{
	struct hub_message m;
	uint64_t n = 0;

	while (hub_ring_next(rx, &m, hub_get32(&rx->ring->take_ms)) == 1)
		n++;
	return n;
}

void hub_ring_scrub(struct hub_ring *ring, uint32_t cells, uint64_t position)
{
	for (uint32_t i = 0; i < cells; i++) {
		const uint64_t word = hub_get64(&HUB_RING_CELLS(ring)[i].word);

		if (word && HUB_WORD_POSITION(word) >= position)
			hub_put64(&HUB_RING_CELLS(ring)[i].word, 0);
	}
}
