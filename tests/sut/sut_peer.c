/*
 * A peer. It has an event loop of its own (so that its sleeps can be counted, and a fault can
 * take the bell out of its set) and answers what it is asked. Some requests need a question to
 * the host first: the request is then deferred and answered when the host has answered.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>

#include "lib/hub/hub_fault.h"
#include "sigdump/sigdump.h"
#include "tests/sut/sut_peer.h"

enum { SCRATCH = 1 << 20, TURN = 64 };

struct sut_head sut_peer_head(struct sut_peer *peer, uint32_t kind, size_t answer_bytes)
{
	sut_count(&peer->tally->sent, 1);
	return (struct sut_head){
		.kind = kind,
		.lane = peer->incarnation,
		.number = ++peer->number,
		.answer_bytes = (uint32_t)answer_bytes,
	};
}

static void never_sent(struct sut_peer *peer)
{
	peer->number--;
	atomic_fetch_sub_explicit(&peer->tally->sent, 1, memory_order_relaxed);
}

void sut_peer_slept(struct sut_peer *peer, int error)
{
	if (error == EINTR)
		sut_count(&peer->tally->eintr, 1);
}

int sut_peer_arrived(struct sut_peer *peer, struct shmhub_request *request, struct sut_head *head)
{
	struct sut_tally *tally = peer->tally;

	if (peer->slow_ms)
		nanosleep(&(struct timespec){ 0, peer->slow_ms * 1000000L }, NULL);
	if (sut_message_check(shmhub_request_data(request), shmhub_request_len(request), head) ||
	    head->lane >= SUT_LANES) {
		sut_count(&tally->corrupt, 1);
		return -EBADMSG;
	}
	const struct sut_arrival a = sut_lane_next(&peer->next[head->lane], head->number);
	sut_count(&tally->lost, a.lost);
	sut_count(&tally->duplicated, a.duplicated);
	sut_count(&tally->received, 1);
	sut_count(&tally->verified, 1);
	return 0;
}

/* ---- answers ---------------------------------------------------------------------------- */

static void answer_in_place(struct shmhub_request *request, const struct sut_head *head, size_t len)
{
	struct shmhub_buf buf;
	const int r = shmhub_reply_reserve(request, len, -1, &buf);

	if (r) {
		shmhub_reply(request, r, NULL, 0);
		return;
	}
	sut_message_fill(buf.data, len, head);
	shmhub_reply_buf(request, 0, &buf, len);
}

static void answer(struct sut_peer *peer, struct shmhub_request *request,
		   const struct sut_head *asked)
{
	const size_t len = asked->answer_bytes;
	struct sut_head head = *asked;

	head.kind = SUT_ANSWER;
	if (len < sizeof(head)) {
		shmhub_reply(request, -EINVAL, NULL, 0);
	} else if (len >= SHMHUB_HOLD_MIN) {
		answer_in_place(request, &head, len);
	} else {
		sut_message_fill(peer->scratch, len, &head);
		shmhub_reply(request, 0, peer->scratch, len);
	}
}

/* A request that waits for the host's answer to our question. */
struct job {
	struct sut_peer *peer;
	struct shmhub_request *request;
	struct sut_head asked, question;
};

static void question_answered(void *arg, int result, struct shmhub_msg *reply)
{
	struct job *job = arg;
	struct sut_tally *tally = job->peer->tally;
	struct sut_head got;

	if (result == -EOWNERDEAD || result == -ESHUTDOWN ||
	    (!result && reply->status == -ENOSPC && tally->no_room))
		sut_count(&tally->failed, 1);
	else if (result)
		sut_count(&tally->lost, 1);
	else if (reply->status || sut_message_check(reply->data, reply->len, &got) ||
		 got.kind != SUT_ANSWER || reply->len != job->question.answer_bytes ||
		 got.number != job->question.number)
		sut_count(&tally->corrupt, 1);
	else
		sut_count(&tally->verified, 1);
	answer(job->peer, job->request, &job->asked);
	free(job);
}

/* Returns 0 when the answer will come later. */
static int ask(struct sut_peer *peer, struct shmhub_request *request, const struct sut_head *asked)
{
	struct job *job = malloc(sizeof(*job));
	unsigned char question[sizeof(struct sut_head) + 40];

	if (!job)
		return -ENOMEM;
	*job = (struct job){ peer, request, *asked,
			     sut_peer_head(peer, SUT_REQUEST, asked->ask_bytes) };
	sut_message_fill(question, sizeof(question), &job->question);
	const int r = shmhub_peer_call_async(peer->hub, peer->ask_method, question,
					     sizeof(question), -1, 0, question_answered, job, NULL);
	if (r) {
		never_sent(peer);
		free(job);
		return r;
	}
	shmhub_request_defer(request);
	return 0;
}

static void tell_progress(struct sut_peer *peer)
{
	unsigned char text[100];
	const struct sut_head head = sut_peer_head(peer, SUT_NOTE, 0);

	sut_message_fill(text, sizeof(text), &head);
	if (shmhub_peer_notify(peer->hub, SUT_PROGRESS, text, sizeof(text), 0, SHMHUB_NOWAIT))
		never_sent(peer);
}

/* ---- handlers --------------------------------------------------------------------------- */

static void on_render(struct shmhub_request *request, void *arg)
{
	struct sut_peer *peer = arg;
	struct sut_head head;

	if (sut_peer_arrived(peer, request, &head)) {
		shmhub_reply(request, -EBADMSG, NULL, 0);
		return;
	}
	if (++peer->work % 8 == 0)
		tell_progress(peer);
	/* with too many questions under way it answers without asking */
	if (!head.ask_bytes || ask(peer, request, &head) != 0)
		answer(peer, request, &head);
	for (; peer->notes_after_answer; peer->notes_after_answer--)
		tell_progress(peer);
}

/* ---- streams ---------------------------------------------------------------------------- */

struct stream {
	struct sut_peer *peer;
	uint32_t lane;
	unsigned in;            /* frames that came */
	unsigned out, out_all;  /* frames of the answer: sent, wanted */
	int error;              /* why no further frame was sent */
};

/* As many frames as there is credit for; the rest when there is more. */
static void send_frames(struct shmhub_request *request, void *arg)
{
	struct stream *s = arg;
	unsigned char *frame = s->peer->scratch;

	while (!s->error && s->out + 1 < s->out_all) {
		const size_t len = 40 + (s->out * 577) % 8000;

		sut_message_fill(frame, len, &(struct sut_head){ .kind = SUT_FRAME, .lane = s->lane,
								 .number = s->out + 1 });
		const int r = shmhub_reply_part(request, frame, len);
		if (r == -EAGAIN)
			return;
		s->error = r;
		s->out += !r;
	}
	sut_message_fill(frame, 100, &(struct sut_head){ .kind = SUT_FRAME, .lane = s->lane,
							 .number = s->out + 1 });
	shmhub_reply(request, s->error, frame, 100);
	free(s);
}

static void on_frame(struct shmhub_request *request, struct shmhub_msg *msg, void *arg)
{
	struct stream *s = arg;
	struct sut_tally *tally = s->peer->tally;
	struct sut_head got;

	if (!msg) { /* cancelled: its caller has counted that */
		shmhub_request_drop(request);
		free(s);
		return;
	}
	s->in++;
	if (sut_message_check(msg->data, msg->len, &got) || got.kind != SUT_FRAME ||
	    got.lane != s->lane) {
		sut_count(&tally->corrupt, 1);
	} else {
		sut_count(&tally->lost, got.number > s->in ? got.number - s->in : 0);
		sut_count(&tally->duplicated, got.number < s->in);
		sut_count(&tally->received, 1);
		sut_count(&tally->verified, 1);
	}
	if (msg->flags & SHMHUB_MORE)
		return;
	shmhub_request_on_credit(request, send_frames, s);
	send_frames(request, s);
}

static void on_stream(struct shmhub_request *request, void *arg)
{
	struct sut_peer *peer = arg;
	struct stream *s = malloc(sizeof(*s));
	struct sut_head head;

	if (sut_peer_arrived(peer, request, &head) || !s) {
		shmhub_reply(request, -EBADMSG, NULL, 0);
		free(s);
		return;
	}
	*s = (struct stream){ .peer = peer, .lane = head.lane, .out_all = head.answer_bytes };
	shmhub_request_defer(request);
	shmhub_request_on_body(request, on_frame, s);
}

static void on_changed(struct shmhub_request *request, void *arg)
{
	struct sut_head head;

	sut_peer_arrived(arg, request, &head);
	shmhub_reply(request, 0, NULL, 0);
}

/* Kept, with its payload, for as long as we live: see killed-peer, hoarder, no-replies. */
static void on_keep(struct shmhub_request *request, void *arg)
{
	struct sut_head head;

	sut_peer_arrived(arg, request, &head);
	shmhub_request_defer(request);
}

static void on_misbehave(struct shmhub_request *request, void *arg)
{
	struct sut_fault_spec spec;
	char text[256];
	struct err err;

	snprintf(text, sizeof(text), "%.*s", (int)shmhub_request_len(request),
		 (const char *)shmhub_request_data(request));
	shmhub_reply(request, 0, NULL, 0);
	if (sut_fault_parse(text, &spec, &err) == 0 && spec.kind && spec.kind->act)
		spec.kind->act(arg, &spec);
	else
		fprintf(stderr, "hubdemo: error: peer cannot do \"%s\"\n", text);
}

/* ---- life ------------------------------------------------------------------------------- */

static int loop(struct sut_peer *peer)
{
	for (;;) {
		const int timeout = shmhub_peer_prepare(peer->hub);
		struct epoll_event event;

		if (timeout) {
			const int n = epoll_wait(peer->epoll_fd, &event, 1, timeout);

			sut_peer_slept(peer, n < 0 ? errno : 0);
		}
		int r = shmhub_peer_check(peer->hub);
		if (!r)
			r = shmhub_peer_drain(peer->hub, TURN);
		if (r < 0)
			return r == -ESHUTDOWN ? 0 : r;
	}
}

static int handle_all(struct sut_peer *peer)
{
	static const struct {
		unsigned method;
		const char *name;
		shmhub_handler serve;
	} table[] = {
		{ SUT_RENDER, "render", on_render },
		{ SUT_UNPACK, "unpack", on_render },
		{ SUT_CHANGED, "changed", on_changed },
		{ SUT_KEEP, "keep", on_keep },
		{ SUT_STREAM, "stream", on_stream },
		{ SUT_MISBEHAVE, "misbehave", on_misbehave },
	};
	int r = 0;

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]) && !r; i++)
		r = shmhub_peer_handle(peer->hub, table[i].method, table[i].name, table[i].serve,
				       peer);
	return r;
}

static int attach(struct sut_peer *peer, struct shmhub_peer_config *config, const char *tally,
		  struct err *err)
{
	struct shmhub_error why;
	int r = sut_tally_open(tally, config->id, &peer->tally, err);

	if (r)
		return r;
	peer->id = config->id;
	peer->ask_method = SUT_READ;
	peer->incarnation = ++peer->tally->incarnation;
	peer->scratch = malloc(SCRATCH);
	peer->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!peer->scratch || peer->epoll_fd < 0)
		return err_set(err, -ENOMEM, "peer %u: no memory or no epoll set", peer->id);
	config->die_with_host = 1;
	hub_faults.interrupted = &peer->tally->eintr;
	r = shmhub_peer_attach(config, &peer->hub, &why);
	if (r)
		return err_set(err, r, "%s", why.text);
	r = handle_all(peer);
	struct epoll_event event = { .events = EPOLLIN };
	if (!r && epoll_ctl(peer->epoll_fd, EPOLL_CTL_ADD, shmhub_peer_fd(peer->hub), &event) != 0)
		r = -errno;
	return r ? err_set(err, r, "peer %u: cannot begin (%s)", peer->id, strerror(-r)) : 0;
}

int sut_peer_main(int argc, char **argv)
{
	static struct sut_peer peer;
	struct shmhub_peer_config config = { .size = sizeof(config) };
	struct shmhub_error why;
	struct err err;
	sigset_t none;

	if (shmhub_peer_args(&argc, argv, &config, &why) != 0) {
		fprintf(stderr, "hubdemo: error: %s\n", why.text);
		return 2;
	}
	if (argc != 4) {
		fprintf(stderr, "usage: hubdemo peer NAME TALLY --hub-path P --peer-id N "
				"--doorbell-fd F\n");
		return 2;
	}
	/* the host waits for its signals by signalfd; a peer dies of SIGTERM, and Ctrl-C is the
	 * host's business */
	sigemptyset(&none);
	sigaddset(&none, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &none, NULL);
	prctl(PR_SET_NAME, argv[2]);
	sigdump_name(argv[2]);
	if (attach(&peer, &config, argv[3], &err) != 0) {
		err_print(stderr, "hubdemo", "error", &err);
		return 3;
	}
	const int r = loop(&peer);
	if (r)
		fprintf(stderr, "hubdemo: note: %s(%u) leaves: %s\n", argv[2], peer.id,
			strerror(-r));
	struct shmhub_peer_stats stats = { .size = sizeof(stats) };

	shmhub_peer_stats_get(peer.hub, &stats);
	atomic_store_explicit(&peer.tally->unallocated, stats.alloc_failed, memory_order_relaxed);
	shmhub_peer_detach(peer.hub);
	return r ? 1 : 0;
}
