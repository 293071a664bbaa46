/* One ring between two processes: random lengths, random pauses, every message exact. */
#include "tests/t.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/hub/hub_os.h"
#include "lib/hub/hub_ring.h"

enum { MESSAGES = 300000, SECONDS = 20 };

/* What the two ends tell each other beside the ring: on a machine that is busy with other things
 * they would be at it for ever, and are content with what they got through in some seconds. */
struct both {
	_Atomic uint32_t wanted, made;
};

/* The n-th message is known to both sides. */
static uint32_t make(uint64_t seed, uint32_t n, uint8_t payload[HUB_INLINE_MAX])
{
	uint64_t rng = (seed + n) * 0x9e3779b97f4a7c15 | 1;
	const uint32_t len = (uint32_t)(t_random(&rng) % (HUB_INLINE_MAX + 1));

	for (uint32_t i = 0; i < len; i += 8) {
		/* half of it looks like words of this very ring */
		const uint64_t word = t_random(&rng) & 1 ? HUB_WORD(n + i, 1, 1) : t_random(&rng);

		memcpy(payload + i, &word, len - i < 8 ? len - i : 8);
	}
	return len;
}

static int produce(struct hub_ring *ring, uint32_t cells, uint64_t seed, struct both *both)
{
	struct hub_tx tx = { 0 };
	uint8_t payload[HUB_INLINE_MAX];

	hub_ring_tx_start(&tx, ring, cells, 0);
	uint32_t n;

	for (n = 0; n < both->wanted; n++) {
		const struct hub_message m = { .kind = HUB_KIND_NOTIFY, .slot = HUB_NO_SLOT, .call = n,
					       .len = make(seed, n, payload) };
		int r;

		while ((r = hub_ring_claim(&tx, hub_ring_cells(m.len), n & 1)) == -EAGAIN)
			sched_yield();
		if (r)
			return 1;
		hub_ring_publish(&tx, hub_ring_write(&tx, &m, payload), m.len);
	}
	both->made = n;
	return 0;
}

static void consume(struct hub_ring *ring, uint32_t cells, uint64_t seed, struct both *both)
{
	const uint64_t until = hub_now_ns() + SECONDS * t_length() * UINT64_C(1000000000);
	struct hub_rx rx = { 0 };
	uint8_t payload[HUB_INLINE_MAX];
	struct hub_message m;

	hub_ring_rx_start(&rx, ring, cells, 0);
	for (uint32_t n = 0; n != both->made;) {
		const int r = hub_ring_next(&rx, &m, 0);

		if (r == 0) {
			if (hub_now_ns() > until)
				both->wanted = 0;
			sched_yield();
			continue;
		}
		T_EQ(r, 1);
		T_EQ(m.call, n);
		T_EQ(m.len, make(seed, n, payload));
		T_EQ(memcmp(m.small, payload, m.len), 0);
		n++;
	}
	T_EQ(hub_ring_next(&rx, &m, 0), 0);
}

static void run(uint32_t cells, uint64_t seed)
{
	struct hub_ring *ring = mmap(NULL, sizeof(*ring) + cells * sizeof(struct hub_cell),
				     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct both *both = mmap(NULL, sizeof(*both), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	both->wanted = MESSAGES * t_length();
	both->made = UINT32_MAX;
	const pid_t pid = fork();

	if (pid == 0)
		_exit(produce(ring, cells, seed, both));
	consume(ring, cells, seed, both);
	T_EQ(waitpid(pid, &status, 0), pid);
	T_EQ(status, 0);
	printf("    %u messages\n", both->made);
	T_OK(both->made > 2 * cells);
	T_EQ(ring->messages, both->made);
	T_EQ(ring->taken, both->made);
	T_EQ(ring->head, ring->tail);
}

TEST(every_message_is_exact_in_the_smallest_ring)
{
	run(HUB_RING_CELLS_MIN, t_seed());
}

TEST(every_message_is_exact_in_the_usual_ring)
{
	run(HUB_RING_CELLS_DEFAULT, t_seed());
}
