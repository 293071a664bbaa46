/* Answers that lie unread do not keep their slots from those who wait for one. */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 4, PEERS = 3, SIZE = 200000, PATIENCE_MS = 8000 };
enum { LATE = 60, RESERVE, PARTS, ASK, GIVE, FETCH, ASK_AND_WAIT, WAS_RIGHT };

static int gate[PEERS + 1][2]; /* a byte lets a handler of that peer go on */

static void make_gates(void)
{
	for (int i = 1; i <= PEERS; i++)
		T_EQ(pipe2(gate[i], O_CLOEXEC), 0);
}

static void open_gate(unsigned peer)
{
	T_EQ(write(gate[peer][1], "x", 1), 1);
}

static void pass_gate(unsigned peer)
{
	char byte;

	if (read(gate[peer][0], &byte, 1) != 1)
		_exit(50);
}

static void fill(uint8_t *to, unsigned salt)
{
	for (uint32_t i = 0; i < SIZE; i++)
		to[i] = (uint8_t)(LIVE_BYTE(i) + salt);
}

static bool is_filled(const void *data, size_t len, unsigned salt)
{
	const uint8_t *p = data;

	for (uint32_t i = 0; i < SIZE && i < len; i++)
		if (p[i] != (uint8_t)(LIVE_BYTE(i) + salt))
			return false;
	return len == SIZE;
}

/* ---- the peers' side ----------------------------------------------------------------------------- */

static unsigned self; /* of this peer */
static struct shmhub_peer *attached;

static void answers_late(struct shmhub_request *r, void *arg)
{
	(void)arg;
	pass_gate(self);
	shmhub_reply(r, 0, shmhub_request_data(r), shmhub_request_len(r));
}

/* Takes a slot for its answer at once; two such answers are sent together, when the gate opens. */
static void reserves(struct shmhub_request *r, void *arg)
{
	static struct shmhub_request *first;
	static struct shmhub_buf buf[2];

	(void)arg;
	if (shmhub_reply_reserve(r, SIZE, 0, &buf[first != NULL]))
		_exit(51);
	fill(buf[first != NULL].data, first != NULL);
	if (!first) {
		first = r;
		shmhub_request_defer(r);
		return;
	}
	pass_gate(self);
	shmhub_reply_buf(first, 0, &buf[0], SIZE);
	shmhub_reply_buf(r, 0, &buf[1], SIZE);
	first = NULL;
}

/* Two frames, then the gate, then the last. */
static void answers_in_parts(struct shmhub_request *r, void *arg)
{
	static uint8_t part[SIZE];

	(void)arg;
	for (unsigned i = 0; i < 2; i++) {
		fill(part, i);
		if (shmhub_reply_part(r, part, SIZE))
			_exit(52);
	}
	pass_gate(self);
	shmhub_reply(r, 0, "end", 3);
}

static bool host_was_right, has_host_said;
static struct shmhub_request *to_give;

static void give_if_due(void)
{
	if (to_give && has_host_said)
		shmhub_reply(to_give, host_was_right ? 0 : -EILSEQ, NULL, 0);
	if (has_host_said)
		to_give = NULL;
}

static void host_has_said(void *arg, int result, struct shmhub_msg *reply)
{
	(void)arg;
	has_host_said = true;
	host_was_right = !result && is_filled(reply->data, reply->len, 9);
	give_if_due();
}

static void asks(struct shmhub_request *r, void *arg)
{
	const unsigned method = (unsigned)(uintptr_t)arg;

	if (shmhub_peer_call_async(attached, method, NULL, 0, PATIENCE_MS, 0, host_has_said, NULL, NULL))
		_exit(53);
	shmhub_reply(r, 0, NULL, 0);
}

/* Answers by a slot while the answer to a question of its own lies in its ring, in one, too. */
static void asks_and_waits(struct shmhub_request *r, void *arg)
{
	(void)arg;
	if (shmhub_peer_call_async(attached, ASK, NULL, 0, PATIENCE_MS, 0, host_has_said, NULL, NULL))
		_exit(54);
	pass_gate(self);
	shmhub_reply(r, 0, shmhub_request_data(r), shmhub_request_len(r));
}

static void gives(struct shmhub_request *r, void *arg)
{
	(void)arg;
	shmhub_request_defer(r);
	to_give = r;
	give_if_due();
}

static int child(const struct shmhub_peer_config *config, void *arg)
{
	(void)arg;
	self = config->id;
	for (int i = 1; i <= PEERS; i++)
		close(gate[i][1]);
	attached = hub_live_attach(config);
	hub_live_handle(attached);
	shmhub_peer_handle(attached, LATE, NULL, answers_late, NULL);
	shmhub_peer_handle(attached, RESERVE, NULL, reserves, NULL);
	shmhub_peer_handle(attached, PARTS, NULL, answers_in_parts, NULL);
	shmhub_peer_handle(attached, ASK, NULL, asks, (void *)ASK);
	shmhub_peer_handle(attached, FETCH, NULL, asks, (void *)FETCH);
	shmhub_peer_handle(attached, ASK_AND_WAIT, NULL, asks_and_waits, NULL);
	shmhub_peer_handle(attached, GIVE, NULL, gives, NULL);
	return hub_live_run(attached);
}

/* ---- the host's side ------------------------------------------------------------------------------ */

static struct shmhub *make_hub(unsigned handler_threads)
{
	struct shmhub_config config;

	make_gates();
	shmhub_config_init(&config);
	config.handler_threads = handler_threads;
	config.class_count = 1;
	config.classes[0] = (struct shmhub_class){ 262144, SLOTS, SLOTS };
	struct shmhub *hub = hub_live_create(&config);

	for (int i = 1; i <= PEERS; i++)
		hub_live_spawn(hub, "peer", child, NULL);
	return hub;
}

static void end_hub(struct shmhub *hub)
{
	hub_live_destroy(hub);
	for (int i = 1; i <= PEERS; i++) {
		close(gate[i][0]);
		close(gate[i][1]);
	}
}

static uint64_t start_small(struct shmhub *hub, unsigned peer, unsigned method)
{
	uint64_t call;

	T_EQ(shmhub_call_start(hub, peer, method, NULL, 0, PATIENCE_MS, 0, &call), 0);
	return call;
}

static uint64_t start_large(struct shmhub *hub, unsigned peer, unsigned method)
{
	uint8_t *data = malloc(SIZE);
	uint64_t call;

	fill(data, peer);
	T_EQ(shmhub_call_start(hub, peer, method, data, SIZE, PATIENCE_MS, SHMHUB_NOWAIT, &call), 0);
	free(data);
	return call;
}

/* A whole answer that is there or comes; returns its flags. */
static unsigned read_filled(struct shmhub *hub, uint64_t call, unsigned flags, unsigned salt)
{
	struct shmhub_msg reply;

	T_EQ(shmhub_wait(hub, call, -1, flags, &reply), 0);
	T_EQ(reply.status, 0);
	T_OK(is_filled(reply.data, reply.len, salt));
	const unsigned got = reply.flags;

	shmhub_msg_release(&reply);
	return got;
}

static bool peer_1_waits(void *hub)
{
	return hub_get32(&hub_map_peer(&((struct shmhub *)hub)->map, 1)->peer_wants);
}

static bool host_knows(void *hub)
{
	return (uint32_t)hub_get64(&((struct shmhub *)hub)->spill);
}

static bool a_thread_waits(void *hub)
{
	return hub_get64(&((struct shmhub *)hub)->spill) >> 32;
}

static uint64_t spilled(const struct shmhub *hub)
{
	return hub_get64(&hub->map.host->answers_spilled);
}

struct spills { const struct shmhub *hub; uint64_t n; };

static bool so_many_are_spilled(void *arg)
{
	const struct spills *s = arg;

	return spilled(s->hub) >= s->n;
}

static void until_spilled(struct shmhub *hub, uint64_t n)
{
	hub_live_until(so_many_are_spilled, &(struct spills){ hub, n }, "answers have left their slots");
}

static struct hub_pend *pend_of(struct shmhub *hub, uint64_t call)
{
	uint32_t gen;

	return hub_pend_find(hub, call, &gen);
}

static bool is_ready(void *pend)
{
	return HUB_PEND_STATE(hub_get64(&((struct hub_pend *)pend)->word)) == HUB_PEND_READY;
}

static void until_unread(struct shmhub *hub, uint64_t call)
{
	hub_live_until(is_ready, pend_of(hub, call), "the answer is there");
}

struct reader { struct shmhub *hub; uint64_t call; unsigned salt; };

static void *read_it(void *arg)
{
	const struct reader *r = arg;

	read_filled(r->hub, r->call, SHMHUB_HOLD, r->salt);
	return NULL;
}

/* ---- the application reads in the bad order ------------------------------------------------------- */

/*
 * Two answers of peer 2 lie unread in two slots; the two others are requests to peers 1 and 3.
 * Peer 1 answers, for which it needs a slot, and the application waits for that.
 */
struct bad_order {
	struct shmhub *hub;
	uint64_t unread[2], first, held;
	pthread_t reader;
	struct reader for_reader;
};

static void set_the_table(struct bad_order *o, bool answers_come)
{
	o->hub = make_hub(0);
	o->unread[0] = start_small(o->hub, 2, RESERVE);
	o->unread[1] = start_small(o->hub, 2, RESERVE);
	hub_live_until_used(o->hub, 2);
	if (answers_come) {
		open_gate(2);
		until_unread(o->hub, o->unread[0]);
		until_unread(o->hub, o->unread[1]);
	}
	o->first = start_large(o->hub, 1, LATE);
	o->held = start_large(o->hub, 3, LATE);
	hub_live_until_used(o->hub, SLOTS);
}

static void let_peer_1_wait(struct bad_order *o)
{
	open_gate(1);
	hub_live_until(peer_1_waits, o->hub, "peer 1 waits for a slot");
}

static void start_reading(struct bad_order *o)
{
	o->for_reader = (struct reader){ o->hub, o->first, 1 };
	T_EQ(pthread_create(&o->reader, NULL, read_it, &o->for_reader), 0);
}

static void clear_the_table(struct bad_order *o, uint64_t least)
{
	pthread_join(o->reader, NULL);
	until_spilled(o->hub, least);
	for (unsigned i = 0; i < 2; i++) {
		const unsigned flags = read_filled(o->hub, o->unread[i], SHMHUB_HOLD, i);

		T_OK(least < 2 || !(flags & SHMHUB_IN_PLACE));
	}
	open_gate(3);
	read_filled(o->hub, o->held, 0, 3);
	end_hub(o->hub);
}

TEST(unread_answers_give_way_when_the_peer_is_the_last_to_wait)
{
	struct bad_order o;

	set_the_table(&o, true);
	start_reading(&o);
	hub_live_until(a_thread_waits, o.hub, "the reader waits");
	open_gate(1);
	clear_the_table(&o, 2);
}

TEST(unread_answers_give_way_when_the_application_is_the_last_to_wait)
{
	struct bad_order o;

	set_the_table(&o, true);
	let_peer_1_wait(&o);
	hub_live_until(host_knows, o.hub, "the host knows of that");
	T_EQ(spilled(o.hub), 0);
	start_reading(&o);
	clear_the_table(&o, 2);
}

TEST(answers_that_come_while_both_wait_give_way)
{
	struct bad_order o;

	set_the_table(&o, false);
	let_peer_1_wait(&o);
	start_reading(&o);
	hub_live_until(a_thread_waits, o.hub, "the reader waits");
	hub_live_until(host_knows, o.hub, "the host knows of peer 1");
	open_gate(2);
	clear_the_table(&o, 1);
}

TEST(answers_stay_in_place_while_no_thread_waits)
{
	struct bad_order o;

	set_the_table(&o, true);
	let_peer_1_wait(&o);
	hub_live_until(host_knows, o.hub, "the host knows of that");
	for (unsigned i = 0; i < 2; i++)
		T_OK(read_filled(o.hub, o.unread[i], SHMHUB_HOLD, i) & SHMHUB_IN_PLACE);
	read_filled(o.hub, o.first, 0, 1);
	T_EQ(spilled(o.hub), 0);
	open_gate(3);
	read_filled(o.hub, o.held, 0, 3);
	end_hub(o.hub);
}

/* ---- an answer in parts; a copy that somebody comes in between -------------------------------------- */

static void read_parts(struct shmhub *hub, uint64_t call)
{
	struct shmhub_msg reply;

	for (unsigned i = 0; i < 2; i++)
		T_EQ(read_filled(hub, call, SHMHUB_HOLD, i), SHMHUB_MORE);
	open_gate(2);
	T_EQ(shmhub_wait(hub, call, -1, 0, &reply), 0);
	T_EQ(reply.len, 3);
	shmhub_msg_release(&reply);
}

static bool has_two_frames(void *arg)
{
	struct hub_pend *pend = arg;
	const uint32_t gen = HUB_PEND_GEN(hub_get64(&pend->word));
	unsigned state, n = 0;

	if (hub_pend_lock(pend, gen, &state)) {
		n = pend->more.n;
		hub_pend_unlock(pend, state);
	}
	return n == 1;
}

TEST(all_parts_of_an_unread_answer_give_way)
{
	struct shmhub *hub = make_hub(0);
	const uint64_t parts = start_small(hub, 2, PARTS);

	hub_live_until(has_two_frames, pend_of(hub, parts), "two frames are there");
	const uint64_t first = start_large(hub, 1, LATE), held = start_large(hub, 3, LATE);

	open_gate(1);
	read_filled(hub, first, 0, 1);
	until_spilled(hub, 2);
	read_parts(hub, parts);
	open_gate(3);
	read_filled(hub, held, 0, 3);
	end_hub(hub);
}

static int copying[2], go_on[2]; /* between the thread that copies and the test */

static void stop_there(const char *label)
{
	char byte;

	if (strcmp(label, "spill.begun") == 0 &&
	    (write(copying[1], "x", 1) != 1 || read(go_on[0], &byte, 1) != 1))
		_exit(55);
}

/* Both wait, and the first copy is being made. */
static void stop_at_the_copy(struct bad_order *o)
{
	char byte;

	T_EQ(pipe2(copying, O_CLOEXEC), 0);
	T_EQ(pipe2(go_on, O_CLOEXEC), 0);
	hub_faults.step = stop_there; /* before there is a thread that looks at it */
	set_the_table(o, true);
	let_peer_1_wait(o);
	start_reading(o);
	T_EQ(read(copying[0], &byte, 1), 1);
}

static bool has_a_reader(void *arg)
{
	struct hub_pend *pend = arg;
	const uint32_t gen = HUB_PEND_GEN(hub_get64(&pend->word));
	unsigned state;

	T_OK(hub_pend_lock(pend, gen, &state));
	const bool has = pend->waiters;

	hub_pend_unlock(pend, state);
	return has;
}

TEST(who_reads_an_answer_that_is_being_copied_gets_the_copy)
{
	struct bad_order o;
	pthread_t second;

	stop_at_the_copy(&o);
	struct reader other = { o.hub, o.unread[0], 0 };

	T_EQ(pthread_create(&second, NULL, read_it, &other), 0);
	hub_live_until(has_a_reader, pend_of(o.hub, o.unread[0]), "somebody reads it");
	T_EQ(write(go_on[1], "xx", 2), 2);
	pthread_join(second, NULL);
	pthread_join(o.reader, NULL);
	read_filled(o.hub, o.unread[1], 0, 1);
	open_gate(3);
	read_filled(o.hub, o.held, 0, 3);
	end_hub(o.hub);
}

TEST(a_call_that_is_cancelled_while_its_answer_is_copied_loses_nothing)
{
	struct bad_order o;

	stop_at_the_copy(&o);
	T_EQ(shmhub_cancel(o.hub, o.unread[0]), 0);
	T_EQ(write(go_on[1], "xx", 2), 2);
	pthread_join(o.reader, NULL);
	read_filled(o.hub, o.unread[1], 0, 1);
	open_gate(3);
	read_filled(o.hub, o.held, 0, 3);
	end_hub(o.hub); /* all slots are free */
}

/* ---- an answer in a peer's queue ------------------------------------------------------------------ */

static void host_says(struct shmhub_request *r, void *arg)
{
	uint8_t *data = malloc(SIZE);

	(void)arg;
	fill(data, 9);
	shmhub_reply(r, 0, data, SIZE);
	free(data);
}

TEST(an_answer_that_a_peer_cannot_look_at_now_gives_way)
{
	struct shmhub *hub = make_hub(0);

	shmhub_handle(hub, ASK, NULL, host_says, NULL);
	const uint64_t held[2] = { start_large(hub, 2, LATE), start_large(hub, 3, LATE) };
	const uint64_t first = start_large(hub, 1, ASK_AND_WAIT); /* the last but the kept one */

	hub_live_until_used(hub, SLOTS); /* with what the host says to peer 1 */
	open_gate(1);
	read_filled(hub, first, 0, 1);
	T_EQ(shmhub_call(hub, 1, GIVE, NULL, 0, PATIENCE_MS, NULL), 0); /* what it was told was right */
	open_gate(2);
	open_gate(3);
	read_filled(hub, held[0], 0, 2);
	read_filled(hub, held[1], 0, 3);
	end_hub(hub);
}

/* ---- the only handler thread waits ------------------------------------------------------------------ */

static _Atomic int fetched = 1;

static void fetches(struct shmhub_request *r, void *arg)
{
	fetched = shmhub_call(arg, 1, GIVE, NULL, 0, PATIENCE_MS, NULL);
	shmhub_reply(r, 0, NULL, 0);
}

static bool is_fetched(void *arg)
{
	(void)arg;
	return fetched != 1;
}

static bool an_answer_is_queued(void *hub)
{
	return hub_get32(&((struct shmhub *)hub)->slot_wanted[0]);
}

/*
 * All slots are in use, one by an unread answer. The host's answer to peer 1 waits for one; the
 * handler of peer 2's question waits for peer 1, which waits for that answer.
 */
TEST(a_queued_answer_gets_the_slot_of_an_unread_one_while_all_handlers_wait)
{
	struct shmhub *hub = make_hub(1);
	struct shmhub_msg reply;
	const uint32_t bytes = SIZE;
	uint64_t unread;

	shmhub_handle(hub, ASK, NULL, host_says, NULL);
	shmhub_handle(hub, FETCH, NULL, fetches, hub);
	T_EQ(shmhub_call_start(hub, 3, LIVE_MAKE, &bytes, sizeof(bytes), PATIENCE_MS, 0, &unread), 0);
	until_unread(hub, unread);
	struct shmhub_buf buf[3]; /* as good as requests */

	for (unsigned i = 0; i < 3; i++)
		T_EQ(shmhub_reserve(hub, i + 1, SIZE, 0, &buf[i]), 0);
	hub_live_until_used(hub, SLOTS);
	T_EQ(shmhub_notify(hub, 1, ASK, NULL, 0, PATIENCE_MS, 0), 0); /* nobody waits */
	hub_live_until(an_answer_is_queued, hub, "the answer to peer 1 waits for a slot");
	T_EQ(spilled(hub), 0);
	T_EQ(shmhub_notify(hub, 2, FETCH, NULL, 0, PATIENCE_MS, 0), 0);
	hub_live_until(is_fetched, NULL, "the handler has what it waits for");
	T_EQ(fetched, 0);
	T_EQ(spilled(hub), 1);
	T_EQ(shmhub_wait(hub, unread, -1, 0, &reply), 0);
	T_OK(is_filled(reply.data, reply.len, 0));
	shmhub_msg_release(&reply);
	for (unsigned i = 0; i < 3; i++)
		shmhub_buf_release(&buf[i]);
	end_hub(hub);
}
