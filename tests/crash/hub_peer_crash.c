/*
 * A peer is killed at every labelled step of the transport, the first and a later time it comes
 * there, while calls in rings and slots go both ways. Afterwards every slot is free, no call is
 * pending, and another peer's traffic was exact all the time.
 */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hub/hub_fault.h"

enum { TO_HOST = 80, ROUNDS = 30 };

struct plan { /* of the peer that dies */
	const char *label;
	int times;
};
static struct plan plan;

static void die_there(const char *label)
{
	if (plan.label && strcmp(label, plan.label) == 0 && --plan.times == 0)
		kill(getpid(), SIGKILL);
}

static struct shmhub_peer *me;

/* Answers with what it got, and calls and notifies the host in ring and slot. */
static void busy(struct shmhub_request *r, void *arg)
{
	char big[2000];
	struct shmhub_buf buf;

	(void)arg;
	memset(big, 'b', sizeof(big));
	shmhub_peer_notify(me, TO_HOST, "n", 1, 5000, 0);
	shmhub_peer_notify(me, TO_HOST, big, sizeof(big), 5000, 0);
	if (!shmhub_peer_reserve(me, 70000, 1000, &buf))
		shmhub_buf_release(&buf);
	shmhub_reply(r, 0, shmhub_request_data(r), shmhub_request_len(r));
}

static int crashing_child(const struct shmhub_peer_config *config, void *arg)
{
	plan = *(const struct plan *)arg;
	hub_faults.step = die_there;
	me = hub_live_attach(config);
	shmhub_peer_handle(me, LIVE_ECHO, NULL, busy, NULL);
	return hub_live_run(me);
}

static void count(struct shmhub_request *r, void *arg)
{
	(void)r;
	++*(_Atomic uint64_t *)arg;
}

static bool is_gone(void *arg)
{
	struct shmhub_peer_info info = { .size = sizeof(info) };

	return shmhub_peer_get(arg, 2, &info) == 0 && info.state == SHMHUB_PEER_GONE;
}

/* One echo, exact. Returns what the call said. */
static int call(struct shmhub *hub, unsigned peer, unsigned i)
{
	static const size_t sizes[] = { 8, 190, 1500, 70000, 300000 };
	const size_t n = sizes[i % 5];
	uint8_t *data = malloc(n);
	struct shmhub_msg reply;

	memset(data, (int)i, n);
	const int r = shmhub_call(hub, peer, LIVE_ECHO, data, n, 10000, &reply);

	if (!r) {
		T_EQ(reply.status, 0);
		T_EQ(reply.len, n);
		T_EQ(memcmp(reply.data, data, n), 0);
		shmhub_msg_release(&reply);
	}
	free(data);
	return r;
}

/* Returns whether the step was reached. */
static bool crash_at(const char *label, int times)
{
	struct shmhub_config config;

	shmhub_config_init(&config);
	config.peers_max = 2;
	struct shmhub *hub = hub_live_create(&config);
	struct plan p = { label, times };
	_Atomic uint64_t notified = 0;
	bool died = false;

	shmhub_handle(hub, TO_HOST, NULL, count, &notified);
	T_EQ(hub_live_spawn(hub, "steady", hub_live_echo, NULL), 1);
	T_EQ(hub_live_spawn(hub, "crash", crashing_child, &p), 2);
	for (unsigned i = 0; i < ROUNDS && !died; i++) {
		T_EQ(call(hub, 1, i), 0);
		const int r = call(hub, 2, i);

		died = r == -EOWNERDEAD;
		if (!died)
			T_EQ(r, 0);
	}
	if (died) {
		hub_live_until(is_gone, hub, "the dead peer is cleaned up");
		T_EQ(call(hub, 1, 1), 0);
		/* and a successor works in the same place */
		struct plan lives = { NULL, 0 };

		T_EQ(hub_live_spawn(hub, "next", crashing_child, &lives), 2);
		for (unsigned i = 0; i < 6; i++)
			T_EQ(call(hub, 2, i), 0);
	}
	hub_live_destroy(hub);
	return died;
}

TEST(a_peer_killed_at_any_step_leaves_nothing_behind)
{
	static const char *const label[] = {
		"peer.attached",      "peer.handler",           "ring.publish.before",
		"ring.publish.after", "ring.next.before_tail",  "ring.next.after_tail",
		"slot.claim.before",  "slot.claim.after",       "slot.back.unmarked",
		"slot.send.before",   "slot.send.after",        "slot.take.before",
		"slot.take.after",    "slot.free.before",       "slot.free.after",
		"bell.announced",     "bell.wake.seen",         "bell.wake.exchanged",
	};

	for (size_t i = 0; i < sizeof(label) / sizeof(label[0]); i++)
		for (int times = 1; times <= 7; times += 3) {
			const bool reached = crash_at(label[i], times);

			if (!reached && times == 1)
				T_FAIL("%s was never reached", label[i]);
		}
}

TEST(a_peer_killed_while_a_class_grows_leaves_it_usable)
{
	struct shmhub_config config;
	struct plan p = { "slot.grow.backed", 1 };
	uint8_t data[3000] = { 0 };

	shmhub_config_init(&config);
	config.class_count = 1;
	/* two are for answers, one has our request: the peer's notifications make it grow */
	config.classes[0] = (struct shmhub_class){ 4096, 3, 8 };
	struct shmhub *hub = hub_live_create(&config);
	_Atomic uint64_t notified = 0;

	shmhub_handle(hub, TO_HOST, NULL, count, &notified);
	T_EQ(hub_live_spawn(hub, "steady", hub_live_echo, NULL), 1);
	T_EQ(hub_live_spawn(hub, "crash", crashing_child, &p), 2);
	T_EQ(shmhub_call(hub, 2, LIVE_ECHO, data, sizeof(data), 10000, NULL), -EOWNERDEAD);
	for (int i = 0; i < 20; i++)
		T_EQ(shmhub_call(hub, 1, LIVE_ECHO, data, sizeof(data), 10000, NULL), 0);
	hub_live_destroy(hub);
}
