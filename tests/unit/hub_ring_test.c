/* One ring in plain memory: both ends in this process. */
#include "tests/t.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hub/hub_ring.h"

enum { CELLS = 16 };

static struct hub_ring *ring;
static struct hub_tx tx;
static struct hub_rx rx;

static void start(uint64_t position)
{
	ring = aligned_alloc(64, sizeof(*ring) + CELLS * sizeof(struct hub_cell));
	memset(ring, 0, sizeof(*ring) + CELLS * sizeof(struct hub_cell));
	hub_ring_tx_start(&tx, ring, CELLS, position);
	hub_ring_rx_start(&rx, ring, CELLS, position);
}

static int put(uint32_t len, const uint8_t *payload, bool urgent)
{
	const struct hub_message m = { .kind = HUB_KIND_CALL, .len = len, .slot = HUB_NO_SLOT,
				       .call = len };
	const int r = hub_ring_claim(&tx, hub_ring_cells(len), urgent);

	if (r)
		return r;
	hub_ring_publish(&tx, hub_ring_write(&tx, &m, payload), len);
	return 0;
}

TEST(what_is_put_in_comes_out_at_every_length_over_many_laps)
{
	uint8_t payload[HUB_INLINE_MAX];
	struct hub_message m;

	start(0);
	for (uint32_t n = 0; n < 3000; n++) {
		const uint32_t len = n % (HUB_INLINE_MAX + 1);

		for (uint32_t i = 0; i < len; i++)
			payload[i] = (uint8_t)(n + i);
		T_EQ(put(len, payload, true), 0);
		T_EQ(hub_ring_is_empty(&rx), false);
		T_EQ(hub_ring_next(&rx, &m, 9), 1);
		T_EQ(m.len, len);
		T_EQ(m.call, len);
		T_EQ(memcmp(m.small, payload, len), 0);
		T_EQ(hub_ring_is_empty(&rx), true);
		T_EQ(hub_ring_next(&rx, &m, 9), 0);
	}
	T_EQ(ring->messages, 3000);
	T_EQ(ring->taken, 3000);
	T_EQ(ring->head, ring->tail);
	T_EQ(ring->take_ms, 9);
}

TEST(a_full_ring_keeps_its_last_cells_for_answers)
{
	struct hub_message m;
	int n = 0, r;

	start(1000);
	while (!(r = put(0, NULL, false)))
		n++;
	T_EQ(r, -EAGAIN);
	T_EQ(n, CELLS - HUB_RING_RESERVED);
	T_EQ(hub_ring_has_room(&tx, 1, false), false);
	while (!(r = put(0, NULL, true)))
		n++;
	T_EQ(r, -EAGAIN);
	T_EQ(n, CELLS);
	for (int i = 0; i < n; i++)
		T_EQ(hub_ring_next(&rx, &m, 0), 1);
	T_EQ(hub_ring_has_room(&tx, CELLS - HUB_RING_RESERVED, false), true);
	T_EQ(put(0, NULL, false), 0);
}

TEST(what_was_claimed_and_not_published_is_no_message)
{
	const struct hub_message m = { .kind = HUB_KIND_CALL, .len = 150, .slot = HUB_NO_SLOT };
	uint8_t payload[150] = { 0 };
	struct hub_message out;

	start(0);
	T_EQ(put(30, payload, false), 0);
	T_EQ(hub_ring_claim(&tx, 4, false), 0);
	T_EQ(hub_ring_write(&tx, &m, payload), 4);
	T_EQ(hub_ring_next(&rx, &out, 0), 1);
	T_EQ(hub_ring_next(&rx, &out, 0), 0);
	T_EQ(hub_ring_is_empty(&rx), true);
}

TEST(payload_that_looks_like_a_cells_word_is_no_phantom_on_the_next_lap)
{
	uint8_t payload[HUB_INLINE_MAX];
	struct hub_message m;

	start(0);
	for (int lap = 0; lap < 50; lap++) {
		/* every 8 bytes of the payload say: I am the message after this one */
		for (size_t i = 0; i + 8 <= sizeof(payload); i += 8) {
			const uint64_t word = HUB_WORD(tx.position + 4 + i % 3, 1, 1);

			memcpy(payload + i, &word, 8);
		}
		T_EQ(put(HUB_INLINE_MAX, payload, false), 0);
		T_EQ(hub_ring_next(&rx, &m, 0), 1);
		T_EQ(hub_ring_next(&rx, &m, 0), 0);
	}
}

TEST(cells_that_make_no_sense_are_refused_and_not_followed)
{
	static const struct {
		const char *what;
		uint64_t position;
		unsigned first, cells;
		uint32_t len;
	} bad[] = {
		{ "no cells", 0, 1, 0, 0 },         { "five cells", 0, 1, 5, 0 },
		{ "seven cells", 0, 1, 7, 0 },      { "a continuation first", 0, 0, 1, 0 },
		{ "from the future", 16, 1, 1, 0 }, { "more bytes than cells", 0, 1, 1, 25 },
		{ "fewer bytes than cells", 0, 1, 2, 3 }, { "longer than a message", 0, 1, 4, 1000000 },
		{ "continuation without its word", 0, 1, 3, 100 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hub_message m;

		start(0);
		HUB_RING_CELLS(ring)[0].len = bad[i].len;
		HUB_RING_CELLS(ring)[0].slot = HUB_NO_SLOT;
		HUB_RING_CELLS(ring)[0].word = HUB_WORD(bad[i].position, bad[i].first, bad[i].cells);
		if (hub_ring_next(&rx, &m, 0) != -EBADMSG)
			T_FAIL("taken: %s", bad[i].what);
		T_EQ(rx.position, 0);
		T_EQ(ring->tail, 0);
	}
}

TEST(a_tail_that_makes_no_sense_is_not_believed)
{
	start(100);
	for (int i = 0; i < CELLS; i++)
		T_EQ(put(0, NULL, true), 0);
	ring->tail = 99; /* back */
	T_EQ(put(0, NULL, true), -EBADMSG);
	ring->tail = 100 + CELLS + 1; /* more than was written */
	T_EQ(put(0, NULL, true), -EBADMSG);
	ring->tail = 101;
	T_EQ(put(0, NULL, true), 0);
}

TEST(after_scrubbing_nothing_half_written_is_left_and_history_is)
{
	const struct hub_message m = { .kind = HUB_KIND_CALL, .len = 150, .slot = HUB_NO_SLOT };
	uint8_t payload[150] = { 0 };
	struct hub_message out;

	start(0);
	for (int i = 0; i < 20; i++) {
		T_EQ(put(0, NULL, true), 0);
		T_EQ(hub_ring_next(&rx, &out, 0), 1);
	}
	/* a producer that dies between its continuation cells and its first */
	T_EQ(hub_ring_claim(&tx, 4, true), 0);
	hub_ring_write(&tx, &m, payload);
	hub_ring_scrub(ring, CELLS, rx.position);
	/* the next one starts where the consumer is, with shorter messages */
	hub_ring_tx_start(&tx, ring, CELLS, rx.position);
	for (int i = 0; i < 3 * CELLS; i++) {
		T_EQ(put(0, NULL, true), 0);
		T_EQ(hub_ring_next(&rx, &out, 0), 1);
		T_EQ(hub_ring_next(&rx, &out, 0), 0);
	}
}

TEST(a_word_that_was_overwritten_before_it_was_read_is_noticed)
{
	struct hub_message out;

	start(0);
	T_EQ(put(0, NULL, true), 0);
	T_EQ(hub_ring_next(&rx, &out, 0), 1);
	T_EQ(hub_ring_is_torn(&rx), false);
	for (int i = 0; i < 3; i++)
		T_EQ(put(100, (const uint8_t[100]){ 0 }, true), 0);
	T_EQ(hub_ring_is_torn(&rx), false);
	HUB_RING_CELLS(ring)[1].word = 0;
	T_EQ(hub_ring_next(&rx, &out, 0), 0);
	T_EQ(hub_ring_is_torn(&rx), true);
	/* a head that lies is no proof */
	start(0);
	ring->head = 12345;
	T_EQ(hub_ring_is_torn(&rx), false);
}

TEST(scrubbing_keeps_the_words_of_messages_that_were_taken)
{
	struct hub_message out;

	start(0);
	for (int i = 0; i < 5; i++) {
		T_EQ(put(0, NULL, true), 0);
		T_EQ(hub_ring_next(&rx, &out, 0), 1);
	}
	hub_ring_scrub(ring, CELLS, rx.position);
	for (uint64_t i = 0; i < 5; i++)
		T_EQ(HUB_RING_CELLS(ring)[i].word, HUB_WORD(i, 1, 1));
}

TEST(skipping_drops_all_that_was_published)
{
	struct hub_message out;

	start(0);
	for (int i = 0; i < 7; i++)
		T_EQ(put(60, (const uint8_t[60]){ 0 }, true), 0);
	T_EQ(hub_ring_skip(&rx), 7);
	T_EQ(ring->tail, ring->head);
	T_EQ(hub_ring_next(&rx, &out, 0), 0);
}
