/*
 * A peer with wild code writes anything anywhere into the mapping while the host works. The host
 * must not crash, hang or read outside the mapping; the others come back; nothing is lost.
 */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hub/hub_peer.h"

enum { GOOD = 3, THREADS = 4, SECONDS = 2 };

/* Where it hurts: tables more often than payload, the start of words more often than their middle. */
static uint64_t some_offset(const struct hub_map *map, uint64_t *rng)
{
	const struct hub_header *h = &map->header;
	const struct hub_section *s = &h->section[t_random(rng) % h->section_count];
	uint64_t bytes = s->stride * s->count;

	switch (s->kind) {
	case HUB_SECTION_RINGS:
		bytes = s->stride * 2 * (GOOD + 2); /* those in use */
		break;
	case HUB_SECTION_SLOTS:
		bytes = s->stride * (s->count < 64 ? s->count : 64);
		break;
	case HUB_SECTION_PAYLOAD:
	case HUB_SECTION_PEERCALLS:
		return s->offset; /* holes: leave them */
	default:
		break;
	}
	return s->offset + (t_random(rng) % bytes & ~UINT64_C(7));
}

static uint64_t some_value(uint64_t *rng)
{
	switch (t_random(rng) % 6) {
	case 0:
		return 0;
	case 1:
		return ~UINT64_C(0);
	case 2:
		return t_random(rng) % 256;
	case 3:
		return HUB_WORD(t_random(rng) % 100000, 1, t_random(rng) % 8);
	case 4:
		return HUB_SLOT_WORD(t_random(rng) % 8, t_random(rng) % 2, t_random(rng) % 40,
				     t_random(rng) % 4, t_random(rng) % 100);
	default:
		return t_random(rng);
	}
}

static int wild_child(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *peer = hub_live_attach(config);
	uint64_t rng = *(uint64_t *)arg ^ (uint64_t)getpid() * 0x9e3779b97f4a7c15;

	for (int i = 0; i < 100000; i++) {
		const uint64_t at = some_offset(&peer->map, &rng);
		const uint64_t value = some_value(&rng);

		memcpy(peer->map.base + at, &value, sizeof(value));
		if (i % 64 == 0) {
			shmhub_peer_prepare(peer);
			shmhub_peer_check(peer);
			shmhub_peer_drain(peer, 4); /* now and then it even works */
			hub_end_ring(&peer->end);
		}
	}
	return 0;
}


struct work {
	struct shmhub *hub;
	uint64_t until_ns, answered, failed;
	unsigned number;
};

static void *keep_calling(void *arg)
{
	struct work *w = arg;
	struct shmhub_msg reply;
	char data[3000];

	memset(data, 'd', sizeof(data));
	for (unsigned i = 0; hub_now_ns() < w->until_ns; i++) {
		const unsigned peer = 1 + (w->number + i) % (GOOD + 1);
		const int r = shmhub_call(w->hub, peer, LIVE_ECHO, data, i % 3 ? 20 : sizeof(data), 100,
					  &reply);

		if (r) {
			w->failed++;
			continue;
		}
		w->answered++;
		shmhub_msg_release(&reply);
	}
	return NULL;
}

static unsigned spawn_again(struct shmhub *hub, const char *name,
			    int (*child)(const struct shmhub_peer_config *, void *), void *arg)
{
	const struct shmhub_spawn s = { .size = sizeof(s), .name = name, .child = child, .arg = arg,
					.restart = SHMHUB_RESTART_ON_DEATH, .backoff_first_ms = 1,
					.backoff_max_ms = 20, .die_with_host = 1 };
	struct shmhub_error error;
	unsigned peer;

	if (shmhub_spawn(hub, &s, &peer, &error))
		T_FAIL("%s", error.text);
	return peer;
}

static bool answers(void *arg)
{
	struct work *w = arg;

	return shmhub_call(w->hub, w->number, LIVE_ECHO, "x", 1, 200, NULL) == 0;
}

TEST(a_wild_peer_neither_stops_the_host_nor_keeps_the_others_from_coming_back)
{
	uint64_t seed = t_seed();
	struct shmhub *hub = hub_live_create(NULL);
	struct work work[THREADS];
	pthread_t thread[THREADS];
	struct shmhub_stats stats = { .size = sizeof(stats) };
	uint64_t answered = 0;

	for (unsigned i = 0; i < GOOD; i++)
		spawn_again(hub, "good", hub_live_echo, NULL);
	const unsigned wild = spawn_again(hub, "wild", wild_child, &seed);

	for (unsigned i = 0; i < THREADS; i++) {
		work[i] = (struct work){ hub, hub_now_ns() + SECONDS * t_length() * UINT64_C(1000000000),
					 0, 0, i };
		pthread_create(&thread[i], NULL, keep_calling, &work[i]);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		answered += work[i].answered;
	}
	shmhub_stop(hub, wild, 0);
	shmhub_stats_get(hub, &stats);
	printf("    %lu answered, %lu died, %lu quarantined, %lu slots taken back, %lu rescues\n",
	       answered, stats.peers_died, stats.quarantined, stats.slots_swept, stats.rescues);
	T_OK(stats.quarantined > 0);
	for (unsigned i = 1; i <= GOOD; i++) {
		struct work w = { .hub = hub, .number = i };

		hub_live_until(answers, &w, "a good peer answers again");
	}
	for (unsigned i = 1; i <= GOOD; i++)
		T_EQ(shmhub_stop(hub, i, 2000), 0);
	T_EQ(hub_live_slots_used(hub), 0);
	hub_live_destroy(hub);
}
