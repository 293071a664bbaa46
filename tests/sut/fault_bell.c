#include <errno.h>
#include <sys/epoll.h>

#include "lib/hub/hub_fault.h"
#include "tests/sut/sut_faults.h"
#include "tests/sut/sut_peer.h"

enum { PILE = 6, LATE_MS = 100 };

static bool is_asleep(const struct sut_look_peer *seen)
{
	return (seen->asleep & HUB_ASLEEP_MESSAGE) && seen->recv_waiting == 0;
}

static bool is_unheard(const struct sut_look_peer *seen)
{
	return (seen->asleep & HUB_ASLEEP_MESSAGE) && seen->recv_waiting > PILE;
}

static bool is_unheard_by_host(const struct sut_look_peer *seen)
{
	return seen->host_asleep && seen->send_waiting > PILE;
}

/* Some messages, and one thread of the host that waits for an answer. */
static int pile_and_call(struct sut_host *host, unsigned peer, struct err *err)
{
	const int r = sut_pile(host, peer, PILE, err);

	return r ? r : sut_caller(host, peer, sut_work_call, err);
}

/*
 * Towards the peer the host forgets the bell. The peer must sleep when that begins: to one that
 * is awake no bell is due. Towards the host the peer forgets it; it answers late, so that the
 * host's caller has gone to sleep by then, and adds some notes.
 */
int inject_lost_bell(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	const bool to_host = sut_fault_arg(spec, "to")[0] == 'h';
	int r = to_host ? sut_tell(host, spec, err) : 0;

	if (!r)
		r = sut_until(host, spec->peer, "asleep", is_asleep, err);
	if (r)
		return r;
	if (to_host) {
		r = sut_caller(host, spec->peer, sut_work_call, err);
		if (r)
			return r;
		return sut_until(host, spec->peer, "unheard by the host", is_unheard_by_host, err);
	}
	hub_fault_set(spec->peer, HUB_FAULT_NO_BELL);
	r = pile_and_call(host, spec->peer, err);
	return r ? r : sut_until(host, spec->peer, "asleep with messages", is_unheard, err);
}

void act_lost_bell(struct sut_peer *peer, const struct sut_fault_spec *spec)
{
	(void)spec;
	hub_fault_set(0, HUB_FAULT_NO_BELL);
	peer->slow_ms = LATE_MS;
	peer->notes_after_answer = PILE;
}

static bool is_deaf(const struct sut_look_peer *seen)
{
	return seen->recv_waiting > PILE;
}

int inject_deaf_peer(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	int r = sut_tell(host, spec, err);

	if (!r)
		r = sut_until(host, spec->peer, "asleep", is_asleep, err);
	if (!r)
		r = pile_and_call(host, spec->peer, err);
	return r ? r : sut_until(host, spec->peer, "deaf", is_deaf, err);
}

void act_deaf_peer(struct sut_peer *peer, const struct sut_fault_spec *spec)
{
	(void)spec;
	epoll_ctl(peer->epoll_fd, EPOLL_CTL_DEL, shmhub_peer_fd(peer->hub), NULL);
}

static bool is_stopped_sending(const struct sut_look_peer *seen)
{
	return seen->send_sending && seen->send_waiting;
}

/* The peer answers late, so that the caller sleeps, and is stopped before it rings. */
int inject_stopped_sender(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	int r = sut_tell(host, spec, err);

	if (!r)
		r = sut_until(host, spec->peer, "asleep", is_asleep, err);
	if (!r)
		r = sut_caller(host, spec->peer, sut_work_call, err);
	if (r)
		return r;
	return sut_until(host, spec->peer, "stopped while sending", is_stopped_sending, err);
}

void act_stopped_sender(struct sut_peer *peer, const struct sut_fault_spec *spec)
{
	(void)spec;
	peer->slow_ms = LATE_MS;
	hub_fault_set(0, HUB_FAULT_STOP_SENDING);
}
