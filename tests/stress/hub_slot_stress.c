/*
 * Processes claim, fill, hand over and free slots of one hub, are killed at random and swept,
 * while the host punches: nobody ever sees another's bytes in a slot of its own, and at the end
 * every slot is free.
 */
#include "tests/t.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/hub/hub_file.h"
#include "lib/hub/hub_os.h"
#include "lib/hub/hub_slot.h"

enum { PEERS = 4, SECONDS = 2, KEEP = 6 };

static struct hub_map map;
static char path[PATH_MAX];

struct held {
	struct hub_slot_ref slot;
	uint32_t len;
	uint64_t pattern;
};

static void fill(struct hub_slots *s, struct held *h, uint64_t *rng)
{
	uint32_t room;
	uint64_t *p = hub_slot_payload(s, h->slot.ref, &room);

	h->pattern = t_random(rng);
	for (uint32_t i = 0; i < h->len / 8; i += 64)
		p[i] = h->pattern + i;
}

static bool is_intact(struct hub_slots *s, const struct held *h)
{
	uint32_t room;
	const uint64_t *p = hub_slot_payload(s, h->slot.ref, &room);

	for (uint32_t i = 0; i < h->len / 8; i += 64)
		if (p[i] != h->pattern + i)
			return false;
	return true;
}

/* Claims, checks, sends to itself (as if it were the other end), takes, frees; until killed. */
static void work(unsigned peer, unsigned incarnation, uint64_t seed)
{
	const struct hub_slot_end end = { (uint16_t)peer, (uint16_t)incarnation, HUB_TO_HOST };
	struct held held[KEEP] = { 0 };
	struct hub_slots slots;
	struct hub_map mine;
	struct err err;

	if (hub_file_attach(path, &mine, &err) || hub_slots_init(&slots, &mine, false))
		_exit(3);
	/* It holds what it has sent itself for a moment only: as the host's, no sweep takes it back. */
	for (unsigned i = 0; i < KEEP; i++)
		held[i].slot.ref = HUB_NO_SLOT;
	for (;;) {
		struct held *h = &held[t_random(&seed) % KEEP];

		if (h->slot.ref == HUB_NO_SLOT) {
			const unsigned klass = t_random(&seed) % 3;

			h->len = 8 + t_random(&seed) % (mine.klass[klass].bytes - 8);
			const uint32_t likely = HUB_SLOT_REF(klass, t_random(&seed) % 4);

			if (hub_slot_claim(&slots, klass, h->len, end, t_random(&seed) % 2, likely,
					   &h->slot) == 0)
				fill(&slots, h, &seed);
			else
				h->slot.ref = HUB_NO_SLOT;
			continue;
		}
		if (!is_intact(&slots, h))
			_exit(4);
		if (t_random(&seed) % 2) {
			struct hub_slot_ref got;
			const uint32_t ref = h->slot.ref, gen = (uint32_t)HUB_SLOT_GENERATION(h->slot.word);

			if (hub_slot_send(&slots, &h->slot, h->len, 0, 0, 0) ||
			    hub_slot_take(&slots, ref, gen, h->len, end, 0, &got))
				_exit(5);
			h->slot = got;
			if (!is_intact(&slots, h))
				_exit(6);
		}
		hub_slot_free(&slots, &h->slot);
	}
}

static pid_t start(unsigned peer, unsigned incarnation, uint64_t seed)
{
	const pid_t pid = fork();

	if (pid == 0)
		work(peer, incarnation, seed | 1);
	return pid;
}

static bool nobody(void *arg, unsigned peer, unsigned incarnation)
{
	(void)arg;
	(void)peer;
	(void)incarnation;
	return false;
}

TEST(no_slot_is_ever_shared_or_lost)
{
	uint64_t rng = t_seed() | 1;
	const uint64_t until = hub_now_ns() + SECONDS * t_length() * UINT64_C(1000000000);
	struct shmhub_config c;
	struct hub_slots host;
	struct err err;
	pid_t pid[PEERS + 1];
	unsigned incarnation[PEERS + 1];
	uint64_t kills = 0, swept = 0, punched = 0;

	shmhub_config_init(&c);
	c.memfd = 1;
	c.class_count = 3;
	c.classes[0] = (struct shmhub_class){ 1024, 2, 64 };
	c.classes[1] = (struct shmhub_class){ 65536, 1, 16 };
	c.classes[2] = (struct shmhub_class){ 1 << 20, 1, 8 };
	if (hub_file_create(&c, &map, path, &err))
		T_FAIL("%s", err.text);
	T_EQ(hub_slots_init(&host, &map, true), 0);
	for (unsigned i = 1; i <= PEERS; i++)
		pid[i] = start(i, incarnation[i] = 1, t_random(&rng));
	while (hub_now_ns() < until) {
		const unsigned i = 1 + t_random(&rng) % PEERS;
		bool more;
		int status;

		usleep((useconds_t)(t_random(&rng) % 5000));
		punched += hub_slot_punch(&host, &more);
		kill(pid[i], SIGKILL);
		T_EQ(waitpid(pid[i], &status, 0), pid[i]);
		if (!WIFSIGNALED(status))
			T_FAIL("a worker ended by itself: %d", WEXITSTATUS(status));
		kills++;
		swept += hub_slot_sweep(&host, i, incarnation[i], 0);
		if (incarnation[i] == 0x1ff)
			break;
		pid[i] = start(i, ++incarnation[i], t_random(&rng));
	}
	for (unsigned i = 1; i <= PEERS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		swept += hub_slot_sweep(&host, i, incarnation[i], 0);
	}
	swept += hub_slot_repair(&host, nobody, NULL);
	printf("    %lu kills, %lu slots taken back, %lu bytes punched\n", kills, swept, punched);
	T_OK(kills > 0 && swept > 0);
	for (unsigned k = 0; k < 3; k++)
		for (uint32_t i = 0; i < hub_slot_published(&host, k); i++)
			T_EQ(HUB_SLOT_STATE(hub_get64(&hub_map_slot(&map, k, i)->word)), HUB_SLOT_FREE);
}
