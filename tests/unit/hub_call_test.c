/* Calls between a host and peers that are forks of the test. */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uint8_t *make_bytes(size_t n)
{
	uint8_t *p = malloc(n);

	for (size_t i = 0; i < n; i++)
		p[i] = LIVE_BYTE(i);
	return p;
}

TEST(an_answer_is_what_the_handler_gave_at_every_size)
{
	static const size_t sizes[] = { 0, 1, 23, 24, 25, 80, 81, 136, 137, 191, 192, 193, 1024, 1025,
					16384, 65536, 131071, 131072, 262145, 1500000, 10000000 };
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	struct shmhub_msg reply;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *data = make_bytes(sizes[i]);

		T_EQ(shmhub_call(hub, peer, LIVE_ECHO, data, sizes[i], 10000, &reply), 0);
		T_EQ(reply.len, sizes[i]);
		T_EQ(memcmp(reply.data, data, sizes[i]), 0);
		T_EQ(reply.flags, sizes[i] >= SHMHUB_HOLD_MIN ? SHMHUB_IN_PLACE : 0);
		shmhub_msg_release(&reply);
		shmhub_msg_release(&reply); /* twice is once */
		free(data);
	}
	hub_live_destroy(hub);
}

TEST(a_payload_larger_than_the_largest_class_is_refused_and_the_file_tells_its_size)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	const size_t n = (16 << 20) + 1;
	uint8_t *data = calloc(1, n);
	const uint32_t too_much = n;
	const struct hub_peer *entry = hub_map_peer(&hub->map, peer);
	struct shmhub_msg reply;

	T_EQ(shmhub_payload_max(hub), n - 1);
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, data, n, 10000, &reply), -EMSGSIZE);
	T_EQ(hub_get64(&entry->host_too_large), 1);
	T_EQ(hub_get64(&entry->host_too_large_bytes), n);
	/* an answer that is too large becomes a status */
	T_EQ(shmhub_call(hub, peer, LIVE_MAKE, &too_much, sizeof(too_much), 10000, &reply), 0);
	T_EQ(reply.status, -EMSGSIZE);
	T_EQ(reply.len, 0);
	T_EQ(hub_get64(&entry->too_large), 1);
	T_EQ(hub_get64(&entry->too_large_bytes), n);
	shmhub_msg_release(&reply);
	free(data);
	hub_live_destroy(hub);
}

TEST(a_status_and_a_missing_handler_are_told_to_the_caller)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	const int32_t status = -EXDEV;
	struct shmhub_msg reply;

	T_EQ(shmhub_call(hub, peer, LIVE_STATUS, &status, sizeof(status), 10000, &reply), 0);
	T_EQ(reply.status, -EXDEV);
	shmhub_msg_release(&reply);
	T_EQ(shmhub_call(hub, peer, LIVE_STATUS, &status, sizeof(status), 10000, NULL), -EXDEV);
	T_EQ(shmhub_call(hub, peer, 999, NULL, 0, 10000, NULL), -ENOSYS);
	/* a handler that forgets to answer */
	T_EQ(shmhub_call(hub, peer, LIVE_SINK, NULL, 0, 10000, NULL), -ENOMSG);
	T_EQ(shmhub_call(hub, peer + 1, LIVE_ECHO, NULL, 0, 10000, NULL), -ENOENT);
	T_EQ(shmhub_call(hub, 5000, LIVE_ECHO, NULL, 0, 10000, NULL), -ENOENT);
	T_EQ(shmhub_call(hub, peer, 0, NULL, 0, 10000, NULL), -EINVAL);
	hub_live_destroy(hub);
}

TEST(a_call_ends_at_its_deadline_and_a_late_answer_hurts_nobody)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	const uint64_t from = hub_now_ns();
	struct shmhub_msg reply;
	int x = 5;

	T_EQ(shmhub_call(hub, peer, LIVE_HANG, NULL, 0, 60, &reply), -ETIMEDOUT);
	T_OK(hub_now_ns() - from >= 60000000);
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, &x, sizeof(x), 10000, &reply), 0);
	shmhub_msg_release(&reply);
	hub_live_destroy(hub);
}

TEST(calls_of_one_thread_overlap_and_are_answered_out_of_order)
{
	enum { N = 64 };
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	uint64_t call[N], hang;
	struct shmhub_msg reply;

	T_EQ(shmhub_call_start(hub, peer, LIVE_HANG, NULL, 0, 10000, 0, &hang), 0);
	for (int i = 0; i < N; i++)
		T_EQ(shmhub_call_start(hub, peer, LIVE_ECHO, &i, sizeof(i), 10000, 0, &call[i]), 0);
	for (int i = N - 1; i >= 0; i--) {
		T_EQ(shmhub_wait(hub, call[i], 10000, 0, &reply), 0);
		T_EQ(*(const int *)reply.data, i);
		shmhub_msg_release(&reply);
		T_EQ(shmhub_wait(hub, call[i], 0, 0, &reply), -ENOENT);
	}
	T_EQ(shmhub_wait(hub, hang, 0, 0, &reply), -EAGAIN);
	T_EQ(shmhub_wait(hub, hang, 20, 0, &reply), -EAGAIN);
	T_EQ(shmhub_cancel(hub, hang), 0);
	T_EQ(shmhub_cancel(hub, hang), -ENOENT);
	T_EQ(shmhub_wait(hub, hang, 0, 0, &reply), -ENOENT);
	hub_live_destroy(hub);
}

struct waiting {
	struct shmhub *hub;
	uint64_t call;
	int result;
};

static void *wait_thread(void *arg)
{
	struct waiting *w = arg;
	struct shmhub_msg reply;

	w->result = shmhub_wait(w->hub, w->call, -1, 0, &reply);
	return NULL;
}

static bool somebody_waits(void *arg)
{
	struct waiting *w = arg;
	uint32_t gen;
	unsigned state;
	struct hub_pend *pend = hub_pend_find(w->hub, w->call, &gen);

	T_OK(hub_pend_lock(pend, gen, &state));
	const bool waits = pend->waiters > 0;

	hub_pend_unlock(pend, state);
	return waits;
}

TEST(a_cancelled_call_wakes_who_waits_for_it)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	struct waiting w = { .hub = hub };
	pthread_t thread;

	T_EQ(shmhub_call_start(hub, peer, LIVE_HANG, NULL, 0, -1, 0, &w.call), 0);
	pthread_create(&thread, NULL, wait_thread, &w);
	hub_live_until(somebody_waits, &w, "a thread waits");
	T_EQ(shmhub_cancel(hub, w.call), 0);
	pthread_join(thread, NULL);
	T_EQ(w.result, -ECANCELED);
	hub_live_destroy(hub);
}

/* ---- functions instead of waiting ------------------------------------------------------------- */

struct told {
	_Atomic int n;
	int result, value;
};

static void told(void *arg, int result, struct shmhub_msg *reply)
{
	struct told *t = arg;

	t->result = result;
	t->value = reply ? *(const int *)reply->data : -1;
	t->n++;
}

static bool was_told(void *arg)
{
	return ((struct told *)arg)->n > 0;
}

TEST(a_function_is_told_the_answer_the_timeout_and_the_death)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	struct told a = { 0 }, b = { 0 }, c = { 0 };
	int x = 42;

	T_EQ(shmhub_call_async(hub, peer, LIVE_ECHO, &x, sizeof(x), -1, 0, told, &a, NULL), 0);
	hub_live_until(was_told, &a, "told the answer");
	T_EQ(a.result, 0);
	T_EQ(a.value, 42);
	T_EQ(shmhub_call_async(hub, peer, LIVE_HANG, NULL, 0, 50, 0, told, &b, NULL), 0);
	hub_live_until(was_told, &b, "told the timeout");
	T_EQ(b.result, -ETIMEDOUT);
	T_EQ(shmhub_call_async(hub, peer, LIVE_HANG, NULL, 0, -1, 0, told, &c, NULL), 0);
	T_EQ(shmhub_kill(hub, peer), 0);
	hub_live_until(was_told, &c, "told the death");
	T_EQ(c.result, -EOWNERDEAD);
	T_EQ(c.n, 1);
	hub_live_destroy(hub);
}

/* ---- zero copy -------------------------------------------------------------------------------- */

TEST(a_reserved_slot_is_filled_in_place_and_sent)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	struct shmhub_msg reply;
	struct shmhub_buf buf;
	uint64_t call;

	T_EQ(shmhub_reserve(hub, peer, 300000, 1000, &buf), 0);
	T_OK(buf.size >= 300000);
	memset(buf.data, 'x', 300000);
	T_EQ(hub_live_slots_used(hub), 1);
	T_EQ(shmhub_call_start_buf(hub, LIVE_ECHO, &buf, 300000, 10000, 0, &call), 0);
	T_OK(!buf.data);
	T_EQ(shmhub_wait(hub, call, -1, 0, &reply), 0);
	T_EQ(reply.len, 300000);
	T_OK(reply.flags & SHMHUB_IN_PLACE);
	T_EQ(((const char *)reply.data)[299999], 'x');
	shmhub_msg_release(&reply);
	/* one that is given back unsent */
	T_EQ(shmhub_reserve(hub, peer, 1000, 1000, &buf), 0);
	shmhub_buf_release(&buf);
	hub_live_destroy(hub);
}

TEST(wait_flags_choose_between_a_copy_and_the_slot)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	uint8_t *data = make_bytes(200000);
	struct shmhub_msg reply;
	uint64_t call;

	T_EQ(shmhub_call_start(hub, peer, LIVE_ECHO, data, 200000, 10000, 0, &call), 0);
	T_EQ(shmhub_wait(hub, call, -1, SHMHUB_COPY, &reply), 0);
	T_EQ(reply.flags, 0);
	T_EQ(memcmp(reply.data, data, 200000), 0);
	shmhub_msg_release(&reply);
	T_EQ(shmhub_call_start(hub, peer, LIVE_ECHO, data, 2000, 10000, 0, &call), 0);
	T_EQ(shmhub_wait(hub, call, -1, SHMHUB_HOLD, &reply), 0);
	T_EQ(reply.flags, SHMHUB_IN_PLACE);
	T_EQ(memcmp(reply.data, data, 2000), 0);
	shmhub_msg_release(&reply);
	free(data);
	hub_live_destroy(hub);
}

/* ---- notifications ----------------------------------------------------------------------------- */

TEST(every_notification_arrives_however_many_there_are)
{
	enum { N = 10000 }; /* many windows, many laps */
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	struct shmhub_msg reply;
	uint64_t n;

	for (int i = 0; i < N; i++)
		T_EQ(shmhub_notify(hub, peer, LIVE_SINK, &i, i % 100 == 0 ? 2000 % (i + 1) % 4 : 4,
				   10000, 0),
		     0);
	T_EQ(shmhub_call(hub, peer, LIVE_COUNT, NULL, 0, 10000, &reply), 0);
	memcpy(&n, reply.data, sizeof(n));
	T_EQ(n, N);
	shmhub_msg_release(&reply);
	hub_live_destroy(hub);
}

TEST(a_ring_that_nobody_reads_refuses_or_times_out)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	struct shmhub_peer_info info = { .size = sizeof(info) };
	int r = 0, n = 0;

	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 10000, NULL), 0);
	T_EQ(shmhub_peer_get(hub, peer, &info), 0);
	kill(info.pid, SIGSTOP);
	while (!(r = shmhub_notify(hub, peer, LIVE_SINK, NULL, 0, 0, SHMHUB_NOWAIT)))
		n++;
	T_EQ(r, -EAGAIN);
	T_OK(n >= 256 - HUB_RING_RESERVED - 4 && n < 256);
	T_EQ(shmhub_notify(hub, peer, LIVE_SINK, NULL, 0, 50, 0), -ETIMEDOUT);
	kill(info.pid, SIGCONT);
	T_EQ(shmhub_notify(hub, peer, LIVE_SINK, NULL, 0, 10000, 0), 0);
	hub_live_destroy(hub);
}

/* ---- the other direction -------------------------------------------------------------------------- */

static void host_sum(struct shmhub_request *r, void *arg)
{
	const uint32_t sum = hub_live_sum(shmhub_request_data(r), shmhub_request_len(r));

	(void)arg;
	T_EQ(shmhub_request_peer(r), 1);
	shmhub_reply(r, 0, &sum, sizeof(sum));
}

static void host_echo(struct shmhub_request *r, void *arg)
{
	(void)arg;
	shmhub_reply(r, 0, shmhub_request_data(r), shmhub_request_len(r));
}

static int caller_child(const struct shmhub_peer_config *config, void *arg)
{
	static const size_t sizes[] = { 0, 5, 192, 193, 5000, 131072, 1500000 };
	struct shmhub_peer *peer = hub_live_attach(config);
	struct shmhub_msg reply;
	const int done = *(int *)arg;
	uint32_t sum;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *data = make_bytes(sizes[i]);

		T_EQ(shmhub_peer_call(peer, 20, data, sizes[i], 10000, &reply), 0);
		T_EQ(reply.len, 4);
		memcpy(&sum, reply.data, 4);
		T_EQ(sum, hub_live_sum(data, sizes[i]));
		shmhub_msg_release(&reply);
		T_EQ(shmhub_peer_call(peer, 21, data, sizes[i], 10000, &reply), 0);
		T_EQ(reply.len, sizes[i]);
		T_EQ(memcmp(reply.data, data, sizes[i]), 0);
		shmhub_msg_release(&reply);
		free(data);
	}
	T_EQ(shmhub_peer_call(peer, 77, NULL, 0, 10000, NULL), -ENOSYS);
	(void)!write(done, "y", 1);
	return hub_live_run(peer);
}

TEST(a_peer_calls_the_host_at_every_size)
{
	struct shmhub *hub = hub_live_create(NULL);
	int done[2];
	char c;

	T_EQ(pipe(done), 0);
	T_EQ(shmhub_handle(hub, 20, "sum", host_sum, NULL), 0);
	T_EQ(shmhub_handle(hub, 21, "echo", host_echo, NULL), 0);
	hub_live_spawn(hub, "caller", caller_child, &done[1]);
	close(done[1]);
	T_EQ(read(done[0], &c, 1), 1);
	T_EQ(c, 'y');
	hub_live_destroy(hub);
}

/* A handler of the peer that wants to wait for the host. */
static struct shmhub_peer *me;

static void async_told(void *arg, int result, struct shmhub_msg *reply)
{
	shmhub_reply(arg, result, reply ? reply->data : NULL, reply ? reply->len : 0);
}

static void reentrant(struct shmhub_request *r, void *arg)
{
	(void)arg;
	if (shmhub_peer_call(me, 21, "x", 1, 1000, NULL) != -EDEADLK ||
	    shmhub_peer_run(me) != -EDEADLK || shmhub_peer_drain(me, 1) != -EDEADLK) {
		shmhub_reply(r, -EPROTO, NULL, 0);
		return;
	}
	shmhub_request_defer(r);
	if (shmhub_peer_call_async(me, 21, "through", 7, 5000, 0, async_told, r, NULL))
		shmhub_reply(r, -EPROTO, NULL, 0);
}

static int reentrant_child(const struct shmhub_peer_config *config, void *arg)
{
	(void)arg;
	me = hub_live_attach(config);
	shmhub_peer_handle(me, 30, NULL, reentrant, NULL);
	return hub_live_run(me);
}

TEST(a_handler_that_would_block_on_the_host_is_told_and_can_answer_later)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "reentrant", reentrant_child, NULL);
	struct shmhub_msg reply;

	T_EQ(shmhub_handle(hub, 21, "echo", host_echo, NULL), 0);
	T_EQ(shmhub_call(hub, peer, 30, NULL, 0, 10000, &reply), 0);
	T_EQ(reply.status, 0);
	T_EQ(reply.len, 7);
	T_EQ(memcmp(reply.data, "through", 7), 0);
	shmhub_msg_release(&reply);
	hub_live_destroy(hub);
}

/* A handler of the host that calls back the peer which waits for it. */
static void host_calls_back(struct shmhub_request *r, void *arg)
{
	struct shmhub_msg reply;
	const int e = shmhub_call(arg, shmhub_request_peer(r), LIVE_ECHO, "back", 4, 5000, &reply);

	shmhub_reply(r, e, e ? NULL : reply.data, e ? 0 : reply.len);
	if (!e)
		shmhub_msg_release(&reply);
}

static void echo_in_peer(struct shmhub_request *r, void *arg)
{
	(void)arg;
	shmhub_reply(r, 0, shmhub_request_data(r), shmhub_request_len(r));
}

static int calls_back_child(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *peer = hub_live_attach(config);
	struct shmhub_msg reply;

	shmhub_peer_handle(peer, LIVE_ECHO, NULL, echo_in_peer, NULL);
	T_EQ(shmhub_peer_call(peer, 22, NULL, 0, 10000, &reply), 0);
	T_EQ(reply.status, 0);
	T_EQ(reply.len, 4);
	shmhub_msg_release(&reply);
	(void)!write(*(int *)arg, "y", 1);
	return hub_live_run(peer);
}

TEST(a_host_handler_may_call_the_peer_that_waits_for_it)
{
	struct shmhub *hub = hub_live_create(NULL);
	int done[2];
	char c;

	T_EQ(pipe(done), 0);
	T_EQ(shmhub_handle(hub, 22, "back", host_calls_back, hub), 0);
	hub_live_spawn(hub, "back", calls_back_child, &done[1]);
	close(done[1]);
	T_EQ(read(done[0], &c, 1), 1);
	hub_live_destroy(hub);
}

/* ---- limits ------------------------------------------------------------------------------------ */

TEST(at_the_limit_of_pending_calls_a_caller_waits_or_is_refused)
{
	struct shmhub_config config;
	uint64_t call[16];
	struct shmhub_stats stats = { .size = sizeof(stats) };
	int n = 0, r;

	shmhub_config_init(&config);
	config.calls_max = 16; /* a quarter of it for one peer */
	struct shmhub *hub = hub_live_create(&config);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);

	while (!(r = shmhub_call_start(hub, peer, LIVE_HANG, NULL, 0, -1, SHMHUB_NOWAIT, &call[n])))
		n++;
	T_EQ(r, -EAGAIN);
	T_EQ(n, 4);
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 50, NULL), -ETIMEDOUT);
	shmhub_stats_get(hub, &stats);
	T_EQ(stats.calls_refused, 1);
	T_EQ(stats.calls_waited, 1);
	T_EQ(shmhub_cancel(hub, call[0]), 0);
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 5000, NULL), 0);
	for (int i = 1; i < n; i++)
		T_EQ(shmhub_cancel(hub, call[i]), 0);
	hub_live_destroy(hub);
}

/* Four peers use up the whole table; what the fifth has of its own share is no help. */
TEST(at_the_limit_of_all_calls_together_a_caller_waits_or_is_refused)
{
	enum { PEERS = 5, EACH = 4 };
	struct shmhub_config config;
	struct shmhub_stats stats = { .size = sizeof(stats) };
	uint64_t call[PEERS - 1][EACH], more;

	alarm(60); /* a table that is full and looks free is searched for ever */
	shmhub_config_init(&config);
	config.calls_max = (PEERS - 1) * EACH;
	struct shmhub *hub = hub_live_create(&config);

	for (unsigned p = 0; p < PEERS; p++)
		hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	for (unsigned p = 0; p < PEERS - 1; p++)
		for (unsigned i = 0; i < EACH; i++)
			T_EQ(shmhub_call_start(hub, p + 1, LIVE_HANG, NULL, 0, -1, SHMHUB_NOWAIT,
					       &call[p][i]), 0);
	T_EQ(shmhub_call_start(hub, PEERS, LIVE_ECHO, NULL, 0, -1, SHMHUB_NOWAIT, &more), -EAGAIN);
	T_EQ(shmhub_call(hub, PEERS, LIVE_ECHO, NULL, 0, 50, NULL), -ETIMEDOUT);
	shmhub_stats_get(hub, &stats);
	T_EQ(stats.calls_refused, 1);
	T_EQ(stats.calls_waited, 1);
	T_EQ(shmhub_cancel(hub, call[0][0]), 0);
	T_EQ(shmhub_call(hub, PEERS, LIVE_ECHO, NULL, 0, 10000, NULL), 0);
	for (unsigned i = 1; i < EACH * (PEERS - 1); i++)
		T_EQ(shmhub_cancel(hub, call[i / EACH][i % EACH]), 0);
	hub_live_destroy(hub);
}

/* ---- notifications: a ring with room for more of them than may be under way ------------------- */

enum { NOTIFY_MANY = 31, KEEP_NOTICE = 32 };

static pthread_mutex_t notice_gate = PTHREAD_MUTEX_INITIALIZER;

static void keep_notice(struct shmhub_request *r, void *arg)
{
	(void)r;
	(void)arg;
	pthread_mutex_lock(&notice_gate);
	pthread_mutex_unlock(&notice_gate);
}

/* As many as go without waiting; answers with how many that were, and why it ended. */
static void notify_many(struct shmhub_request *r, void *arg)
{
	int32_t said[2] = { 0, 0 };

	(void)arg;
	while (said[0] < 2 * HUB_NOTIFY_WINDOW &&
	       !(said[1] = shmhub_peer_notify(me, KEEP_NOTICE, NULL, 0, 0, SHMHUB_NOWAIT)))
		said[0]++;
	shmhub_reply(r, 0, said, sizeof(said));
}

static int notifying_child(const struct shmhub_peer_config *config, void *arg)
{
	(void)arg;
	me = hub_live_attach(config);
	hub_live_handle(me);
	shmhub_peer_handle(me, NOTIFY_MANY, NULL, notify_many, NULL);
	return hub_live_run(me);
}

static struct shmhub *make_notifying(void)
{
	struct shmhub_config config;

	shmhub_config_init(&config);
	config.ring_cells = 4 * HUB_NOTIFY_WINDOW;
	struct shmhub *hub = hub_live_create(&config);

	hub_live_spawn(hub, "notifying", notifying_child, NULL);
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, NULL, 0, 10000, NULL), 0);
	return hub;
}

TEST(the_host_sends_no_more_notifications_than_a_peer_may_leave_unhandled)
{
	struct shmhub *hub = make_notifying();
	struct shmhub_peer_info info = { .size = sizeof(info) };
	int n = 0, r = 0;

	T_EQ(shmhub_peer_get(hub, 1, &info), 0);
	T_EQ(kill(info.pid, SIGSTOP), 0);
	while (n < 2 * HUB_NOTIFY_WINDOW && !(r = shmhub_notify(hub, 1, LIVE_SINK, NULL, 0, 0, SHMHUB_NOWAIT)))
		n++;
	T_EQ(kill(info.pid, SIGCONT), 0);
	T_EQ(r, -EAGAIN);
	T_EQ(n, HUB_NOTIFY_WINDOW);
	T_EQ(shmhub_notify(hub, 1, LIVE_SINK, NULL, 0, 10000, 0), 0); /* waits for credit */
	hub_live_destroy(hub);
}

TEST(a_peer_sends_no_more_notifications_than_the_host_may_leave_unhandled)
{
	struct shmhub *hub = make_notifying();
	struct shmhub_msg reply;
	int32_t said[2];

	shmhub_handle(hub, KEEP_NOTICE, NULL, keep_notice, NULL);
	pthread_mutex_lock(&notice_gate);
	T_EQ(shmhub_call(hub, 1, NOTIFY_MANY, NULL, 0, 10000, &reply), 0);
	memcpy(said, reply.data, sizeof(said));
	shmhub_msg_release(&reply);
	T_EQ(said[1], -EAGAIN);
	T_EQ(said[0], HUB_NOTIFY_WINDOW);
	pthread_mutex_unlock(&notice_gate);
	hub_live_destroy(hub);
}

TEST(the_files_call_table_says_what_the_host_waits_for)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	uint64_t call;

	T_EQ(shmhub_call_start(hub, peer, LIVE_HANG, "abc", 3, 7000, 0, &call), 0);
	const struct hub_call *entry = hub_table_at(&hub->map.calls, (uint32_t)call - 1);

	T_EQ(HUB_CALL_STATE(hub_get64(&entry->word)), HUB_CALL_PENDING);
	T_EQ(HUB_CALL_PEER(hub_get64(&entry->word)), peer);
	T_EQ(HUB_CALL_GENERATION(hub_get64(&entry->word)), entry->id >> 16);
	T_EQ(entry->method, LIVE_HANG);
	T_EQ(entry->enqueued_peer, peer);
	T_EQ(entry->enqueued_at, 1);
	T_EQ(entry->bytes, 3);
	T_EQ(entry->deadline_ms, 7000);
	T_EQ(entry->caller_tid, hub_tid());
	T_EQ(shmhub_cancel(hub, call), 0);
	T_EQ(HUB_CALL_STATE(hub_get64(&entry->word)), HUB_CALL_FREE);
	hub_live_destroy(hub);
}

/* The ring that the peer answers in, and how many answers it is to have written. */
struct answers {
	const struct hub_ring *ring;
	uint64_t messages;
};

static bool are_sent(void *arg)
{
	const struct answers *a = arg;

	return hub_get64(&a->ring->messages) >= a->messages && !hub_get32(&a->ring->sending);
}

static bool are_taken(void *arg)
{
	const struct answers *a = arg;

	return hub_get64(&a->ring->tail) == hub_get64(&a->ring->head);
}

/* Whom the host listens to while it sleeps on peer 1's bell. */
static uint32_t listens(const struct shmhub *hub)
{
	return hub_get32(&hub_map_peer(&hub->map, 1)->host_asleep) & HUB_ASLEEP_IN_LOOP;
}

/* A peer that has answered, and is past the bell of that. Whoever let go of the role while the
 * caller was not quite awake listens to quiet answers, too: then once more. */
static struct answers first_answer(struct shmhub *hub)
{
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	struct answers a = { hub_map_ring(&hub->map, peer, HUB_SEND), 0 };

	do {
		T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 10000, NULL), 0);
		a.messages++;
		hub_live_until(are_sent, &a, "the first answer is sent");
	} while (listens(hub) != HUB_ASLEEP_LOUD && a.messages < 100);
	return a;
}

TEST(an_answer_that_nobody_waits_for_yet_rings_nobody_and_is_taken_by_the_tick)
{
	struct shmhub *hub = hub_live_create(NULL);
	struct answers a = first_answer(hub);
	const uint64_t bells = hub_get64(&a.ring->bells);
	struct shmhub_msg reply;
	uint64_t call;

	T_EQ(listens(hub), HUB_ASLEEP_LOUD);
	T_EQ(shmhub_call_start(hub, 1, LIVE_ECHO, "abc", 3, 20000, 0, &call), 0);
	a.messages++;
	hub_live_until(are_sent, &a, "the answer is sent");
	T_EQ(hub_get64(&a.ring->bells), bells);
	hub_live_until(are_taken, &a, "the answer is taken");
	T_EQ(hub_get64(&a.ring->bells), bells);
	T_EQ(shmhub_wait(hub, call, 10000, 0, &reply), 0); /* taken, perhaps not delivered yet */
	T_EQ(reply.len, 3);
	shmhub_msg_release(&reply);
	hub_live_destroy(hub);
}

/* The tick may come in between and take some; so it is tried again when nobody rang. */
TEST(answers_that_fill_half_a_ring_ring_the_host)
{
	enum { CALLS = 40, TRIES = 10 };
	struct shmhub_config config;
	struct shmhub_peer_info info = { .size = sizeof(info) };
	uint64_t call[CALLS];

	shmhub_config_init(&config);
	config.ring_cells = 64;
	struct shmhub *hub = hub_live_create(&config);
	struct answers a = first_answer(hub);
	const uint64_t bells = hub_get64(&a.ring->bells);

	T_EQ(shmhub_peer_get(hub, 1, &info), 0);
	for (int try = 0; try < TRIES && hub_get64(&a.ring->bells) == bells; try++) {
		T_EQ(kill(info.pid, SIGSTOP), 0);
		for (int i = 0; i < CALLS; i++)
			T_EQ(shmhub_call_start(hub, 1, LIVE_ECHO, NULL, 0, 20000, 0, &call[i]), 0);
		T_EQ(kill(info.pid, SIGCONT), 0);
		a.messages += CALLS;
		hub_live_until(are_sent, &a, "the answers are sent");
		for (int i = 0; i < CALLS; i++)
			T_EQ(shmhub_wait(hub, call[i], -1, 0, NULL), 0);
	}
	T_OK(hub_get64(&a.ring->bells) > bells);
	hub_live_destroy(hub);
}
