/*
 * Why no wake-up is lost. Let A announce and look; let P publish and exchange; all four seq_cst,
 * so they have one order. If A's look comes after P's publication, A sees the message and does
 * not sleep. Else A's announcement, which is before its look, is before P's publication and so
 * before P's exchange: P finds it and rings. The bell is a socket: the byte stays until A, and
 * nobody else, drains it.
 *
 * Quiet answers. Most answers need no bell: whoever made the call comes for it, looks into the ring
 * and then announces MESSAGE before it sleeps. While nobody does, the host's event thread stands in
 * and announces only LOUD: everything else wakes it. A bell, the event thread's way through epoll
 * and its fight for the caller's processor are saved (16 peers with 8 calls each, together with
 * yielding: 2.0 instead of 0.6 to 0.8 million calls a second). An answer is loud when it lies in a slot (which others may wait for), and when the
 * ring is more than half full (which the peer's other messages may wait for).
 *
 * If the waker dies between publication and bell, the kernel closes its end and the hangup wakes
 * the sleeper. If it is stopped there, `sending` holds its thread id: readers tell "stopped before
 * ringing" from "did not ring".
 */
#include "lib/hub/hub_bell.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "lib/hub/hub_fault.h"
#include "lib/hub/hub_os.h"

int hub_bell_pair(int *host_end, int *peer_end)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	*host_end = pair[0];
	*peer_end = pair[1];
	return 0;
}

void hub_end_open(struct hub_end *end, const struct hub_map *map, unsigned peer,
		  unsigned incarnation, int bell, bool is_host)
{
	struct hub_peer *entry = hub_map_peer(map, peer);
	struct hub_ring *out = hub_map_ring(map, peer, is_host ? HUB_RECV : HUB_SEND);
	struct hub_ring *in = hub_map_ring(map, peer, is_host ? HUB_SEND : HUB_RECV);
	const uint32_t cells = map->header.ring_cells;

	end->map = map;
	end->entry = entry;
	end->mine = is_host ? &entry->host_asleep : &entry->peer_asleep;
	end->mine_ms = is_host ? &entry->host_asleep_ms : &entry->peer_asleep_ms;
	end->theirs = is_host ? &entry->peer_asleep : &entry->host_asleep;
	hub_pace_open(&end->pace, &out->tail, end->theirs);
	end->bell = bell;
	end->handled = hub_get64(&in->handled);
	end->peer = (uint16_t)peer;
	end->incarnation = (uint16_t)incarnation;
	end->is_host = is_host;
	hub_ring_tx_start(&end->tx, out, cells, hub_get64(&out->head));
	hub_ring_rx_start(&end->rx, in, cells, hub_get64(&in->tail));
}

static uint64_t now_ms(const struct hub_end *end)
{
	return (hub_coarse_ns() - end->map->header.created_ns) / 1000000;
}

uint32_t hub_end_ms(const struct hub_end *end)
{
	return (uint32_t)now_ms(end);
}

/* The one place that writes to a bell. */
void hub_end_ring(struct hub_end *end)
{
	static const char byte = 1;

	/* full: there are bytes enough; gone: its death is noticed elsewhere */
	(void)!send(end->bell, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool hub_end_wake(struct hub_end *end, uint32_t bits)
{
	/* seq_cst B1: after the publication; pairs with hub_end_announce() */
	if (!(atomic_load_explicit(end->theirs, memory_order_seq_cst) & bits))
		return false;
	if (HUB_FAULT(end->is_host ? end->peer : 0, HUB_FAULT_NO_BELL))
		return false;
	HUB_STEP("bell.wake.seen");
	/* seq_cst B1: only one waker rings; pairs with hub_end_announce() */
	if (!atomic_exchange_explicit(end->theirs, 0, memory_order_seq_cst))
		return false;
	HUB_STEP("bell.wake.exchanged");
	hub_end_ring(end);
	return true;
}

void hub_end_slept(struct hub_end *end)
{
	hub_add(&end->rx.sleeps, 1);
	hub_put64(&end->rx.ring->sleeps, hub_get64(&end->rx.sleeps));
}

void hub_end_waited(struct hub_end *end)
{
	hub_put64(&end->tx.ring->full_waits, ++end->tx.full_waits);
}

void hub_end_announce(struct hub_end *end, uint32_t bits)
{
	hub_put32(end->mine_ms, hub_end_ms(end));
	/* seq_cst B1: before the second look; pairs with hub_end_wake() */
	atomic_fetch_or_explicit(end->mine, bits, memory_order_seq_cst);
	HUB_STEP("bell.announced");
}

void hub_end_withdraw(struct hub_end *end, uint32_t bits)
{
	if (hub_get32(end->mine) & bits)
		/* seq_cst B1: before the looks that follow; pairs with hub_end_wake() */
		atomic_fetch_and_explicit(end->mine, ~bits, memory_order_seq_cst);
}

static void note_bell(struct hub_tx *tx, uint32_t now_ms)
{
	hub_put64(&tx->ring->bells, ++tx->bells);
	hub_put64(&tx->ring->bell_head, tx->position);
	hub_put32(&tx->ring->bell_ms, now_ms);
}

static bool is_quiet(struct hub_end *end, const struct hub_message *m)
{
	return (m->flags & HUB_FLAG_QUIET) && m->kind == HUB_KIND_REPLY &&
	       !hub_ring_is_half_full(&end->tx);
}

int hub_end_send(struct hub_end *end, struct hub_message *m, const void *payload, uint64_t *at,
		 bool *rang)
{
	struct hub_ring *ring = end->tx.ring;
	const uint32_t inline_len = m->slot == HUB_NO_SLOT ? m->len : 0;
	const unsigned n = hub_ring_cells(inline_len);
	const bool urgent = m->kind == HUB_KIND_REPLY || m->kind == HUB_KIND_CREDIT ||
			    m->kind == HUB_KIND_CANCEL || m->kind == HUB_KIND_LEAVE;
	const int r = hub_ring_claim(&end->tx, n, urgent);

	if (r) {
		hub_put64(&ring->full, ++end->tx.full);
		return r;
	}
	if (m->slot != HUB_NO_SLOT && m->kind == HUB_KIND_REPLY) /* loud, and readers are to see it */
		m->flags &= (uint8_t)~HUB_FLAG_QUIET;
	m->time_ms = hub_end_ms(end);
	m->peer = (uint32_t)end->peer | (uint32_t)end->incarnation << 16;
	hub_ring_write(&end->tx, m, payload);
	end->tx.notified += m->kind == HUB_KIND_NOTIFY;
	if (at)
		*at = end->tx.position;
	hub_put32(&ring->sending, hub_tid());
	hub_ring_publish(&end->tx, n, m->len);
	if (m->slot != HUB_NO_SLOT)
		hub_pace_note(&end->pace, end->tx.position, m->slot, m->len);
#ifdef SHMHUB_FAULTS
	if (hub_fault(end->is_host ? end->peer : 0, HUB_FAULT_STOP_SENDING))
		raise(SIGSTOP);
#endif
	const bool rung = hub_end_wake(end, is_quiet(end, m) ? HUB_ASLEEP_MESSAGE :
								  HUB_ASLEEP_IN_LOOP);

	if (rung)
		note_bell(&end->tx, m->time_ms);
	hub_put32(&ring->sending, 0);
	if (rang)
		*rang = rung;
	return 0;
}

int hub_end_next(struct hub_end *end, struct hub_message *m)
{
	/* the clock is for messages only: an end that spins looks here again and again */
	if (hub_ring_is_empty(&end->rx))
		return 0;
	end->took_ms = now_ms(end);
	const uint64_t from = end->rx.position;
	const int r = hub_ring_next(&end->rx, m, (uint32_t)end->took_ms);

	if (r == 1 && hub_ring_is_due(&end->rx, from))
		hub_end_wake(end, HUB_ASLEEP_SPACE);
	return r;
}

void hub_end_handled(struct hub_end *end)
{
	if (hub_ring_handled(end->rx.ring, ++end->handled))
		hub_end_wake(end, HUB_ASLEEP_SPACE);
}

int hub_end_drain_bell(struct hub_end *end)
{
	char bytes[256];
	int any = 0;

	for (;;) {
		const ssize_t n = recv(end->bell, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n == 0)
			return -EOWNERDEAD;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? any : -EOWNERDEAD;
		any = 1;
		if (n < (ssize_t)sizeof(bytes))
			return any;
	}
}
