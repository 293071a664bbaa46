#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/hub/hub_fault.h"
#include "lib/hub/hub_priv.h" /* full-both breaks a rule inside the library */
#include "tests/sut/sut_faults.h"
#include "tests/sut/sut_peer.h"

static bool has_call(const struct sut_look_peer *seen)
{
	return seen->calls_pending > 0;
}

static int call_and_wait(struct sut_host *host, unsigned peer, struct err *err)
{
	const int r = sut_caller(host, peer, sut_work_call, err);

	return r ? r : sut_until(host, peer, "called", has_call, err);
}

int inject_dropped_call(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	hub_fault_set(spec->peer, HUB_FAULT_DROP_CALL);
	return call_and_wait(host, spec->peer, err);
}

int inject_wrong_peer(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	const unsigned other = spec->peer % host->config->peers + 1;

	if (other == spec->peer)
		return err_set(err, -EINVAL, "needs two peers");
	atomic_store_explicit(&hub_faults.wrong_peer, other, memory_order_relaxed);
	hub_fault_set(spec->peer, HUB_FAULT_WRONG_PEER);
	/* the other one will receive it, and count it as whole */
	sut_count(&host->link[other].sent, 1);
	return call_and_wait(host, spec->peer, err);
}

/* ---- no-replies ------------------------------------------------------------------------- */

static void never_answered(void *arg, int result, struct shmhub_msg *reply)
{
	struct sut_host *host = arg;

	(void)reply;
	if (result)
		sut_count(&host->tally->failed, 1);
}

/* Calls until none more is taken: 200 ms without room, while the peer empties its ring. */
int inject_no_replies(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	const struct sut_head head = { .kind = SUT_REQUEST, .lane = SUT_LANES - 1 };
	unsigned char text[sizeof(head)];
	struct sut_head numbered = head;

	for (unsigned refused = 0; refused < 100;) {
		uint64_t call;

		numbered.number++;
		sut_message_fill(text, sizeof(text), &numbered);
		const int r = shmhub_call_async(host->hub, spec->peer, SUT_KEEP, text, sizeof(text),
						-1, SHMHUB_NOWAIT, never_answered, host, &call);
		if (r && r != -EAGAIN)
			return err_set(err, r, "cannot call (%s)", strerror(-r));
		refused = r ? refused + 1 : 0;
		if (!r)
			continue;
		numbered.number--;
		if (sut_pause(host, 2))
			return err_set(err, -ECANCELED, "told to stop");
	}
	return sut_caller(host, spec->peer, sut_work_call, err);
}

/* ---- cycles ----------------------------------------------------------------------------- */

static bool is_in_cycle(const struct sut_look_peer *seen)
{
	return seen->calls_pending > 0 && seen->send_waiting == 0;
}

int inject_reentrant_call(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	const int r = sut_tell(host, spec, err);

	return r ? r : sut_until(host, spec->peer, "called back", is_in_cycle, err);
}

void act_reentrant_call(struct sut_peer *peer, const struct sut_fault_spec *spec)
{
	unsigned char text[64];
	const struct sut_head head = sut_peer_head(peer, SUT_REQUEST, sizeof(head));

	(void)spec;
	sut_message_fill(text, sizeof(text), &head);
	atomic_store_explicit(&hub_faults.reentrant, 1, memory_order_relaxed);
	shmhub_peer_call(peer->hub, SUT_AGAIN, text, sizeof(text), -1, NULL);
}

static void work_locked(struct sut_lane *lane, struct sut_link *link)
{
	pthread_mutex_lock(&lane->host->locked);
	sut_exchange(lane, link, SUT_RENDER, 64, 64, 64, -1);
	pthread_mutex_unlock(&lane->host->locked);
}

int inject_lock_call_cycle(struct sut_host *host, const struct sut_fault_spec *spec,
			   struct err *err)
{
	int r = sut_tell(host, spec, err);

	if (!r)
		r = sut_caller(host, spec->peer, work_locked, err);
	return r ? r : sut_until(host, spec->peer, "called", is_in_cycle, err);
}

void act_lock_call_cycle(struct sut_peer *peer, const struct sut_fault_spec *spec)
{
	(void)spec;
	peer->ask_method = SUT_LOCKED;
}

/* ---- full-both -------------------------------------------------------------------------- */

/* Less than a sixteenth of the ring may be free again: a consumer looks for a waiting producer
 * only so often. */
static bool is_full_both(const struct sut_look_peer *seen)
{
	const uint64_t full = seen->ring_cells - HUB_RING_RESERVED - HUB_MSG_CELLS -
			      seen->ring_cells / 16;

	return seen->recv_cells > full && seen->send_cells > full &&
	       (seen->asleep & HUB_ASLEEP_SPACE) && (seen->host_asleep & HUB_ASLEEP_SPACE);
}

static struct sut_fault_spec told;

/* Whoever reads a ring must not wait for space in the other: this thread takes the reading on
 * itself and does just that. */
static void work_fill(struct sut_lane *lane, struct sut_link *link)
{
	struct hub_link *inner = &lane->host->hub->link[link->id];

	hub_role_want(inner);
	hub_end_withdraw(&inner->end, HUB_ASLEEP_MESSAGE);
	if (sut_tell(lane->host, &told, NULL) == 0)
		while (sut_note(lane, link, 150, -1, 0) == 0)
			;
}

int inject_full_both(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	told = *spec;
	const int r = sut_caller(host, spec->peer, work_fill, err);

	return r ? r : sut_until(host, spec->peer, "full both ways", is_full_both, err);
}

void act_full_both(struct sut_peer *peer, const struct sut_fault_spec *spec)
{
	unsigned char text[150];

	(void)spec;
	atomic_store_explicit(&hub_faults.consume_blocked, 1, memory_order_relaxed);
	for (int r = 0; !r;) {
		const struct sut_head head = sut_peer_head(peer, SUT_NOTE, 0);

		sut_message_fill(text, sizeof(text), &head);
		r = shmhub_peer_notify(peer->hub, SUT_PROGRESS, text, sizeof(text), -1, 0);
	}
}
