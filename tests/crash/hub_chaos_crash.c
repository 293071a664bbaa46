/*
 * Chaos: peers are killed over and over under load and started again, at random moments and, in
 * between, at a random labelled step of their own. T_LENGTH=20 makes 500 kills by the clock, and
 * as many by step.
 *
 * Whatever is answered is exact, and what was sent to a peer that is left alone is answered or
 * counted there. Afterwards every slot is free, no call is pending, no thread is stuck, and the
 * host has no more memory, descriptors or threads than after the first kills.
 */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/hub/hub_fault.h"

enum { VICTIMS = 4, STEADY = 2, PEERS = VICTIMS + STEADY, THREADS = 5, KILLS = 25 };
enum { LARGEST = 300000, RSS_GROWTH_KB = 3072 };

/* What a peer can die at. Those of the host, and of a file that is made, have their own tests. */
static const char *const label[] = {
	"peer.attached",     "peer.handler",          "ring.publish.before", "ring.publish.after",
	"ring.next.before_tail", "ring.next.after_tail", "slot.claim.before", "slot.claim.after",
	"slot.back.unmarked", "slot.send.before",     "slot.send.after",     "slot.take.before",
	"slot.take.after",   "slot.free.before",      "slot.free.after",     "bell.announced",
	"bell.wake.seen",    "bell.wake.exchanged",
};
enum { LABELS = sizeof(label) / sizeof(label[0]) };

static struct shared { /* with the peers */
	_Atomic unsigned by_step;       /* deaths at a step */
	_Atomic unsigned at[LABELS];
	_Atomic uint32_t arming;        /* victims may die by step */
} *shared;

/* ---- peers ------------------------------------------------------------------------------------ */

static struct shmhub_peer *me;
static unsigned die_at, die_after;
static bool is_at_back; /* it dies while a slot gets pages: it has to want one that has none */

static void die_there(const char *step)
{
	if (strcmp(step, label[die_at]) != 0 || die_after-- > 0)
		return;
	shared->by_step++;
	shared->at[die_at]++;
	kill(getpid(), SIGKILL);
}

/* Every second incarnation dies at a step: another one each time. */
static void arm(unsigned id)
{
	static uint64_t rng;

	rng = (hub_now_ns() ^ (uint64_t)getpid() << 32) | 1;
	t_random(&rng);
	if (id > VICTIMS || !shared->arming || t_random(&rng) % 2)
		return;
	die_at = (unsigned)(t_random(&rng) % LABELS);
	die_after = (unsigned)(t_random(&rng) % (1 + t_random(&rng) % 12)); /* soon, as a rule */
	is_at_back = strcmp(label[die_at], "slot.back.unmarked") == 0;
	if (die_at == 0 || is_at_back) /* attaching is done once; who lives on has backed it */
		die_after = 0;
	hub_faults.step = die_there;
}

/* Echo; every third after having asked the host. */
static void echo(struct shmhub_request *r, void *arg)
{
	const size_t n = shmhub_request_len(r);
	struct shmhub_buf unbacked;

	(void)arg;
	if (is_at_back && !shmhub_peer_reserve(me, 3 << 20, 1000, &unbacked))
		shmhub_buf_release(&unbacked);
	if (n % 3)
		shmhub_reply(r, 0, shmhub_request_data(r), n);
	else
		hub_live_ask_first(r, me);
}

struct body {
	size_t bytes;
};

static void body_frame(struct shmhub_request *r, struct shmhub_msg *msg, void *arg)
{
	struct body *b = arg;

	if (msg)
		b->bytes += msg->len;
	if (msg && (msg->flags & SHMHUB_MORE))
		return;
	shmhub_reply(r, 0, &b->bytes, sizeof(b->bytes));
	free(b);
}

/* Counts the bytes of a request in frames. */
static void count_body(struct shmhub_request *r, void *arg)
{
	struct body *b = malloc(sizeof(*b));

	(void)arg;
	b->bytes = shmhub_request_len(r);
	if (!shmhub_request_more(r)) {
		shmhub_reply(r, 0, &b->bytes, sizeof(b->bytes));
		free(b);
		return;
	}
	shmhub_request_defer(r);
	shmhub_request_on_body(r, body_frame, b);
}

/* Answers in so many frames, each of its number. */
struct stream {
	uint32_t next, frames;
};

static void stream_on(struct shmhub_request *r, void *arg)
{
	struct stream *s = arg;

	for (; s->next + 1 < s->frames; s->next++)
		if (shmhub_reply_part(r, &s->next, sizeof(s->next)))
			return; /* called again when there is credit */
	shmhub_reply(r, 0, &s->next, sizeof(s->next));
	free(s);
}

static void stream(struct shmhub_request *r, void *arg)
{
	struct stream *s = calloc(1, sizeof(*s));

	(void)arg;
	memcpy(&s->frames, shmhub_request_data(r), sizeof(s->frames));
	shmhub_request_on_credit(r, stream_on, s);
	shmhub_request_defer(r);
	stream_on(r, s);
}

enum { COUNT_BODY = 40, STREAM };

static int child(const struct shmhub_peer_config *config, void *arg)
{
	(void)arg;
	arm(config->id);
	me = hub_live_attach(config);
	hub_live_handle(me);
	shmhub_peer_handle(me, LIVE_ECHO, NULL, echo, NULL);
	shmhub_peer_handle(me, COUNT_BODY, NULL, count_body, NULL);
	shmhub_peer_handle(me, STREAM, NULL, stream, NULL);
	return hub_live_run(me);
}

/* ---- load ------------------------------------------------------------------------------------- */

struct work {
	struct shmhub *hub;
	_Atomic uint32_t *stop;
	uint64_t rng;
	uint64_t answered, died, notified[STEADY];
	uint8_t *data;
	_Atomic int running;       /* calls with a function */
	_Atomic unsigned misheard; /* what such a function was told and should not have been */
	char wrong[80];
};

static size_t some_size(uint64_t *rng)
{
	const uint64_t r = t_random(rng);

	return r % 8 == 0 ? 100000 + r / 8 % (LARGEST - 100000) : r % 8 < 3 ? r / 8 % 5000 : r / 8 % 193;
}

/* A victim may die during it; nobody else, and nothing else may go wrong. */
static bool is_death(struct work *w, unsigned peer, int r, const char *what)
{
	if (!r)
		return false;
	if (r == -EOWNERDEAD && peer <= VICTIMS)
		w->died++;
	else
		snprintf(w->wrong, sizeof(w->wrong), "%s to peer %u: %s", what, peer, strerror(-r));
	return true;
}

static void check_echo(struct work *w, unsigned peer, size_t n, const struct shmhub_msg *reply)
{
	if (reply->status == -EAGAIN) /* the peer's own calls are at their limit */
		return;
	if (reply->status)
		snprintf(w->wrong, sizeof(w->wrong), "peer %u says %s", peer, strerror(-reply->status));
	else if (reply->len != n || memcmp(reply->data, w->data, n) != 0)
		snprintf(w->wrong, sizeof(w->wrong), "peer %u answers something else", peer);
	else
		w->answered++;
}

static void call(struct work *w, unsigned peer)
{
	const size_t n = some_size(&w->rng);
	struct shmhub_msg reply;

	for (size_t i = 0; i < n; i += 64)
		w->data[i] = (uint8_t)t_random(&w->rng);
	if (is_death(w, peer, shmhub_call(w->hub, peer, LIVE_ECHO, w->data, n, 30000, &reply), "a call"))
		return;
	check_echo(w, peer, n, &reply);
	shmhub_msg_release(&reply);
}

/* The slot is taken, and its peer may die, before it is sent. */
static void call_in_place(struct work *w, unsigned peer)
{
	const size_t n = 2 + 3 * (1000 + t_random(&w->rng) % 60000);
	struct shmhub_msg reply;
	struct shmhub_buf buf;
	uint64_t id;
	int r = shmhub_reserve(w->hub, peer, n, 30000, &buf);

	if (is_death(w, peer, r, "a reservation"))
		return;
	memcpy(buf.data, w->data, n);
	sched_yield();
	r = shmhub_call_start_buf(w->hub, LIVE_ECHO, &buf, n, 30000, 0, &id);
	if (is_death(w, peer, r, "sending a slot")) {
		shmhub_buf_release(&buf);
		return;
	}
	if (is_death(w, peer, shmhub_wait(w->hub, id, 30000, 0, &reply), "a call in place"))
		return;
	check_echo(w, peer, n, &reply);
	shmhub_msg_release(&reply);
}

static void call_in_frames(struct work *w, unsigned peer)
{
	const unsigned frames = 1 + t_random(&w->rng) % 20;
	struct shmhub_msg reply;
	size_t sent = 100, said = 0;
	uint64_t id;

	if (is_death(w, peer, shmhub_call_start(w->hub, peer, COUNT_BODY, w->data, 100, 30000, SHMHUB_MORE,
						&id), "the first frame"))
		return;
	for (unsigned i = 1; i <= frames; i++) {
		const size_t n = some_size(&w->rng) % 20000;
		const int r = shmhub_call_write(w->hub, id, w->data, n, i < frames ? SHMHUB_MORE : 0);

		sent += n;
		if (r && r != -EOWNERDEAD)
			snprintf(w->wrong, sizeof(w->wrong), "a frame to peer %u: %s", peer, strerror(-r));
		if (r)
			break;
	}
	if (is_death(w, peer, shmhub_wait(w->hub, id, 30000, 0, &reply), "a call in frames"))
		return;
	memcpy(&said, reply.data, reply.len == sizeof(said) ? sizeof(said) : 0);
	if (said != sent)
		snprintf(w->wrong, sizeof(w->wrong), "peer %u got %zu of %zu bytes", peer, said, sent);
	w->answered++;
	shmhub_msg_release(&reply);
}

/* True: this was its last frame. */
static bool is_last(struct work *w, unsigned peer, uint32_t n, const struct shmhub_msg *reply)
{
	uint32_t number = UINT32_MAX;

	memcpy(&number, reply->data, reply->len == sizeof(number) ? sizeof(number) : 0);
	if (number != n)
		snprintf(w->wrong, sizeof(w->wrong), "peer %u: frame %u instead of %u", peer, number, n);
	return !(reply->flags & SHMHUB_MORE);
}

static void read_stream(struct work *w, unsigned peer)
{
	const uint32_t frames = 2 + (uint32_t)(t_random(&w->rng) % 40);
	struct shmhub_msg reply;
	bool last = false;
	uint64_t id;

	if (is_death(w, peer, shmhub_call_start(w->hub, peer, STREAM, &frames, sizeof(frames), -1, 0, &id),
		     "asking for a stream"))
		return;
	for (uint32_t n = 0; !last; n++) {
		if (is_death(w, peer, shmhub_wait(w->hub, id, 30000, 0, &reply), "a stream"))
			return;
		last = is_last(w, peer, n, &reply) || w->wrong[0];
		if (last && n + 1 != frames && !w->wrong[0])
			snprintf(w->wrong, sizeof(w->wrong), "a stream of %u ends at %u", frames, n + 1);
		shmhub_msg_release(&reply);
		if (t_random(&w->rng) % 8 == 0)
			sched_yield(); /* frames lie there, and the peer may die */
	}
	w->answered++;
}

/* The same by a function: told of the end exactly once, whatever it is. */
struct heard {
	_Atomic int *running;
	_Atomic unsigned *wrong;
	uint32_t n;
	bool is_victim;
};

static void hear(void *arg, int result, struct shmhub_msg *reply)
{
	struct heard *h = arg;
	uint32_t number = UINT32_MAX;

	if (!result)
		memcpy(&number, reply->data, sizeof(number));
	if (result ? result != -EOWNERDEAD || !h->is_victim : number != h->n++)
		++*h->wrong;
	if (!result && (reply->flags & SHMHUB_MORE))
		return;
	--*h->running;
	free(h);
}

static void hear_stream(struct work *w, unsigned peer)
{
	const uint32_t frames = 2 + (uint32_t)(t_random(&w->rng) % 40);
	struct heard *h = malloc(sizeof(*h));

	*h = (struct heard){ &w->running, &w->misheard, 0, peer <= VICTIMS };
	w->running++;
	if (!is_death(w, peer, shmhub_call_async(w->hub, peer, STREAM, &frames, sizeof(frames), -1, 0, hear, h,
						 NULL), "a stream for a function"))
		return;
	w->running--;
	free(h);
}

static void notify(struct work *w, unsigned peer)
{
	const size_t n = some_size(&w->rng) % 3000;

	if (!is_death(w, peer, shmhub_notify(w->hub, peer, LIVE_SINK, w->data, n, 30000, 0), "a notification") &&
	    peer > VICTIMS)
		w->notified[peer - VICTIMS - 1]++;
}

static void *keep_calling(void *arg)
{
	struct work *w = arg;

	w->data = calloc(1, LARGEST);
	while (!*w->stop && !w->wrong[0]) {
		const uint64_t r = t_random(&w->rng);
		const unsigned peer = 1 + r % PEERS;

		switch (r / PEERS % 8) {
		case 0:
			call_in_place(w, peer);
			break;
		case 1:
			call_in_frames(w, peer);
			break;
		case 2:
			notify(w, peer);
			break;
		case 3:
			read_stream(w, peer);
			break;
		case 4:
			hear_stream(w, peer);
			break;
		default:
			call(w, peer);
		}
	}
	free(w->data);
	return NULL;
}

/* ---- what must not grow ------------------------------------------------------------------------- */

struct host { /* now */
	unsigned rss_kb, fds, threads;
};

static unsigned entries_of(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	closedir(d);
	return n;
}

static struct host look(void)
{
	struct host h = { 0, entries_of("/proc/self/fd"), entries_of("/proc/self/task") };
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "RssAnon: %u kB", &h.rss_kb); /* not what is mapped of the file */
	fclose(f);
	return h;
}

/* ---- the test ----------------------------------------------------------------------------------- */

static void spawn(struct shmhub *hub, unsigned i)
{
	const struct shmhub_spawn s = { .size = sizeof(s), .name = i <= VICTIMS ? "victim" : "steady",
					.child = child, .restart = SHMHUB_RESTART_ON_DEATH,
					.backoff_first_ms = 1, .backoff_max_ms = 5, .die_with_host = 1 };
	struct shmhub_error error;
	unsigned peer;

	if (shmhub_spawn(hub, &s, &peer, &error))
		T_FAIL("%s", error.text);
	T_EQ(peer, i);
}

static void start_load(struct shmhub *hub, struct work *work, pthread_t *thread, uint64_t *rng,
		       _Atomic uint32_t *stop)
{
	for (unsigned i = 0; i < THREADS; i++) {
		work[i] = (struct work){ .hub = hub, .stop = stop, .rng = t_random(rng) | 1 };
		T_EQ(pthread_create(&thread[i], NULL, keep_calling, &work[i]), 0);
	}
}

static bool someone_is_wrong(const struct work *work)
{
	for (unsigned i = 0; i < THREADS; i++)
		if (work[i].wrong[0])
			return true;
	return false;
}

/* Until so many died by the clock, and so many at a step. Returns how many by the clock. */
static unsigned kill_them(struct shmhub *hub, const struct work *work, uint64_t *rng, unsigned until)
{
	static unsigned kills;

	while ((kills < until || shared->by_step < until) && !someone_is_wrong(work)) {
		usleep((useconds_t)(t_random(rng) % 8000));
		/* those that die by step live longer: they have to come there */
		if (kills < until || t_random(rng) % 8 == 0)
			kills += shmhub_kill(hub, 1 + t_random(rng) % VICTIMS) == 0;
	}
	return kills;
}

static bool peer_answers(void *arg)
{
	struct work *w = arg;

	return shmhub_call(w->hub, (unsigned)w->rng, LIVE_ECHO, "x", 1, 500, NULL) == 0;
}

static bool nothing_runs(void *arg)
{
	return ((struct work *)arg)->running == 0;
}

static void all_is_exact(struct shmhub *hub, struct work *work)
{
	for (unsigned i = 0; i < THREADS; i++) {
		hub_live_until(nothing_runs, &work[i], "every function was told of the end of its call");
		T_EQ(work[i].misheard, 0);
	}
	for (unsigned peer = 1; peer <= PEERS; peer++) {
		struct work w = { .hub = hub, .rng = peer };

		hub_live_until(peer_answers, &w, "every peer is back");
	}
	for (unsigned i = 0; i < STEADY; i++) {
		struct shmhub_msg reply;
		uint64_t sunk, sent = 0;

		for (unsigned t = 0; t < THREADS; t++)
			sent += work[t].notified[i];
		T_EQ(shmhub_call(hub, VICTIMS + 1 + i, LIVE_COUNT, NULL, 0, 30000, &reply), 0);
		memcpy(&sunk, reply.data, sizeof(sunk));
		T_EQ(sunk, sent);
		shmhub_msg_release(&reply);
	}
}

static void print_steps(void)
{
	printf("    by step:");
	for (unsigned i = 0; i < LABELS; i++)
		printf(" %s %u%s", label[i], shared->at[i], i + 1 < LABELS ? "," : "\n");
}

TEST(peers_killed_over_and_over_under_load_lose_nothing_and_leave_nothing)
{
	const unsigned want = KILLS * t_length();
	uint64_t rng = t_seed() | 1, answered = 0, died = 0;
	_Atomic uint32_t stop = 0;
	struct work work[THREADS];
	pthread_t thread[THREADS];
	struct shmhub_stats stats = { .size = sizeof(stats) };

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct shmhub *hub = hub_live_create(NULL);

	hub_live_serve_sum(hub);
	for (unsigned i = 1; i <= PEERS; i++)
		spawn(hub, i);
	shared->arming = 1;
	start_load(hub, work, thread, &rng, &stop);
	kill_them(hub, work, &rng, want / 5);
	const struct host early = look();
	const unsigned kills = kill_them(hub, work, &rng, want);
	const struct host late = look();

	shared->arming = 0;
	stop = 1;
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		if (work[i].wrong[0])
			T_FAIL("thread %u: %s", i, work[i].wrong);
		answered += work[i].answered;
		died += work[i].died;
	}
	shmhub_stats_get(hub, &stats);
	printf("    %u kills by the clock, %u by step, %lu calls answered, %lu of the killed, %lu slots"
	       " taken back\n", kills, shared->by_step, answered, died, stats.slots_swept);
	print_steps();
	printf("    host after %u kills: %u kB of its own, %u fds, %u threads; at the end %u kB, %u, %u\n",
	       want / 5, early.rss_kb, early.fds, early.threads, late.rss_kb, late.fds, late.threads);
	T_OK(answered > 0);
	T_EQ(stats.quarantined, 0);
	all_is_exact(hub, work);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* those keep what was freed */
	T_OK(late.rss_kb <= early.rss_kb + RSS_GROWTH_KB);
#endif
	T_OK(late.fds <= early.fds + 4); /* one may be just being born */
	for (unsigned i = 0; t_length() >= 20 && i < LABELS; i++)
		if (!shared->at[i])
			T_FAIL("nobody died at %s", label[i]);
	hub_live_destroy(hub); /* slots free, no call pending */
}
