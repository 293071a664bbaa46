/*
 * hub_take - what a peer may put into its ring, and what becomes of nonsense: a message that no
 * peer sends who keeps to the protocol costs it its life; one about a call that is over, or is
 * somebody else's, is counted and does nothing.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/hub/hub_peer.h"
#include "tests/hub_live.h"
#include "tests/t.h"

enum { FORGE = 50, HOST_KEEPS = 51, SCRIBBLE = 52, OWN_CALL = UINT32_MAX, OWN_PEER = UINT32_MAX };

struct forged {
	const char *what;
	uint32_t kind, flags;
	uint32_t call;       /* OWN_CALL: the one that asked for the forgery */
	int32_t aux;
	uint32_t peer;       /* OWN_PEER: its own, and its incarnation */
	uint32_t slot;       /* 0: none */
	uint32_t gen, len;
	unsigned times;
};

/* ---- the peer that forges ---------------------------------------------------------------------- */

static void put_raw(struct shmhub_peer *self, const struct forged *f, uint32_t own_call)
{
	struct hub_end *end = &self->end;
	struct hub_message m;

	hub_message_init(&m, f->kind, HOST_KEEPS);
	m.flags = (uint8_t)f->flags;
	m.call = f->call == OWN_CALL ? own_call : f->call;
	m.aux = f->aux;
	m.peer = f->peer == OWN_PEER ? (uint32_t)end->peer | (uint32_t)end->incarnation << 16 : f->peer;
	m.slot = f->slot ? f->slot : HUB_NO_SLOT;
	m.slot_gen = f->gen;
	m.len = f->len;
	memset(m.small, 'f', sizeof(m.small));
	const unsigned n = hub_ring_cells(f->slot ? 0 : f->len);

	while (hub_ring_claim(&end->tx, n, true))
		sched_yield();
	hub_ring_write(&end->tx, &m, m.small);
	hub_ring_publish(&end->tx, n, f->len);
	hub_end_wake(end, HUB_ASLEEP_IN_LOOP);
}

static void forge(struct shmhub_request *r, void *self)
{
	const struct forged *f = shmhub_request_data(r);

	shmhub_request_defer(r);
	for (size_t i = 0; i < shmhub_request_len(r) / sizeof(*f); i++)
		for (unsigned n = 0; n < f[i].times; n++)
			put_raw(self, &f[i], r->call);
}

/* What is wrong with its rings from now on: it does not go on. */
enum scribbled { TAIL_AHEAD, MESSAGE_BEHIND_A_HOLE, SCRIBBLES, ANNOUNCEMENT };

static void scribble(struct shmhub_request *r, void *arg)
{
	const struct hub_end *end = &((struct shmhub_peer *)arg)->end;
	struct hub_ring *out = end->tx.ring;
	const uint64_t hole = end->tx.position;
	uint32_t what;

	memcpy(&what, shmhub_request_data(r), sizeof(what));
	switch (what) {
	case TAIL_AHEAD:
		hub_put64(&end->rx.ring->tail, end->rx.position + 100000);
		break;
	case MESSAGE_BEHIND_A_HOLE:
		hub_put64(&HUB_RING_CELLS(out)[(hole + 1) & end->tx.mask].word, HUB_WORD(hole + 1, 1, 1));
		hub_put64(&out->head, hole + 2);
		break;
	case ANNOUNCEMENT: /* this one goes on, and nobody is there to be rung any more */
		while (!(hub_get32(end->theirs) & HUB_ASLEEP_MESSAGE))
			sched_yield();
		hub_put32(end->theirs, 0);
		shmhub_reply(r, 0, NULL, 0);
		return;
	}
	while (true)
		pause();
}

static int forger(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *self = hub_live_attach(config);

	(void)arg;
	hub_live_handle(self);
	shmhub_peer_handle(self, FORGE, NULL, forge, self);
	shmhub_peer_handle(self, SCRIBBLE, NULL, scribble, self);
	return hub_live_run(self);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

/* What came in stays as long as the test says. */
static void keep(struct shmhub_request *r, void *arg)
{
	(void)arg;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	shmhub_reply(r, 0, NULL, 0);
}

static uint64_t ask_for(struct shmhub *hub, unsigned peer, const struct forged *f, size_t n)
{
	struct forged sent[2];
	uint64_t call;

	memcpy(sent, f, n * sizeof(*f));
	T_EQ(shmhub_call_start(hub, peer, FORGE, sent, n * sizeof(*f), -1, 0, &call), 0);
	return call;
}

/* ---- against the protocol ------------------------------------------------------------------------ */

#define ANSWER HUB_FLAG_ANSWER
#define MORE HUB_FLAG_MORE

static const struct forged nonsense[][2] = {
	{ { "a kind that does not exist", 99, 0, 1, 0, OWN_PEER, 0, 0, 0, 1 } },
	{ { "no kind", HUB_KIND_NONE, 0, 1, 0, OWN_PEER, 0, 0, 0, 1 } },
	{ { "in another peer's name", HUB_KIND_NOTIFY, 0, 0, 0, 2 | 1 << 16, 0, 0, 0, 1 } },
	{ { "of another incarnation", HUB_KIND_NOTIFY, 0, 0, 0, 1 | 9 << 16, 0, 0, 0, 1 } },
	{ { "a slot of a class that is not there", HUB_KIND_REPLY, ANSWER, OWN_CALL, 0, OWN_PEER,
	    HUB_SLOT_REF(15, 0), 0, 300, 1 } },
	{ { "more bytes than the slot has", HUB_KIND_REPLY, ANSWER, OWN_CALL, 0, OWN_PEER,
	    HUB_SLOT_REF(0, 1), 0, 5000, 1 } },
	{ { "a call by a number beyond its table", HUB_KIND_CALL, 0, 1 << 16 | 65, 0, OWN_PEER, 0, 0, 0, 1 } },
	{ { "more notifications than there is room for", HUB_KIND_NOTIFY, 0, 0, 0, OWN_PEER, 0, 0, 0,
	    HUB_NOTIFY_WINDOW + HUB_WORKERS_DEFAULT + 1 } },
	{ { "a further frame of an answer that did not begin", HUB_KIND_BODY, ANSWER, OWN_CALL, 0,
	    OWN_PEER, 0, 0, 8, 1 } },
	{ { "", HUB_KIND_REPLY, ANSWER | MORE, OWN_CALL, 0, OWN_PEER, 0, 0, 8, 1 },
	  { "more frames of an answer than there was credit for", HUB_KIND_BODY, ANSWER | MORE, OWN_CALL,
	    0, OWN_PEER, 0, 0, 8, HUB_BODY_WINDOW + 2 } },
	{ { "", HUB_KIND_CALL, MORE, 1 << 16 | 1, 0, OWN_PEER, 0, 0, 8, 1 },
	  { "more frames of a request than there was credit for", HUB_KIND_BODY, MORE, 1 << 16 | 1, 0,
	    OWN_PEER, 0, 0, 8, HUB_BODY_WINDOW + 2 } },
	{ { "", HUB_KIND_CALL, 0, 1 << 16 | 1, 0, OWN_PEER, 0, 0, 8, 1 },
	  { "a further frame of a request that has none", HUB_KIND_BODY, 0, 1 << 16 | 1, 0, OWN_PEER, 0,
	    0, 8, 1 } },
	{ { "credit for a call that has all of it", HUB_KIND_CREDIT, 0, OWN_CALL, 1, OWN_PEER, 0, 0, 0, 1 } },
	{ { "credit of less than nothing", HUB_KIND_CREDIT, 0, OWN_CALL, -1, OWN_PEER, 0, 0, 0, 1 } },
	{ { "", HUB_KIND_CALL, 0, 1 << 16 | 1, 0, OWN_PEER, 0, 0, 8, 1 },
	  { "credit for an answer that has all of it", HUB_KIND_CREDIT, ANSWER, 1 << 16 | 1, 1000,
	    OWN_PEER, 0, 0, 0, 1 } },
};

static const char *what_of(const struct forged *f)
{
	return f[1].what ? f[1].what : f[0].what;
}

static bool one_has_died(void *hub)
{
	struct shmhub_stats stats = { .size = sizeof(stats) };

	shmhub_stats_get(hub, &stats);
	return stats.peers_died == 1;
}

TEST(a_message_against_the_protocol_costs_its_peer_its_life)
{
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		struct shmhub *hub = hub_live_create(NULL);
		const unsigned peer = hub_live_spawn(hub, "forger", forger, NULL);
		const unsigned other = hub_live_spawn(hub, "good", hub_live_echo, NULL);
		struct shmhub_stats stats = { .size = sizeof(stats) };
		struct shmhub_msg reply;
		int r = 0;

		pthread_mutex_lock(&gate);
		shmhub_handle(hub, HOST_KEEPS, NULL, keep, NULL);
		const uint64_t call = ask_for(hub, peer, nonsense[i], nonsense[i][1].times ? 2 : 1);

		/* only then: reading a frame gives credit for one more */
		hub_live_until(one_has_died, hub, what_of(nonsense[i]));
		while (!(r = shmhub_wait(hub, call, 10000, 0, &reply)))
			shmhub_msg_release(&reply);
		if (r != -EOWNERDEAD)
			T_FAIL("%s: its call ended with %d", what_of(nonsense[i]), r);
		shmhub_stats_get(hub, &stats);
		if (stats.quarantined != 1 || stats.peers_died != 1)
			T_FAIL("%s: %lu quarantined, %lu died", what_of(nonsense[i]), stats.quarantined,
			       stats.peers_died);
		T_EQ(shmhub_call(hub, other, LIVE_ECHO, "x", 1, 10000, NULL), 0);
		pthread_mutex_unlock(&gate);
		hub_live_destroy(hub);
	}
}

/* ---- rings that make no sense ---------------------------------------------------------------------- */

static bool one_is_quarantined(void *hub)
{
	struct shmhub_stats stats = { .size = sizeof(stats) };

	shmhub_stats_get(hub, &stats);
	return stats.quarantined == 1 && stats.peers_died == 1;
}

/* While a call is pending, somebody looks once a second. */
TEST(a_ring_that_makes_no_sense_is_found_while_a_call_waits)
{
	for (uint32_t what = 0; what < SCRIBBLES; what++) {
		struct shmhub *hub = hub_live_create(NULL);
		const unsigned peer = hub_live_spawn(hub, "forger", forger, NULL);

		T_EQ(shmhub_call(hub, peer, SCRIBBLE, &what, sizeof(what), 10000, NULL), -EOWNERDEAD);
		hub_live_until(one_is_quarantined, hub, "the peer is quarantined");
		hub_live_destroy(hub);
	}
}

static bool is_tail_ahead(void *hub)
{
	return hub_get64(&hub_map_ring(&((struct shmhub *)hub)->map, 1, HUB_RECV)->tail) > 1000;
}

/* The caller sleeps on the bell itself, so the event thread cannot take for it. */
TEST(an_answer_comes_although_the_announcement_of_who_waits_was_written_over)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "forger", forger, NULL);
	struct shmhub_stats stats = { .size = sizeof(stats) };
	const uint32_t what = ANNOUNCEMENT;

	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	T_EQ(shmhub_call(hub, peer, SCRIBBLE, &what, sizeof(what), 60000, NULL), 0);
	shmhub_stats_get(hub, &stats);
	T_EQ(stats.rescues, 1);
	T_EQ(stats.quarantined, 0);
	hub_live_destroy(hub);
}

static bool nothing_ticks(void *hub)
{
	return !hub_get32(&((struct shmhub *)hub)->ticking);
}

/* Nothing is pending here, so it is the sender who finds it. */
TEST(a_ring_that_makes_no_sense_is_found_by_who_sends)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "forger", forger, NULL);
	const uint32_t what = TAIL_AHEAD;
	int r;

	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	hub_live_until(nothing_ticks, hub, "nobody else looks");
	T_EQ(shmhub_notify(hub, peer, SCRIBBLE, &what, sizeof(what), 10000, 0), 0);
	hub_live_until(is_tail_ahead, hub, "it has scribbled");
	while (!(r = shmhub_notify(hub, peer, LIVE_SINK, NULL, 0, 0, SHMHUB_NOWAIT)))
		;
	T_EQ(r, -EOWNERDEAD);
	hub_live_until(one_is_quarantined, hub, "the peer is quarantined");
	hub_live_destroy(hub);
}

/* ---- late, or not its business --------------------------------------------------------------------- */

static uint64_t late_replies(struct shmhub *hub)
{
	struct shmhub_stats stats = { .size = sizeof(stats) };

	shmhub_stats_get(hub, &stats);
	return stats.late_replies;
}

static bool one_is_late(void *hub)
{
	return late_replies(hub) == 1;
}

/* The number that stands in messages about a call. */
static uint32_t wire_id(struct shmhub *hub, uint64_t call)
{
	uint32_t gen;
	const struct hub_pend *pend = hub_pend_find(hub, call, &gen);

	return hub_pend_id(pend, gen);
}

/* A reply to `id` from `peer`: counted, and neither that call nor the peer is touched. */
static void reply_is_dropped(struct shmhub *hub, unsigned peer, uint64_t victim, uint32_t id)
{
	const struct forged f = { "", HUB_KIND_REPLY, ANSWER, id, 0, OWN_PEER, 0, 0, 8, 1 };
	const uint64_t call = ask_for(hub, peer, &f, 1);
	struct shmhub_msg reply;

	hub_live_until(one_is_late, hub, "the reply is dropped");
	T_EQ(shmhub_wait(hub, victim, 0, 0, &reply), -EAGAIN);
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	T_EQ(shmhub_cancel(hub, call), 0);
	T_EQ(shmhub_cancel(hub, victim), 0);
	hub_live_destroy(hub);
}

TEST(a_reply_from_another_peer_than_the_call_went_to_does_nothing)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned asked = hub_live_spawn(hub, "asked", hub_live_echo, NULL);
	const unsigned peer = hub_live_spawn(hub, "forger", forger, NULL);
	uint64_t victim;

	T_EQ(shmhub_call_start(hub, asked, LIVE_HANG, "x", 1, -1, 0, &victim), 0);
	reply_is_dropped(hub, peer, victim, wire_id(hub, victim));
}

TEST(a_reply_to_an_earlier_call_of_the_same_entry_does_nothing)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "forger", forger, NULL);
	uint64_t victim;

	T_EQ(shmhub_call_start(hub, peer, LIVE_HANG, "x", 1, -1, 0, &victim), 0);
	reply_is_dropped(hub, peer, victim, wire_id(hub, victim) - (1 << 16));
}

TEST(of_two_replies_to_one_call_the_first_counts)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "forger", forger, NULL);
	const struct forged two[] = {
		{ "", HUB_KIND_REPLY, ANSWER, OWN_CALL, -EDOM, OWN_PEER, 0, 0, 8, 1 },
		{ "", HUB_KIND_REPLY, ANSWER, OWN_CALL, -ERANGE, OWN_PEER, 0, 0, 9, 1 },
	};
	const uint64_t call = ask_for(hub, peer, two, 2);
	struct shmhub_msg reply;

	hub_live_until(one_is_late, hub, "the second reply is dropped");
	T_EQ(shmhub_wait(hub, call, 10000, 0, &reply), 0);
	T_EQ(reply.status, -EDOM);
	T_EQ(reply.len, 8);
	shmhub_msg_release(&reply);
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	hub_live_destroy(hub);
}

TEST(a_payload_in_a_slot_that_is_not_in_flight_fails_its_call_only)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "forger", forger, NULL);
	const struct forged f = { "", HUB_KIND_REPLY, ANSWER, OWN_CALL, 0, OWN_PEER,
				  HUB_SLOT_REF(0, 1), 77, 300, 1 };
	const uint64_t call = ask_for(hub, peer, &f, 1);
	struct shmhub_msg reply;

	T_EQ(shmhub_wait(hub, call, 10000, 0, &reply), -EBADMSG);
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	hub_live_destroy(hub);
}

/* ---- from the next incarnation ----------------------------------------------------------------------- */

static bool is_failed(void *pend)
{
	return HUB_PEND_STATE(hub_get64(&((struct hub_pend *)pend)->word)) == HUB_PEND_FAILED;
}

static bool is_doomed(void *arg)
{
	struct hub_pend *pend = arg;
	unsigned state;

	T_OK(hub_pend_lock(pend, HUB_PEND_GEN(hub_get64(&pend->word)), &state));
	const bool is = pend->doom;

	hub_pend_unlock(pend, state);
	return is;
}

static bool is_readable(void *pend)
{
	return HUB_PEND_STATE(hub_get64(&((struct hub_pend *)pend)->word)) == HUB_PEND_READY;
}

static unsigned spawn_again_and_again(struct shmhub *hub)
{
	const struct shmhub_spawn s = { .size = sizeof(s), .name = "forger", .child = forger,
					.restart = SHMHUB_RESTART_ON_DEATH, .backoff_first_ms = 1,
					.die_with_host = 1 };
	unsigned peer;

	T_EQ(shmhub_spawn(hub, &s, &peer, NULL), 0);
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	return peer;
}

/* Sends a message about an earlier call, and is past that. */
static void forge_about(struct shmhub *hub, unsigned peer, const struct forged *f)
{
	const uint64_t call = ask_for(hub, peer, f, 1);

	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	T_EQ(shmhub_cancel(hub, call), 0);
}

TEST(what_the_next_incarnation_says_about_a_call_to_the_last_does_nothing)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = spawn_again_and_again(hub);
	const struct forged first = { "", HUB_KIND_REPLY, ANSWER | MORE, OWN_CALL, 0, OWN_PEER, 0, 0, 8, 1 };
	struct shmhub_msg reply;
	uint64_t unanswered;
	uint32_t gen;

	/* one call without an answer, one of whose answer a frame lies there */
	T_EQ(shmhub_call_start(hub, peer, LIVE_HANG, "x", 1, -1, 0, &unanswered), 0);
	const uint64_t begun = ask_for(hub, peer, &first, 1);
	struct hub_pend *pend[] = { hub_pend_find(hub, unanswered, &gen), hub_pend_find(hub, begun, &gen) };

	hub_live_until(is_readable, pend[1], "the first frame is there");
	T_EQ(shmhub_kill(hub, peer), 0);
	hub_live_until(is_failed, pend[0], "the call without an answer has failed");
	hub_live_until(is_doomed, pend[1], "no more frames will come");
	hub_live_until_state(hub, peer, SHMHUB_PEER_LIVE, 2);
	forge_about(hub, peer, &(struct forged){ "", HUB_KIND_REPLY, ANSWER, wire_id(hub, unanswered), 0,
						 OWN_PEER, 0, 0, 8, 1 });
	forge_about(hub, peer, &(struct forged){ "", HUB_KIND_BODY, ANSWER, wire_id(hub, begun), 0,
						 OWN_PEER, 0, 0, 9, 1 });
	T_EQ(late_replies(hub), 1);
	T_EQ(shmhub_wait(hub, unanswered, 0, 0, &reply), -EOWNERDEAD);
	T_EQ(shmhub_wait(hub, begun, 0, 0, &reply), 0);
	T_EQ(reply.len, 8);
	shmhub_msg_release(&reply);
	T_EQ(shmhub_wait(hub, begun, 0, 0, &reply), -EOWNERDEAD);
	hub_live_destroy(hub);
}
