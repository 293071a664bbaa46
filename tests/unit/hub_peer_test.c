/* The peer's runtime in other event loops, idle, and under its limits. */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* ---- somebody else's loop --------------------------------------------------------------------- */

static void upper(struct shmhub_request *r, void *arg)
{
	char text[64];
	const size_t n = shmhub_request_len(r) < sizeof(text) ? shmhub_request_len(r) : sizeof(text);
	const char *in = shmhub_request_data(r);

	(void)arg;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(in[i] >= 'a' && in[i] <= 'z' ? in[i] - 32 : in[i]);
	shmhub_reply(r, 0, text, n);
}

static void ticks_so_far(struct shmhub_request *r, void *arg)
{
	shmhub_reply(r, 0, arg, sizeof(uint64_t));
}

/* A program with a timer of its own and an epoll loop around both. */
static int epoll_loop_child(const struct shmhub_peer_config *config, void *arg)
{
	const struct itimerspec every = { { 0, 1000000 }, { 0, 1000000 } };
	struct shmhub_peer *peer = hub_live_attach(config);
	const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	const int loop = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event bell = { .events = EPOLLIN, .data.fd = shmhub_peer_fd(peer) };
	struct epoll_event tick = { .events = EPOLLIN, .data.fd = timer };
	uint64_t ticks = 0, n;
	int r = 0;

	(void)arg;
	shmhub_peer_handle(peer, 50, NULL, upper, NULL);
	shmhub_peer_handle(peer, 51, NULL, ticks_so_far, &ticks);
	timerfd_settime(timer, 0, &every, NULL);
	epoll_ctl(loop, EPOLL_CTL_ADD, bell.data.fd, &bell);
	epoll_ctl(loop, EPOLL_CTL_ADD, timer, &tick);
	while (r >= 0) {
		struct epoll_event event[2];
		const int got = epoll_wait(loop, event, 2, shmhub_peer_prepare(peer));

		shmhub_peer_check(peer);
		for (int i = 0; i < got; i++)
			if (event[i].data.fd == timer && read(timer, &n, sizeof(n)) == sizeof(n))
				ticks += n;
		r = shmhub_peer_drain(peer, 64);
	}
	shmhub_peer_detach(peer);
	return r == -ESHUTDOWN ? 0 : 1;
}

TEST(a_foreign_epoll_loop_serves_calls_beside_its_own_events)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "epoll", epoll_loop_child, NULL);
	struct shmhub_peer_info info = { .size = sizeof(info) };
	struct shmhub_msg reply;
	uint64_t ticks = 0;

	for (int i = 0; i < 500; i++) {
		T_EQ(shmhub_call(hub, peer, 50, "some text", 9, 10000, &reply), 0);
		T_EQ(memcmp(reply.data, "SOME TEXT", 9), 0);
		shmhub_msg_release(&reply);
	}
	while (ticks < 5) { /* its own events are not starved, and calls come in between */
		T_EQ(shmhub_call(hub, peer, 51, NULL, 0, 10000, &reply), 0);
		memcpy(&ticks, reply.data, sizeof(ticks));
		shmhub_msg_release(&reply);
	}
	T_EQ(shmhub_stop(hub, peer, 5000), 0);
	T_EQ(shmhub_peer_get(hub, peer, &info), 0);
	T_EQ(info.exit_status, 0); /* it left by itself */
	hub_live_destroy(hub);
}

struct asked {
	int results, last;
};

static void asked_told(void *arg, int result, struct shmhub_msg *reply)
{
	struct asked *a = arg;

	(void)reply;
	a->results++;
	a->last = result;
}

static int deadline_child(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *peer = hub_live_attach(config);
	struct asked a = { 0 };

	/* nobody answers; the loop's own time-out must bring the result */
	T_EQ(shmhub_peer_call_async(peer, 60, NULL, 0, 40, 0, asked_told, &a, NULL), 0);
	while (!a.results) {
		struct pollfd p = { .fd = shmhub_peer_fd(peer), .events = POLLIN };
		const int ms = shmhub_peer_prepare(peer);

		T_OK(ms >= 0 && ms <= 41);
		poll(&p, 1, ms);
		shmhub_peer_check(peer);
		T_OK(shmhub_peer_drain(peer, 10) >= 0);
	}
	T_EQ(a.last, -ETIMEDOUT);
	T_EQ(shmhub_peer_call(peer, 60, NULL, 0, 30, NULL), -ETIMEDOUT);
	(void)!write(*(int *)arg, "y", 1);
	return hub_live_run(peer);
}

struct kept {
	_Atomic int n;
	struct shmhub_request *request[2];
};

static void never(struct shmhub_request *r, void *arg)
{
	struct kept *kept = arg;

	shmhub_request_defer(r);
	kept->request[kept->n] = r;
	kept->n++;
}

static bool kept_both(void *arg)
{
	return ((struct kept *)arg)->n == 2;
}

static bool is_cancelled(void *arg)
{
	return shmhub_request_is_cancelled(arg);
}

TEST(deadlines_of_a_peers_calls_end_them_without_any_bell)
{
	struct shmhub_config one_handler;

	shmhub_config_init(&one_handler);
	one_handler.handler_threads = 1; /* so that `kept` needs no lock */
	struct shmhub *hub = hub_live_create(&one_handler);
	struct kept kept = { 0 };
	int told[2];
	char c;

	T_EQ(pipe(told), 0);
	shmhub_handle(hub, 60, NULL, never, &kept);
	hub_live_spawn(hub, "deadline", deadline_child, &told[1]);
	close(told[1]);
	T_EQ(read(told[0], &c, 1), 1);
	hub_live_until(kept_both, &kept, "both handlers have run");
	for (int i = 0; i < 2; i++) { /* the host's clock may be a little behind the peer's */
		hub_live_until(is_cancelled, kept.request[i], "its deadline is over");
		shmhub_request_drop(kept.request[i]);
	}
	hub_live_destroy(hub);
}

/* ---- idle ------------------------------------------------------------------------------------------ */

static uint64_t switches_of(pid_t pid)
{
	char path[64], line[256];
	uint64_t sum = 0, n;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %lu", &n) == 1)
			sum += n;
	if (f)
		fclose(f);
	return sum;
}

static uint64_t switches_of_task(uint32_t tid)
{
	char path[64], line[256];
	uint64_t sum = 0, n;

	snprintf(path, sizeof(path), "/proc/self/task/%u/status", tid);
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1)
			sum += n;
	if (f)
		fclose(f);
	return sum;
}

struct idlers {
	struct shmhub *hub;
	unsigned n;
};

static bool all_asleep(void *arg)
{
	const struct idlers *i = arg;

	for (unsigned p = 1; p <= i->n; p++)
		if (HUB_BEAT_STATE(hub_get64(&hub_map_peer(&i->hub->map, p)->beat)) !=
		    HUB_BEAT_ASLEEP)
			return false;
	return !hub_get32(&i->hub->ticking);
}

/* Of all peers, and of the host's event thread. */
static uint64_t switches_of_all(const struct idlers *idlers)
{
	struct shmhub_peer_info info = { .size = sizeof(info) };
	uint64_t sum = switches_of_task(idlers->hub->event_tid);

	for (unsigned i = 1; i <= idlers->n; i++) {
		T_EQ(shmhub_peer_get(idlers->hub, i, &info), 0);
		sum += switches_of(info.pid);
	}
	return sum;
}

TEST(idle_peers_and_an_idle_host_never_wake_and_cost_two_megabytes)
{
	enum { N = 16, TRIES = 8 };
	struct shmhub *hub = hub_live_create(NULL);
	struct idlers idlers = { hub, N };
	uint64_t before = 0, after = 1;
	struct stat st;

	for (unsigned i = 1; i <= N; i++) {
		T_EQ(hub_live_spawn(hub, "idle", hub_live_echo, NULL), i);
		T_EQ(shmhub_call(hub, i, LIVE_ECHO, "x", 1, 20000, NULL), 0);
	}
	hub_live_until(all_asleep, &idlers, "everybody sleeps and nothing ticks");
	/* the best of several: on a crowded machine one of them may only be on its way to sleep */
	for (int i = 0; i < TRIES && after != before; i++) {
		before = switches_of_all(&idlers);
		poll(NULL, 0, 500); /* the span over which nothing may happen */
		after = switches_of_all(&idlers);
	}
	T_EQ(after, before);
	T_EQ(fstat(hub->map.fd, &st), 0);
	T_OK(st.st_blocks * 512 <= 2 << 20);
	hub_live_destroy(hub);
}

/* ---- many -------------------------------------------------------------------------------------------- */

struct caller {
	struct shmhub *hub;
	unsigned number, peers, failed;
};

static void *call_around(void *arg)
{
	struct caller *c = arg;
	struct shmhub_msg reply;
	uint32_t x[300];

	for (unsigned i = 0; i < 50; i++) {
		const size_t n = i % 7 == 0 ? sizeof(x) : 8; /* some in a slot */

		x[0] = c->number;
		x[1] = i;
		x[n / 4 - 1] = c->number * 1000 + i;
		if (shmhub_call(c->hub, 1 + (c->number + i) % c->peers, LIVE_ECHO, x, n, 30000,
				&reply)) {
			c->failed++;
			continue;
		}
		c->failed += reply.len != n || memcmp(reply.data, x, 8) != 0 ||
			     ((const uint32_t *)reply.data)[n / 4 - 1] != x[n / 4 - 1];
		shmhub_msg_release(&reply);
	}
	return NULL;
}

TEST(eighty_threads_of_the_host_call_four_peers_and_each_gets_its_own_answers)
{
	enum { THREADS = 80, PEERS = 4 };
	struct shmhub *hub = hub_live_create(NULL);
	struct caller caller[THREADS];
	pthread_t thread[THREADS];
	struct shmhub_stats stats = { .size = sizeof(stats) };

	for (unsigned i = 0; i < PEERS; i++)
		hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	for (unsigned i = 0; i < THREADS; i++) {
		caller[i] = (struct caller){ hub, i, PEERS, 0 };
		T_EQ(pthread_create(&thread[i], NULL, call_around, &caller[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		T_EQ(caller[i].failed, 0);
	}
	shmhub_stats_get(hub, &stats);
	T_EQ(stats.calls, THREADS * 50);
	T_EQ(stats.calls_failed, 0);
	T_EQ(stats.late_replies, 0);
	T_EQ(stats.rescues, 0);
	T_EQ(stats.alloc_failed, 0);
	hub_live_destroy(hub);
}

/* ---- a slot that comes between two looks --------------------------------------------------------------- */

static struct { int announced[2], freed[2]; } meeting;
static bool shall_meet;

/* The peer has announced that it waits for a slot, and has not looked again yet. */
static void meet(const char *label)
{
	char byte = 1;

	if (!shall_meet || strcmp(label, "bell.announced") != 0)
		return;
	shall_meet = false;
	if (write(meeting.announced[1], &byte, 1) != 1 || read(meeting.freed[0], &byte, 1) != 1)
		_exit(50);
}

static void answers_by_slot(struct shmhub_request *r, void *arg)
{
	(void)arg;
	shall_meet = true;
	shmhub_reply(r, 0, (char[3000]){ 1 }, 3000);
}

static int meeting_child(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *peer = hub_live_attach(config);

	(void)arg;
	hub_faults.step = meet;
	shmhub_peer_handle(peer, LIVE_MAKE, NULL, answers_by_slot, NULL);
	return hub_live_run(peer);
}

TEST(a_slot_that_is_freed_while_a_peer_goes_to_sleep_for_it_is_claimed_once)
{
	struct shmhub_config config;
	struct shmhub_buf buf[2];
	struct shmhub_msg reply;
	uint64_t call;
	char byte;

	shmhub_config_init(&config);
	config.class_count = 1;
	config.classes[0] = (struct shmhub_class){ 4096, 2, 2 };
	T_OK(pipe(meeting.announced) == 0 && pipe(meeting.freed) == 0);
	struct shmhub *hub = hub_live_create(&config);
	const unsigned peer = hub_live_spawn(hub, "meets", meeting_child, NULL);
	const unsigned other = hub_live_spawn(hub, "other", hub_live_echo, NULL);

	hub_put32(&hub_faults.no_shares, 1); /* not one is left, not even for an answer */
	T_EQ(shmhub_reserve(hub, peer, 3000, 0, &buf[0]), 0);
	T_EQ(shmhub_reserve(hub, other, 3000, 0, &buf[1]), 0);
	hub_put32(&hub_faults.no_shares, 0);
	T_EQ(shmhub_call_start(hub, peer, LIVE_MAKE, NULL, 0, 20000, 0, &call), 0);
	T_EQ(read(meeting.announced[0], &byte, 1), 1);
	shmhub_buf_release(&buf[0]);
	shmhub_buf_release(&buf[1]); /* a second one, to be lost */
	T_EQ(write(meeting.freed[1], &byte, 1), 1);
	T_EQ(shmhub_wait(hub, call, -1, 0, &reply), 0);
	T_EQ(reply.status, 0);
	T_EQ(reply.len, 3000);
	shmhub_msg_release(&reply);
	T_EQ(hub_live_slots_used(hub), 0);
	hub_live_destroy(hub);
	for (int i = 0; i < 2; i++) {
		close(meeting.announced[i]);
		close(meeting.freed[i]);
	}
}

/* ---- requests that fill a class ------------------------------------------------------------------------- */

enum { ASK = 60 };

static int may_answer[2];

/* Until the test says so all requests keep their slots. */
static void wait_for_test(void)
{
	char byte;

	if (read(may_answer[0], &byte, 1) < 0)
		_exit(50);
}

static void answers_late(struct shmhub_request *r, void *arg)
{
	(void)arg;
	wait_for_test();
	shmhub_reply(r, 0, shmhub_request_data(r), shmhub_request_len(r));
}

static void host_has_said(void *arg, int result, struct shmhub_msg *reply)
{
	(void)reply;
	shmhub_reply(arg, result, (char[3000]){ 1 }, 3000);
}

/* Asks the host before it answers; its requests wait for that with their slots. */
static void asks_first(struct shmhub_request *r, void *arg)
{
	wait_for_test();
	shmhub_request_defer(r);
	if (shmhub_peer_call_async(arg, ASK, NULL, 0, 20000, 0, host_has_said, r, NULL))
		_exit(50);
}

static int late_child(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *peer = hub_live_attach(config);

	(void)arg;
	close(may_answer[1]);
	shmhub_peer_handle(peer, LIVE_ECHO, NULL, answers_late, NULL);
	shmhub_peer_handle(peer, ASK, NULL, asks_first, peer);
	return hub_live_run(peer);
}

static void host_says(struct shmhub_request *r, void *arg)
{
	(void)arg;
	shmhub_reply(r, 0, (char[3000]){ 2 }, 3000);
}

static bool all_slots_are_free(void *hub)
{
	return !hub_live_slots_used(hub);
}

enum { LATE_PEERS = 4, LATE_SLOTS = 4 };

/* As many requests as get a slot at once, for each peer in turn; all must be answered. */
static void fill_and_wait(struct shmhub *hub, unsigned method)
{
	uint64_t call[8];
	unsigned n = 0;
	int refused = 0;

	hub_live_until(all_slots_are_free, hub, "all slots are free");
	while (n < 8 && !refused) {
		refused = shmhub_call_start(hub, 1 + n % LATE_PEERS, method, (char[3000]){ 0 }, 3000, 20000,
					    SHMHUB_NOWAIT, &call[n]);
		n += !refused;
	}
	T_EQ(refused, -EAGAIN);
	T_EQ(n, LATE_SLOTS - 1); /* one is kept: the class is what refused */
	T_EQ(write(may_answer[1], "abcdefgh", n), n);
	for (unsigned i = 0; i < n; i++) {
		struct shmhub_msg reply;

		T_EQ(shmhub_wait(hub, call[i], -1, 0, &reply), 0);
		T_EQ(reply.status, 0);
		shmhub_msg_release(&reply);
	}
}

TEST(requests_that_fill_a_class_leave_room_for_their_answers)
{
	struct shmhub_config config;

	shmhub_config_init(&config);
	config.class_count = 1;
	config.classes[0] = (struct shmhub_class){ 4096, LATE_SLOTS, LATE_SLOTS };
	T_EQ(pipe2(may_answer, O_CLOEXEC), 0);
	struct shmhub *hub = hub_live_create(&config);

	shmhub_handle(hub, ASK, NULL, host_says, NULL);
	for (int i = 0; i < LATE_PEERS; i++)
		hub_live_spawn(hub, "late", late_child, NULL);
	fill_and_wait(hub, LIVE_ECHO);
	fill_and_wait(hub, ASK);
	hub_live_destroy(hub);
	close(may_answer[0]);
	close(may_answer[1]);
}

static void *reserve_one(void *arg)
{
	struct shmhub_buf *buf = malloc(sizeof(*buf));

	return shmhub_reserve(arg, 1, 3000, 0, buf) ? free(buf), NULL : buf;
}

TEST(threads_that_claim_at_once_stay_within_the_share_of_a_peer)
{
	enum { CLAIMERS = 16 };
	struct shmhub_config config;
	pthread_t thread[CLAIMERS];
	unsigned got = 0;

	shmhub_config_init(&config);
	config.class_count = 1;
	config.classes[0] = (struct shmhub_class){ 4096, CLAIMERS, CLAIMERS };
	struct shmhub *hub = hub_live_create(&config);

	hub_live_spawn(hub, "hoards", hub_live_echo, NULL);
	for (int round = 0; round < 200; round++) {
		struct shmhub_buf *buf[CLAIMERS];

		for (int i = 0; i < CLAIMERS; i++)
			T_EQ(pthread_create(&thread[i], NULL, reserve_one, hub), 0);
		got = 0;
		for (int i = 0; i < CLAIMERS; i++) {
			pthread_join(thread[i], (void **)&buf[i]);
			got += buf[i] != NULL;
		}
		T_OK(got <= CLAIMERS / 4);
		for (int i = 0; i < CLAIMERS; i++) {
			if (buf[i])
				shmhub_buf_release(buf[i]);
			free(buf[i]);
		}
	}
	T_EQ(got, CLAIMERS / 4);
	hub_live_destroy(hub);
}

/* ---- both rings full ------------------------------------------------------------------------------------ */

static _Atomic uint64_t host_got;

static void host_counts(struct shmhub_request *r, void *arg)
{
	(void)r;
	(void)arg;
	host_got++;
}

/* Every notification of the host is answered by four of the peer. */
static void multiply(struct shmhub_request *r, void *arg)
{
	(void)r;
	for (int i = 0; i < 4; i++)
		if (shmhub_peer_notify(arg, 70, "abcdefgh", 8, 20000, 0))
			_exit(50);
}

static int multiplier_child(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *peer = hub_live_attach(config);

	(void)arg;
	shmhub_peer_handle(peer, 71, NULL, multiply, peer);
	shmhub_peer_handle(peer, LIVE_ECHO, NULL, upper, NULL);
	return hub_live_run(peer);
}

static bool got_all(void *arg)
{
	return host_got == *(uint64_t *)arg;
}

TEST(both_rings_full_at_once_stop_nobody)
{
	struct shmhub_config config;
	uint64_t n = 3000, want = 4 * n;

	shmhub_config_init(&config);
	config.ring_cells = 16; /* 8 for what is not an answer */
	struct shmhub *hub = hub_live_create(&config);

	shmhub_handle(hub, 70, NULL, host_counts, NULL);
	const unsigned peer = hub_live_spawn(hub, "multiplier", multiplier_child, NULL);

	for (uint64_t i = 0; i < n; i++)
		T_EQ(shmhub_notify(hub, peer, 71, &i, sizeof(i), 20000, 0), 0);
	hub_live_until(got_all, &want, "all notifications have come back");
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	hub_live_destroy(hub);
}
