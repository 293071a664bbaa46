/* Bodies of several frames, in all four directions, with credit. */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUM = 40, COUNT_TO = 41, HOW_MANY = 42, FRAMES = 100, PART = 3000 };

struct sum {
	uint64_t bytes;
	uint32_t frames, value;
};

static void add(struct sum *s, const void *data, size_t n)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++)
		s->value = s->value * 31 + p[i];
	s->bytes += n;
	s->frames++;
}

static struct sum expected(unsigned frames)
{
	uint8_t part[PART];
	struct sum s = { 0 };

	for (unsigned i = 0; i < frames; i++) {
		memset(part, (int)i, sizeof(part));
		add(&s, part, i % 2 ? PART : 10);
	}
	return s;
}

static const void *frame(unsigned i, uint8_t part[PART], size_t *n)
{
	memset(part, (int)i, PART);
	*n = i % 2 ? PART : 10;
	return part;
}

/* ---- in the peer ----------------------------------------------------------------------------- */

static void sum_body(struct shmhub_request *r, struct shmhub_msg *msg, void *arg)
{
	struct sum *s = arg;

	if (!msg) { /* cancelled */
		free(s);
		shmhub_request_drop(r);
		return;
	}
	add(s, msg->data, msg->len);
	if (msg->flags & SHMHUB_MORE)
		return;
	shmhub_reply(r, 0, s, sizeof(*s));
	free(s);
}

static void sum_handler(struct shmhub_request *r, void *arg)
{
	struct sum *s = calloc(1, sizeof(*s));

	(void)arg;
	add(s, shmhub_request_data(r), shmhub_request_len(r));
	if (!shmhub_request_more(r)) {
		shmhub_reply(r, 0, s, sizeof(*s));
		free(s);
		return;
	}
	shmhub_request_on_body(r, sum_body, s);
	shmhub_request_defer(r);
}

struct counting {
	unsigned next, frames;
};

static uint32_t parts_sent;

static void count_on(struct shmhub_request *r, void *arg)
{
	struct counting *c = arg;
	uint8_t part[PART];
	size_t n;

	while (c->next + 1 < c->frames) {
		const void *data = frame(c->next, part, &n);

		if (shmhub_reply_part(r, data, n) == -EAGAIN)
			return; /* called again when there is credit */
		c->next++;
		parts_sent++;
	}
	const void *data = frame(c->next, part, &n);

	shmhub_reply(r, 5, data, n);
	free(c);
}

static void count_handler(struct shmhub_request *r, void *arg)
{
	struct counting *c = calloc(1, sizeof(*c));

	(void)arg;
	memcpy(&c->frames, shmhub_request_data(r), 4);
	shmhub_request_on_credit(r, count_on, c);
	shmhub_request_defer(r);
	count_on(r, c);
}

static void how_many(struct shmhub_request *r, void *arg)
{
	(void)arg;
	shmhub_reply(r, 0, &parts_sent, sizeof(parts_sent));
}

static void add_handlers(struct shmhub_peer *peer)
{
	shmhub_peer_handle(peer, HOW_MANY, NULL, how_many, NULL);
	shmhub_peer_handle(peer, SUM, NULL, sum_handler, NULL);
	shmhub_peer_handle(peer, COUNT_TO, NULL, count_handler, NULL);
}

TEST(a_request_of_many_frames_arrives_whole_and_in_order)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "sum", hub_live_echo, (void *)add_handlers);
	const struct sum want = expected(FRAMES);
	struct shmhub_msg reply;
	uint8_t part[PART];
	uint64_t call;
	size_t n;

	for (int round = 0; round < 3; round++) {
		const void *data = frame(0, part, &n);

		T_EQ(shmhub_call_start(hub, peer, SUM, data, n, 20000, SHMHUB_MORE, &call), 0);
		for (unsigned i = 1; i < FRAMES; i++) {
			data = frame(i, part, &n);
			T_EQ(shmhub_call_write(hub, call, data, n, i + 1 < FRAMES ? SHMHUB_MORE : 0), 0);
		}
		T_EQ(shmhub_call_write(hub, call, "x", 1, 0), -EPIPE); /* it was the last */
		T_EQ(shmhub_wait(hub, call, -1, 0, &reply), 0);
		T_EQ(reply.len, sizeof(want));
		T_EQ(memcmp(reply.data, &want, sizeof(want)), 0);
		shmhub_msg_release(&reply);
	}
	hub_live_destroy(hub);
}

TEST(an_answer_of_many_frames_arrives_whole_and_in_order)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "count", hub_live_echo, (void *)add_handlers);
	const struct sum want = expected(FRAMES);
	const unsigned frames = FRAMES;
	struct shmhub_msg reply;
	struct sum got = { 0 };
	uint64_t call;
	bool more = true;

	T_EQ(shmhub_call_start(hub, peer, COUNT_TO, &frames, 4, 20000, 0, &call), 0);
	while (more) {
		T_EQ(shmhub_wait(hub, call, -1, 0, &reply), 0);
		more = reply.flags & SHMHUB_MORE;
		T_EQ(reply.status, more ? 0 : 5);
		add(&got, reply.data, reply.len);
		shmhub_msg_release(&reply);
	}
	T_EQ(memcmp(&got, &want, sizeof(got)), 0);
	T_EQ(shmhub_wait(hub, call, 0, 0, &reply), -ENOENT);
	/* shmhub_call() takes one frame: more than one is said, not cut off */
	T_EQ(shmhub_call(hub, peer, COUNT_TO, &frames, 4, 20000, &reply), -EMSGSIZE);
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 20000, NULL), 0);
	hub_live_destroy(hub);
}

TEST(a_sender_without_credit_waits_and_goes_no_further_ahead)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "stopped", hub_live_echo, (void *)add_handlers);
	struct shmhub_peer_info info = { .size = sizeof(info) };
	struct shmhub_msg reply;
	struct sum got;
	uint64_t call;
	int n = 0, r;

	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 20000, NULL), 0);
	T_EQ(shmhub_peer_get(hub, peer, &info), 0);
	kill(info.pid, SIGSTOP);
	T_EQ(shmhub_call_start(hub, peer, SUM, "a", 1, 20000, SHMHUB_MORE, &call), 0);
	while (!(r = shmhub_call_write(hub, call, "b", 1, SHMHUB_MORE | SHMHUB_NOWAIT)))
		n++;
	T_EQ(r, -EAGAIN);
	T_EQ(n, HUB_BODY_WINDOW);
	kill(info.pid, SIGCONT);
	T_EQ(shmhub_call_write(hub, call, "c", 1, 0), 0);
	T_EQ(shmhub_wait(hub, call, -1, 0, &reply), 0);
	memcpy(&got, reply.data, sizeof(got));
	T_EQ(got.frames, 1 + HUB_BODY_WINDOW + 1);
	shmhub_msg_release(&reply);
	hub_live_destroy(hub);
}

TEST(parts_of_an_answer_go_no_further_ahead_than_there_is_credit_for)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "count", hub_live_echo, (void *)add_handlers);
	const unsigned frames = FRAMES;
	struct shmhub_msg reply;
	uint32_t parts;
	uint64_t call;

	T_EQ(shmhub_call_start(hub, peer, COUNT_TO, &frames, 4, 20000, 0, &call), 0);
	T_EQ(shmhub_call(hub, peer, HOW_MANY, NULL, 0, 10000, &reply), 0);
	memcpy(&parts, reply.data, sizeof(parts));
	shmhub_msg_release(&reply);
	T_EQ(parts, 1 + HUB_BODY_WINDOW); /* the first is for nothing */
	T_EQ(shmhub_cancel(hub, call), 0);
	hub_live_destroy(hub);
}

/* ---- the other way round ---------------------------------------------------------------------- */

static void host_sum(struct shmhub_request *r, void *arg)
{
	struct sum s = { 0 };
	struct shmhub_msg msg;
	int e = 0;

	(void)arg;
	add(&s, shmhub_request_data(r), shmhub_request_len(r));
	while (shmhub_request_more(r) && !(e = shmhub_request_read(r, 10000, &msg))) {
		add(&s, msg.data, msg.len);
		shmhub_msg_release(&msg);
	}
	shmhub_reply(r, e == -ENODATA ? 0 : e, &s, sizeof(s));
}

static _Atomic uint32_t host_parts;
static _Atomic bool host_has_counted;

static void host_count(struct shmhub_request *r, void *arg)
{
	uint8_t part[PART];
	unsigned frames;
	size_t n;
	int e = 0;

	(void)arg;
	memcpy(&frames, shmhub_request_data(r), 4);
	for (unsigned i = 0; i + 1 < frames && !e; i++) {
		const void *data = frame(i, part, &n);

		e = shmhub_reply_part(r, data, n);
		host_parts += !e;
	}
	const void *data = frame(frames - 1, part, &n);

	shmhub_reply(r, e, data, n);
	host_has_counted = true;
}

struct streaming {
	struct shmhub_peer *peer;
	struct sum got;
	bool done;
	int result;
};

static void on_frame(void *arg, int result, struct shmhub_msg *reply)
{
	struct streaming *s = arg;

	s->result = result;
	if (reply)
		add(&s->got, reply->data, reply->len);
	s->done = result || !(reply->flags & SHMHUB_MORE);
}

static void run_until_done(struct streaming *s)
{
	while (!s->done) {
		const int n = shmhub_peer_drain(s->peer, 64);

		T_OK(n >= 0);
		if (n == 0 && shmhub_peer_prepare(s->peer) != 0) {
			struct pollfd p = { .fd = shmhub_peer_fd(s->peer), .events = POLLIN };

			poll(&p, 1, 5000);
		}
		shmhub_peer_check(s->peer);
	}
}

static int streaming_child(const struct shmhub_peer_config *config, void *arg)
{
	const struct sum want = expected(FRAMES);
	const unsigned frames = FRAMES;
	struct streaming s = { .peer = hub_live_attach(config) };
	uint8_t part[PART];
	uint64_t call;
	size_t n;
	const void *data = frame(0, part, &n);

	/* the request in frames; without credit the loop has to run */
	T_EQ(shmhub_peer_call_async(s.peer, SUM, data, n, 20000, SHMHUB_MORE, on_frame, &s, &call), 0);
	for (unsigned i = 1; i < FRAMES; i++) {
		int r;

		data = frame(i, part, &n);
		while ((r = shmhub_peer_call_write(s.peer, call, data, n,
						   i + 1 < FRAMES ? SHMHUB_MORE : 0)) == -EAGAIN) {
			T_OK(shmhub_peer_drain(s.peer, 64) >= 0);
			T_OK(!s.done);
		}
		T_EQ(r, 0);
	}
	run_until_done(&s);
	T_EQ(s.result, 0);
	T_EQ(s.got.bytes, sizeof(want));
	/* the answer in frames */
	s.done = false;
	s.got = (struct sum){ 0 };
	T_EQ(shmhub_peer_call_async(s.peer, COUNT_TO, &frames, 4, 20000, 0, on_frame, &s, NULL), 0);
	run_until_done(&s);
	T_EQ(s.result, 0);
	T_EQ(memcmp(&s.got, &want, sizeof(want)), 0);
	/* a blocking call takes one frame */
	T_EQ(shmhub_peer_call(s.peer, COUNT_TO, &frames, 4, 20000, NULL), -EMSGSIZE);
	(void)!write(*(int *)arg, "y", 1);
	return hub_live_run(s.peer);
}

TEST(a_peer_streams_to_and_from_the_host)
{
	struct shmhub *hub = hub_live_create(NULL);
	int told[2];
	char c;

	T_EQ(pipe(told), 0);
	shmhub_handle(hub, SUM, "sum", host_sum, NULL);
	shmhub_handle(hub, COUNT_TO, "count", host_count, NULL);
	hub_live_spawn(hub, "streaming", streaming_child, &told[1]);
	close(told[1]);
	T_EQ(read(told[0], &c, 1), 1);
	hub_live_destroy(hub);
}

/* Asks for a long answer, and reads nothing of it. */
static int unreading_child(const struct shmhub_peer_config *config, void *arg)
{
	const unsigned frames = FRAMES;
	struct streaming s = { .peer = hub_live_attach(config) };

	(void)arg;
	T_EQ(shmhub_peer_call_async(s.peer, COUNT_TO, &frames, 4, 20000, 0, on_frame, &s, NULL), 0);
	pause();
	return 0;
}

static bool waits_or_has_ended(void *hub)
{
	return host_has_counted || hub_get64(&((struct shmhub *)hub)->spill) >> 32;
}

TEST(a_handler_of_the_host_waits_when_the_credit_for_parts_is_used_up)
{
	struct shmhub *hub = hub_live_create(NULL);

	shmhub_handle(hub, COUNT_TO, "count", host_count, NULL);
	const unsigned peer = hub_live_spawn(hub, "unreading", unreading_child, NULL);

	hub_live_until(waits_or_has_ended, hub, "the handler waits");
	T_OK(!host_has_counted);
	T_EQ(host_parts, 1 + HUB_BODY_WINDOW);
	T_EQ(shmhub_kill(hub, peer), 0);
	hub_live_destroy(hub);
}

TEST(a_peer_that_dies_in_the_middle_of_a_stream_fails_it)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "count", hub_live_echo, (void *)add_handlers);
	const unsigned frames = 1000000;
	struct shmhub_msg reply;
	uint64_t call;
	int r;

	T_EQ(shmhub_call_start(hub, peer, COUNT_TO, &frames, 4, -1, 0, &call), 0);
	for (int i = 0; i < 10; i++) {
		T_EQ(shmhub_wait(hub, call, -1, 0, &reply), 0);
		shmhub_msg_release(&reply);
	}
	T_EQ(shmhub_kill(hub, peer), 0);
	while (!(r = shmhub_wait(hub, call, -1, 0, &reply)))
		shmhub_msg_release(&reply); /* what had come already */
	T_EQ(r, -EOWNERDEAD);
	hub_live_destroy(hub);
}

/* ---- what happens while a frame lies there that nobody has read yet ------------------------------ */

struct told { /* a function that keeps the first frame until it is let go */
	_Atomic uint32_t frames, may_go;
	_Atomic int result; /* of the last one; 1: none yet */
};

static void keep_first(void *arg, int result, struct shmhub_msg *reply)
{
	struct told *t = arg;

	if (!result && t->frames++ == 0)
		while (!t->may_go)
			hub_futex_wait(&t->may_go, 0, HUB_FOREVER);
	if (result || !(reply->flags & SHMHUB_MORE))
		t->result = result;
}

static void let_go(struct told *t)
{
	t->may_go = 1;
	hub_futex_wake(&t->may_go, 1);
}

static bool has_first(void *arg)
{
	return ((struct told *)arg)->frames > 0;
}

static bool is_told(void *arg)
{
	return ((struct told *)arg)->result != 1;
}

static void start_endless(struct shmhub *hub, unsigned peer, int timeout_ms, struct told *t,
			  uint64_t *call)
{
	const uint32_t frames = 1000000;

	*t = (struct told){ .result = 1 };
	T_EQ(shmhub_call_async(hub, peer, COUNT_TO, &frames, 4, timeout_ms, 0, keep_first, t, call), 0);
	hub_live_until(has_first, t, "the first frame came");
}

static bool is_over_time(void *arg)
{
	return hub_now_ns() > *(uint64_t *)arg;
}

TEST(a_function_that_reads_slowly_is_told_of_the_death_the_deadline_and_the_cancellation)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "count", hub_live_echo, (void *)add_handlers);
	struct told t;
	uint64_t call;

	start_endless(hub, peer, -1, &t, &call);
	T_EQ(shmhub_cancel(hub, call), 0);
	let_go(&t);
	hub_live_until(is_told, &t, "the function is told of the cancellation");
	T_EQ(t.result, -ECANCELED);

	uint64_t over = hub_now_ns() + 300000000;

	start_endless(hub, peer, 200, &t, &call);
	hub_live_until(is_over_time, &over, "the deadline is over");
	let_go(&t);
	hub_live_until(is_told, &t, "the function is told of the deadline");
	T_EQ(t.result, -ETIMEDOUT);

	start_endless(hub, peer, -1, &t, &call);
	shmhub_kill(hub, peer);
	hub_live_until_state(hub, peer, SHMHUB_PEER_GONE, 1);
	let_go(&t);
	hub_live_until(is_told, &t, "the function is told of the death");
	T_EQ(t.result, -EOWNERDEAD);
	hub_live_destroy(hub);
}

static bool has_come(void *arg)
{
	struct shmhub *hub = ((void **)arg)[0];
	struct shmhub_peer_info info = { .size = sizeof(info) };

	return shmhub_peer_get(hub, 1, &info) == 0 && info.received >= 4;
}

TEST(a_caller_that_reads_slowly_gets_what_came_and_then_the_death)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "count", hub_live_echo, (void *)add_handlers);
	const uint32_t frames = 1000000;
	struct shmhub_msg reply;
	uint64_t call;
	int r, n = 0;

	T_EQ(shmhub_call_start(hub, peer, COUNT_TO, &frames, 4, -1, 0, &call), 0);
	hub_live_until(has_come, &hub, "frames came");
	shmhub_kill(hub, peer);
	hub_live_until_state(hub, peer, SHMHUB_PEER_GONE, 1);
	while ((r = shmhub_wait(hub, call, 5000, 0, &reply)) == 0) {
		shmhub_msg_release(&reply);
		n++;
	}
	T_EQ(r, -EOWNERDEAD);
	T_OK(n >= 4);
	hub_live_destroy(hub);
}
