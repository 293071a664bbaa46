/*
 * The host's threads. Each wanders over the peers, takes a seat at one that has room, and does
 * one piece of work with it: a page to render, a burst of them, a font to unpack, a note that
 * something changed. Each thread is a lane: its messages to one peer are numbered and arrive in
 * order.
 *
 * A peer with a fault is closed first, so a hang never swallows these threads: the callers that
 * do hang on it are threads of the fault.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sut/sut_host.h"

enum { SCRATCH = 1 << 20, ANSWER_MAX = 1 << 24, BURST_MAX = 16 };

static uint64_t draw(struct sut_lane *lane, uint64_t below)
{
	lane->random ^= lane->random << 13;
	lane->random ^= lane->random >> 7;
	lane->random ^= lane->random << 17;
	return (lane->random >> 11) % below;
}

static size_t draw_size(struct sut_lane *lane, size_t from, size_t to)
{
	return from + draw(lane, to - from);
}

int sut_lane_begin(struct sut_host *host, unsigned id)
{
	struct sut_lane *lane = &host->lane[id];

	lane->host = host;
	lane->id = id;
	lane->random = (host->config->seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + id * 2 + 1;
	lane->number = calloc(host->config->peers + 1, sizeof(*lane->number));
	lane->scratch = malloc(SCRATCH);
	return lane->number && lane->scratch ? 0 : -ENOMEM;
}

static struct sut_head next_head(struct sut_lane *lane, struct sut_link *link, uint32_t kind)
{
	sut_count(&link->sent, 1);
	return (struct sut_head){ .kind = kind,
				  .lane = lane->id,
				  .number = ++lane->number[link->id] };
}

static void never_sent(struct sut_lane *lane, struct sut_link *link)
{
	lane->number[link->id]--;
	atomic_fetch_sub_explicit(&link->sent, 1, memory_order_relaxed);
}

static void complain(struct sut_link *link, const char *what, int r)
{
	static _Atomic unsigned said;

	if (atomic_fetch_add_explicit(&said, 1, memory_order_relaxed) < 20)
		fprintf(stderr, "hubdemo: warning: %s(%u): %s: %s\n", link->name, link->id, what,
			strerror(-r));
}

/* A call ended with an error: that of a peer which died or has a fault is no loss. */
static void count_error(struct sut_lane *lane, struct sut_link *link, int r)
{
	struct sut_tally *tally = lane->host->tally;

	if (r == -EOWNERDEAD || r == -ENOENT)
		link->unclean = true;
	if (link->faulty || r == -EOWNERDEAD || r == -ENOENT || r == -ESHUTDOWN ||
	    (r == -ENOSPC && tally->no_room)) {
		sut_count(&tally->failed, 1);
		return;
	}
	complain(link, "call", r);
	sut_count(&tally->lost, 1);
}

static void verify(struct sut_lane *lane, struct sut_link *link, const struct sut_head *asked,
		   const struct shmhub_msg *reply)
{
	struct sut_tally *tally = lane->host->tally;
	struct sut_head got;

	if (reply->status == -ENOSPC && tally->no_room) {
		sut_count(&tally->failed, 1);
	} else if (reply->status || sut_message_check(reply->data, reply->len, &got) ||
		   got.kind != SUT_ANSWER || got.lane != asked->lane ||
		   reply->len != asked->answer_bytes) {
		complain(link, "answer", reply->status ? reply->status : -EBADMSG);
		sut_count(&tally->corrupt, 1);
	} else if (got.number != asked->number) {
		/* an answer to another question: this one's is missing, that one's came twice */
		sut_count(&tally->lost, 1);
		sut_count(&tally->duplicated, 1);
	} else {
		sut_count(&tally->verified, 1);
	}
}

static int start_in_place(struct sut_lane *lane, struct sut_link *link, unsigned method,
			  size_t bytes, const struct sut_head *head, int timeout_ms, uint64_t *call)
{
	struct shmhub *hub = lane->host->hub;
	struct shmhub_buf buf;
	int r = shmhub_reserve(hub, link->id, bytes, timeout_ms, &buf);

	if (r)
		return r;
	sut_message_fill(buf.data, bytes, head);
	r = shmhub_call_start_buf(hub, method, &buf, bytes, timeout_ms, 0, call);
	if (r)
		shmhub_buf_release(&buf);
	return r;
}

/* An error before anything was sent. */
static void count_unsent(struct sut_lane *lane, struct sut_link *link, int r)
{
	if (r == -ENOSPC)
		never_sent(lane, link);
	count_error(lane, link, r);
}

static int start(struct sut_lane *lane, struct sut_link *link, unsigned method, size_t bytes,
		 const struct sut_head *head, int timeout_ms, uint64_t *call)
{
	if (bytes >= SHMHUB_HOLD_MIN)
		return start_in_place(lane, link, method, bytes, head, timeout_ms, call);
	sut_message_fill(lane->scratch, bytes, head);
	return shmhub_call_start(lane->host->hub, link->id, method, lane->scratch, bytes,
				 timeout_ms, 0, call);
}

static int finish(struct sut_lane *lane, struct sut_link *link, const struct sut_head *head,
		  uint64_t call)
{
	struct shmhub_msg reply = { 0 };
	const int r = shmhub_wait(lane->host->hub, call, -1, 0, &reply);

	if (r) {
		count_error(lane, link, r);
		return r;
	}
	verify(lane, link, head, &reply);
	shmhub_msg_release(&reply);
	return 0;
}

int sut_exchange(struct sut_lane *lane, struct sut_link *link, unsigned method, size_t bytes,
		 size_t answer_bytes, size_t ask_bytes, int timeout_ms)
{
	struct sut_head head = next_head(lane, link, SUT_REQUEST);
	struct shmhub_msg reply = { 0 };
	uint64_t call;
	int r;

	head.answer_bytes = (uint32_t)answer_bytes;
	head.ask_bytes = (uint32_t)ask_bytes;
	if (bytes >= SHMHUB_HOLD_MIN) {
		r = start_in_place(lane, link, method, bytes, &head, timeout_ms, &call);
		if (!r)
			return finish(lane, link, &head, call);
	} else {
		sut_message_fill(lane->scratch, bytes, &head);
		r = shmhub_call(lane->host->hub, link->id, method, lane->scratch, bytes, timeout_ms,
				&reply);
	}
	if (r) {
		count_unsent(lane, link, r);
		return r;
	}
	verify(lane, link, &head, &reply);
	shmhub_msg_release(&reply);
	return 0;
}

int sut_note(struct sut_lane *lane, struct sut_link *link, size_t bytes, int timeout_ms,
	     unsigned flags)
{
	const struct sut_head head = next_head(lane, link, SUT_NOTE);

	sut_message_fill(lane->scratch, bytes, &head);
	const int r = shmhub_notify(lane->host->hub, link->id, SUT_CHANGED, lane->scratch, bytes,
				    timeout_ms, flags);
	if (r)
		never_sent(lane, link);
	return r;
}

/* ---- pieces of work --------------------------------------------------------------------- */

static void small(struct sut_lane *lane, struct sut_link *link)
{
	sut_exchange(lane, link, SUT_RENDER, draw_size(lane, 40, 180), draw_size(lane, 40, 180), 0,
		     SUT_PATIENCE_MS);
}

static void medium(struct sut_lane *lane, struct sut_link *link)
{
	sut_exchange(lane, link, SUT_RENDER, draw_size(lane, 500, 60000),
		     draw_size(lane, 500, 60000), 0, SUT_PATIENCE_MS);
}

static void large(struct sut_lane *lane, struct sut_link *link)
{
	sut_exchange(lane, link, SUT_RENDER, draw_size(lane, 130000, 500000),
		     draw_size(lane, 40, 500000), 0, SUT_PATIENCE_MS);
}

/* The peer asks the host for a file before it can answer. */
static void with_question(struct sut_lane *lane, struct sut_link *link)
{
	sut_exchange(lane, link, SUT_RENDER, draw_size(lane, 40, 2000), draw_size(lane, 40, 2000),
		     draw_size(lane, 40, 30000), SUT_PATIENCE_MS);
}

static void note(struct sut_lane *lane, struct sut_link *link)
{
	const int r = sut_note(lane, link, draw_size(lane, 40, 900), SUT_PATIENCE_MS, 0);

	if (r)
		count_error(lane, link, r);
}

/* Several calls under way at a time, answered in any order. */
static void burst(struct sut_lane *lane, struct sut_link *link)
{
	const unsigned n = 2 + (unsigned)draw(lane, BURST_MAX - 1);
	struct sut_head head[BURST_MAX];
	uint64_t call[BURST_MAX];
	unsigned begun = 0;

	for (; begun < n; begun++) {
		head[begun] = next_head(lane, link, SUT_REQUEST);
		head[begun].answer_bytes = (uint32_t)draw_size(lane, 40, 400);
		const int r = start(lane, link, SUT_RENDER, draw_size(lane, 40, 400), &head[begun],
				    SUT_PATIENCE_MS, &call[begun]);
		if (r) {
			count_unsent(lane, link, r);
			break;
		}
	}
	for (unsigned i = 0; i < begun; i++)
		finish(lane, link, &head[i], call[i]);
}

/* ---- streams ---------------------------------------------------------------------------- */

static int write_frames(struct sut_lane *lane, struct sut_link *link, uint64_t call, unsigned n)
{
	int r = 0;

	for (unsigned i = 1; i <= n && !r; i++) {
		const size_t len = draw_size(lane, 40, 9000);

		sut_message_fill(
			lane->scratch, len,
			&(struct sut_head){ .kind = SUT_FRAME, .lane = lane->id, .number = i });
		r = shmhub_call_write(lane->host->hub, call, lane->scratch, len,
				      i < n ? SHMHUB_MORE : 0);
		if (!r)
			sut_count(&link->sent, 1);
	}
	return r;
}

/* Frame `number` of the answer. */
static void verify_frame(struct sut_lane *lane, struct sut_link *link, uint64_t number,
			 const struct shmhub_msg *reply)
{
	struct sut_tally *tally = lane->host->tally;
	struct sut_head got;

	if (reply->status == -ENOSPC && tally->no_room) {
		sut_count(&tally->failed, 1);
	} else if (reply->status || sut_message_check(reply->data, reply->len, &got) ||
		   got.kind != SUT_FRAME || got.lane != lane->id) {
		complain(link, "frame", reply->status ? reply->status : -EBADMSG);
		sut_count(&tally->corrupt, 1);
	} else {
		sut_count(&tally->verified, 1);
		sut_count(&tally->lost, got.number > number ? got.number - number : 0);
		sut_count(&tally->duplicated, got.number < number);
	}
}

static int read_frames(struct sut_lane *lane, struct sut_link *link, uint64_t call, unsigned n)
{
	unsigned number = 0;
	bool more = true;
	bool refused = false;

	while (more) {
		struct shmhub_msg reply = { 0 };
		const int r = shmhub_wait(lane->host->hub, call, -1, 0, &reply);

		if (r)
			return r;
		verify_frame(lane, link, ++number, &reply);
		more = reply.flags & SHMHUB_MORE;
		refused = reply.status != 0;
		shmhub_msg_release(&reply);
	}
	if (!refused)
		sut_count(&lane->host->tally->lost, number < n ? n - number : 0);
	return 0;
}

/* A few frames in, a few frames out: more than there is credit for at a time. */
static void stream(struct sut_lane *lane, struct sut_link *link)
{
	const unsigned frames_in = (unsigned)draw_size(lane, 1, 30);
	const unsigned frames_out = (unsigned)draw_size(lane, 1, 30);
	struct sut_head head = next_head(lane, link, SUT_REQUEST);
	uint64_t call;

	head.answer_bytes = frames_out;
	sut_message_fill(lane->scratch, sizeof(head), &head);
	int r = shmhub_call_start(lane->host->hub, link->id, SUT_STREAM, lane->scratch,
				  sizeof(head), SUT_PATIENCE_MS, SHMHUB_MORE, &call);
	if (r) {
		count_unsent(lane, link, r);
		return;
	}
	r = write_frames(lane, link, call, frames_in);
	if (r)
		shmhub_cancel(lane->host->hub, call);
	else
		r = read_frames(lane, link, call, frames_out);
	if (r)
		count_error(lane, link, r);
}

/* 1.5 MB in, 10 MB out. */
static void unpack(struct sut_lane *lane, struct sut_link *link)
{
	pthread_mutex_lock(&link->lock);
	const bool mine = !link->unpacking;
	link->unpacking = true;
	pthread_mutex_unlock(&link->lock);
	if (!mine) {
		medium(lane, link);
		return;
	}
	sut_exchange(lane, link, SUT_UNPACK, 1500000, 10000000, 0, SUT_PATIENCE_MS);
	pthread_mutex_lock(&link->lock);
	link->unpacking = false;
	pthread_mutex_unlock(&link->lock);
}

static void work(struct sut_lane *lane, struct sut_link *link)
{
	static const struct {
		unsigned percent;
		void (*work)(struct sut_lane *, struct sut_link *);
	} plan[] = {
		{ 50, small }, { 12, note }, { 12, medium }, { 12, with_question }, { 8, burst },
		{ 4, large },  { 2, stream },
	};

	if (strcmp(link->name, "fonts") == 0 && !lane->host->no_unpack && draw(lane, 8) == 0) {
		unpack(lane, link);
		return;
	}
	unsigned dice = (unsigned)draw(lane, 100);
	for (unsigned i = 0; i < sizeof(plan) / sizeof(plan[0]); i++) {
		if (dice < plan[i].percent) {
			plan[i].work(lane, link);
			return;
		}
		dice -= plan[i].percent;
	}
}

static void *wander(void *arg)
{
	struct sut_lane *lane = arg;
	struct sut_host *host = lane->host;
	const unsigned peers = host->config->peers;
	char name[16];

	snprintf(name, sizeof(name), "page-%u", lane->id + 1);
	pthread_setname_np(pthread_self(), name);
	for (unsigned misses = 0; !host->stopping;) {
		struct sut_link *link = &host->link[1 + draw(lane, peers)];

		if (sut_link_enter(link)) {
			work(lane, link);
			sut_link_leave(link);
			misses = 0;
		} else if (++misses > 2 * peers) {
			/* more threads than seats: nothing to do here for a moment */
			nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
			misses = 0;
		}
	}
	return NULL;
}

int sut_traffic_start(struct sut_host *host, struct err *err)
{
	for (unsigned i = 0; i < host->config->host_threads; i++) {
		struct sut_lane *lane = &host->lane[i];
		int r = sut_lane_begin(host, i);

		if (!r)
			r = -pthread_create(&lane->thread, NULL, wander, lane);
		if (r)
			return err_set(err, r, "thread %u: cannot start (%s)", i + 1, strerror(-r));
		lane->running = true;
	}
	return 0;
}

bool sut_traffic_join(struct sut_host *host, unsigned seconds)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += seconds;
	for (unsigned i = 0; i < SUT_THREADS_MAX; i++) {
		struct sut_lane *lane = &host->lane[i];

		if (lane->running && pthread_timedjoin_np(lane->thread, NULL, &end) != 0)
			return false;
		lane->running = false;
	}
	return true;
}

/* ---- what peers ask of the host --------------------------------------------------------- */

static struct sut_link *arrived(struct sut_host *host, struct shmhub_request *request,
				uint32_t kind, struct sut_head *head)
{
	struct sut_link *link = &host->link[shmhub_request_peer(request)];

	if (sut_message_check(shmhub_request_data(request), shmhub_request_len(request), head) ||
	    head->kind != kind || head->answer_bytes > ANSWER_MAX) {
		complain(link, "message from it", -EBADMSG);
		sut_count(&host->tally->corrupt, 1);
		return NULL;
	}
	sut_link_arrived(host, link, head);
	return link;
}

static void answer(struct shmhub_request *request, const struct sut_head *asked)
{
	struct sut_head head = *asked;
	unsigned char *data = malloc(asked->answer_bytes);

	if (!data || asked->answer_bytes < sizeof(head)) {
		shmhub_reply(request, -ENOMEM, NULL, 0);
	} else {
		head.kind = SUT_ANSWER;
		sut_message_fill(data, asked->answer_bytes, &head);
		shmhub_reply(request, 0, data, asked->answer_bytes);
	}
	free(data);
}

static void serve_read(struct shmhub_request *request, void *arg)
{
	struct sut_head head;

	if (arrived(arg, request, SUT_REQUEST, &head))
		answer(request, &head);
	else
		shmhub_reply(request, -EBADMSG, NULL, 0);
}

static void serve_progress(struct shmhub_request *request, void *arg)
{
	struct sut_head head;

	arrived(arg, request, SUT_NOTE, &head);
	shmhub_reply(request, 0, NULL, 0);
}

/* The handler needs a mutex: see the fault lock-call-cycle. */
static void serve_locked(struct shmhub_request *request, void *arg)
{
	struct sut_host *host = arg;
	struct sut_head head;

	if (!arrived(host, request, SUT_REQUEST, &head)) {
		shmhub_reply(request, -EBADMSG, NULL, 0);
		return;
	}
	pthread_mutex_lock(&host->locked);
	pthread_mutex_unlock(&host->locked);
	answer(request, &head);
}

/* The handler calls the peer that called: see the fault reentrant-call. */
static void serve_again(struct shmhub_request *request, void *arg)
{
	struct sut_host *host = arg;
	struct sut_head head;
	struct sut_link *link = arrived(host, request, SUT_REQUEST, &head);

	if (!link) {
		shmhub_reply(request, -EBADMSG, NULL, 0);
		return;
	}
	shmhub_call(host->hub, link->id, SUT_RENDER, &head, sizeof(head), -1, NULL);
	answer(request, &head);
}

int sut_serve(struct sut_host *host, struct err *err)
{
	static const struct {
		unsigned method;
		const char *name;
		shmhub_handler serve;
	} table[] = {
		{ SUT_READ, "read", serve_read },
		{ SUT_PROGRESS, "progress", serve_progress },
		{ SUT_LOCKED, "locked", serve_locked },
		{ SUT_AGAIN, "again", serve_again },
	};
	int r = 0;

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]) && !r; i++)
		r = shmhub_handle(host->hub, table[i].method, table[i].name, table[i].serve, host);
	shmhub_method_name(host->hub, SUT_RENDER, "render");
	shmhub_method_name(host->hub, SUT_UNPACK, "unpack");
	shmhub_method_name(host->hub, SUT_STREAM, "stream");
	shmhub_method_name(host->hub, SUT_CHANGED, "changed");
	shmhub_method_name(host->hub, SUT_MISBEHAVE, "misbehave");
	shmhub_method_name(host->hub, SUT_KEEP, "keep");
	return r ? err_set(err, r, "handlers: cannot register (%s)", strerror(-r)) : 0;
}
