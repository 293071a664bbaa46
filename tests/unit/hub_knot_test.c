/* Requests that wait for each other's slots end soon, with -EDEADLK, and no others do. */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 4, SIZE = 200000, DEADLINE_MS = 60000 };
enum { DOWN = 60, UP, LATE };

/* A body says how deep its request still asks, and whom. */
struct body {
	uint32_t depth;
	uint32_t first_peer, peers; /* of the host's requests, in turn */
};

static uint8_t *make_body(struct body body)
{
	uint8_t *data = calloc(1, SIZE);

	memcpy(data, &body, sizeof(body));
	return data;
}

static struct body body_of(struct shmhub_request *r)
{
	struct body body;

	memcpy(&body, shmhub_request_data(r), sizeof(body));
	return body;
}

/* ---- peers: DOWN asks the host before it answers -------------------------------------------- */

static struct shmhub_peer *me;
static int gate[2];

static void host_has_answered(void *request, int result, struct shmhub_msg *answer)
{
	shmhub_reply(request, result ? result : answer->status, NULL, 0);
}

static void down(struct shmhub_request *r, void *arg)
{
	struct body body = body_of(r);

	(void)arg;
	if (!body.depth) {
		shmhub_reply(r, 0, NULL, 0);
		return;
	}
	body.depth--;
	uint8_t *data = make_body(body);
	const int e = shmhub_peer_call_async(me, UP, data, SIZE, DEADLINE_MS, 0, host_has_answered, r, NULL);

	free(data);
	shmhub_request_defer(r);
	if (e)
		shmhub_reply(r, e, NULL, 0);
}

static void late(struct shmhub_request *r, void *arg)
{
	char byte;

	(void)arg;
	if (read(gate[0], &byte, 1) != 1)
		_exit(50);
	shmhub_reply(r, 0, NULL, 0);
}

static int child(const struct shmhub_peer_config *config, void *arg)
{
	(void)arg;
	me = hub_live_attach(config);
	shmhub_peer_handle(me, DOWN, NULL, down, NULL);
	shmhub_peer_handle(me, LATE, NULL, late, NULL);
	return hub_live_run(me);
}

/* ---- host: UP asks a peer before it answers -------------------------------------------------- */

static int ask(struct shmhub *hub, unsigned peer, unsigned method, struct body body)
{
	uint8_t *data = make_body(body);
	const int r = shmhub_call(hub, peer, method, data, SIZE, DEADLINE_MS, NULL);

	free(data);
	return r;
}

static void up(struct shmhub_request *r, void *hub)
{
	struct body body = body_of(r);
	int e = 0;

	if (body.depth) {
		const unsigned next = body.first_peer + body.depth % body.peers;

		body.depth--;
		e = ask(hub, next, DOWN, body);
	}
	shmhub_reply(r, e, NULL, 0);
}

static struct shmhub *make_hub(unsigned peers, unsigned threads)
{
	struct shmhub_config config;

	T_EQ(pipe2(gate, O_CLOEXEC), 0);
	shmhub_config_init(&config);
	config.handler_threads = threads;
	config.class_count = 1;
	config.classes[0] = (struct shmhub_class){ 262144, SLOTS, SLOTS };
	struct shmhub *hub = hub_live_create(&config);

	shmhub_handle(hub, UP, NULL, up, hub);
	for (unsigned i = 0; i < peers; i++)
		hub_live_spawn(hub, "peer", child, NULL);
	return hub;
}

struct asker {
	pthread_t thread;
	struct shmhub *hub;
	unsigned peer, method;
	struct body body;
	int result;
};

static void *run_asker(void *arg)
{
	struct asker *a = arg;

	a->result = ask(a->hub, a->peer, a->method, a->body);
	return NULL;
}

static void start(struct asker *a, struct shmhub *hub, unsigned peer, unsigned method, struct body body)
{
	*a = (struct asker){ .hub = hub, .peer = peer, .method = method, .body = body };
	T_EQ(pthread_create(&a->thread, NULL, run_asker, a), 0);
}

static int end(struct asker *a)
{
	pthread_join(a->thread, NULL);
	return a->result;
}

struct passes { struct shmhub *hub; uint32_t n; };

static bool so_many_passes(void *arg)
{
	const struct passes *p = arg;

	return hub_get32(&p->hub->knot_passes) >= p->n;
}

static void wait_passes(struct shmhub *hub, uint32_t n)
{
	struct passes p = { hub, hub_get32(&hub->knot_passes) + n };

	hub_live_until(so_many_passes, &p, "it was looked for");
}

/* ---- found ------------------------------------------------------------------------------------ */

/* The share of a peer is one slot each way: the second request to it waits for the first. */
TEST(a_request_that_waits_for_the_slot_of_the_one_it_serves_is_told)
{
	struct shmhub *hub = make_hub(1, 4);
	struct shmhub_msg reply;
	uint64_t call;
	uint8_t *data = make_body((struct body){ 2, 1, 1 });

	T_EQ(ask(hub, 1, DOWN, (struct body){ 1, 1, 1 }), 0); /* there and back is fine */
	T_EQ(shmhub_call_start(hub, 1, DOWN, data, SIZE, DEADLINE_MS, 0, &call), 0);
	T_EQ(shmhub_wait(hub, call, 10000, 0, &reply), 0);
	T_EQ(reply.status, -EDEADLK);
	shmhub_msg_release(&reply);
	T_EQ(ask(hub, 1, DOWN, (struct body){ 1, 1, 1 }), 0);
	free(data);
	hub_live_destroy(hub);
}

/* All slots are requests to peers, each of which asks the host, by a slot, before it answers. */
TEST(peers_that_wait_for_slots_of_requests_to_each_other_are_told)
{
	enum { PEERS = SLOTS - 1 };
	struct shmhub *hub = make_hub(PEERS, 4);
	struct asker a[PEERS];
	int good = 0, told = 0;
	char go[] = "xxx";

	/* so that all have theirs before one asks */
	for (unsigned i = 0; i < PEERS; i++)
		T_EQ(shmhub_notify(hub, i + 1, LATE, NULL, 0, DEADLINE_MS, 0), 0);
	for (unsigned i = 0; i < PEERS; i++)
		start(&a[i], hub, i + 1, DOWN, (struct body){ 1, 1, 1 });
	hub_live_until_used(hub, PEERS); /* one is kept for answers */
	T_EQ(write(gate[1], go, PEERS), PEERS);
	for (unsigned i = 0; i < PEERS; i++) {
		const int r = end(&a[i]);

		good += r == 0;
		told += r == -EDEADLK;
	}
	T_EQ(told, 1);
	T_EQ(good, PEERS - 1);
	hub_live_destroy(hub);
}

/* Two chains, each of which waits for a slot that the other has. */
TEST(of_chains_that_wait_for_each_other_one_is_told)
{
	struct shmhub *hub = make_hub(2, 4);
	struct asker a[2];

	for (unsigned i = 0; i < 2; i++)
		start(&a[i], hub, i + 1, DOWN, (struct body){ 5, 1, 2 });
	const int first = end(&a[0]), second = end(&a[1]);

	T_OK(first == 0 || first == -EDEADLK);
	T_OK(second == 0 || second == -EDEADLK);
	T_OK(first || second); /* five deep is too much for four slots */
	hub_live_destroy(hub);
}

static bool a_handler_waits(void *arg)
{
	struct shmhub *hub = arg;

	pthread_mutex_lock(&hub->knot_lock);
	const bool waits = hub->knot;

	pthread_mutex_unlock(&hub->knot_lock);
	return waits;
}

/* The request is in no table any more; its handler goes on, and it keeps its slot. */
TEST(a_request_that_waits_for_the_slot_of_one_that_was_cancelled_is_told)
{
	struct shmhub *hub = make_hub(1, 4);
	uint8_t *data = make_body((struct body){ 2, 1, 1 });
	uint64_t call;

	T_EQ(shmhub_call_start(hub, 1, DOWN, data, SIZE, DEADLINE_MS, 0, &call), 0);
	hub_live_until(a_handler_waits, hub, "the last of the chain waits");
	T_EQ(shmhub_cancel(hub, call), 0);
	free(data);
	hub_live_destroy(hub); /* all slots are free before the deadline */
}

/* ---- not found ---------------------------------------------------------------------------------- */

/* What it waits for is held by others, who will answer some day. */
TEST(a_request_that_waits_for_the_slot_of_another_gets_it)
{
	struct shmhub *hub = make_hub(3, 4);
	struct asker slow[2], nested;
	char go[] = "xx";

	for (unsigned i = 0; i < 2; i++)
		start(&slow[i], hub, i + 2, LATE, (struct body){ 0, 1, 1 });
	hub_live_until_used(hub, 2);
	start(&nested, hub, 1, DOWN, (struct body){ 1, 1, 1 });
	wait_passes(hub, 3);
	T_EQ(write(gate[1], go, 2), 2);
	T_EQ(end(&nested), 0);
	T_EQ(end(&slow[0]), 0);
	T_EQ(end(&slow[1]), 0);
	hub_live_destroy(hub);
}

/* A peer that serves a call whose caller has gone does not go on waiting for it. */
TEST(a_wait_for_a_slot_ends_when_the_call_is_cancelled_that_it_is_for)
{
	struct shmhub *hub = make_hub(3, 4);
	struct asker slow[2];
	char go[] = "xx";
	uint64_t call;
	uint8_t *data = make_body((struct body){ 1, 1, 1 });

	for (unsigned i = 0; i < 2; i++)
		start(&slow[i], hub, i + 2, LATE, (struct body){ 0, 1, 1 });
	hub_live_until_used(hub, 2);
	T_EQ(shmhub_call_start(hub, 1, DOWN, data, SIZE, DEADLINE_MS, 0, &call), 0);
	wait_passes(hub, 1);
	T_EQ(shmhub_cancel(hub, call), 0);
	memset(data, 0, sizeof(struct body)); /* its loop runs again */
	T_EQ(shmhub_call(hub, 1, DOWN, data, sizeof(struct body), 10000, NULL), 0);
	T_EQ(write(gate[1], go, 2), 2);
	T_EQ(end(&slow[0]), 0);
	T_EQ(end(&slow[1]), 0);
	free(data);
	hub_live_destroy(hub);
}
