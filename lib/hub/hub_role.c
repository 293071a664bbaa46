/*
 * One consumer per ring: whoever has the role takes messages from a link, delivers them (others'
 * too) and is responsible for its doorbell. Nobody else takes, drains the bell, or stores the
 * MESSAGE bit of the announcement.
 *
 *	role 0		the event thread stands in: the announcement is set and its epoll set
 *			has the bell (armed), or it is kicked
 *	role TID	that thread is awake and takes, or sleeps in poll() on the bell with the
 *			announcement set
 *
 * A calling thread takes the role if it is free. When it leaves, for whatever reason, it hands
 * the link back to the event thread before it lets go: announce, look once more, role = 0, arm.
 * So a ring with an announcement always has exactly one sleeper who will be woken by its bell.
 * (Leaving without announcing and arming is how a predecessor hung: the bell rang for an end
 * at which nobody slept any more.) Other callers of that link that still wait and spin find the
 * role free and take it; those that sleep (doze) do so on their own entry and are woken by whoever
 * delivers to it, so it needs no handing over to them.
 *
 * For quiet answers (hub_bell.c) the event thread is woken only while somebody dozes. A caller
 * counts itself in and then looks at the role, whoever lets go of the role then looks for such
 * callers: either the caller finds the role free and takes it, or it is found, and MESSAGE is
 * announced for it.
 *
 * In the hot case - the answer comes while the caller spins - no system call is made: the bell
 * stays armed all the time, and is not rung because MESSAGE is not announced. LOUD goes on
 * standing: to withdraw it and announce it again would take its line from the peer twice a call,
 * which looks there after each answer (a tenth of a hot call). But then each loud message rings,
 * although somebody is awake. So after one did, LOUD is withdrawn for the next calls.
 *
 * The life thread takes the role of a dead peer's link and keeps it until a new incarnation.
 */
#include "lib/hub/hub_priv.h"

#include <poll.h>
#include <sys/eventfd.h>

enum {
	PROBE_EVERY = 8,     /* calls that woke the peer before one spins for the answer anyway */
	CHATTY_CALLS = 16,   /* after one during which the peer rang */
	TURNS_ON_LEAVE = 4,  /* of HUB_TURN messages; then the event thread goes on */
};

bool hub_role_try(struct hub_link *link)
{
	uint32_t was = 0;

	if (hub_get32(&link->role))
		return false;
	/* acquire R1: the consumer's position is ours; pairs with release R1 in let_go() */
	return atomic_compare_exchange_strong_explicit(&link->role, &was, hub_tid(),
						       memory_order_acquire, memory_order_relaxed);
}

static void let_go(struct hub_link *link)
{
	/* release R1 and seq_cst A1: everything delivered; and the arming is looked at after it.
	 * Pairs with acquire R1 in hub_role_try(), seq_cst A1 in hub_event.c. */
	const uint32_t was = atomic_exchange_explicit(&link->role, 0, memory_order_seq_cst);

	if (was & HUB_ROLE_WANTED)
		hub_futex_wake(&link->role, INT_MAX);
}

void hub_role_want(struct hub_link *link)
{
	for (;;) {
		uint32_t was = hub_get32(&link->role);

		if (hub_role_try(link))
			return;
		if (!was)
			continue;
		/* relaxed: only asks its holder to wake us when it lets go */
		if ((was & HUB_ROLE_WANTED) ||
		    atomic_compare_exchange_strong_explicit(&link->role, &was,
							    was | HUB_ROLE_WANTED,
							    memory_order_relaxed,
							    memory_order_relaxed))
			hub_futex_wait(&link->role, was | HUB_ROLE_WANTED, HUB_FOREVER);
	}
}

void hub_role_drop(struct hub_link *link)
{
	let_go(link);
}

static bool is_usable(const struct hub_link *link)
{
	return hub_link_is_open(link) && !hub_get32(&link->hung_up);
}

static bool has_dozers(const struct hub_link *link)
{
	/* seq_cst R2: after the role was let go; pairs with doze() */
	return atomic_load_explicit(&link->dozers, memory_order_seq_cst);
}

void hub_role_return(struct shmhub *hub, struct hub_link *link)
{
	/* where the next message comes to, as long as we may know; if somebody takes it, it is still
	 * to be seen there, and there is a kick too many */
	const struct hub_rx next = { .ring = link->end.rx.ring, .mask = link->end.rx.mask,
				     .position = link->end.rx.position };

	let_go(link);
	/* also when MESSAGE stands there: another leaver may have set it after our last look */
	if (!has_dozers(link) || !is_usable(link))
		return;
	/* who has the role by now is awake, and gets a bell too many at most */
	hub_end_announce(&link->end, HUB_ASLEEP_MESSAGE);
	if (!hub_ring_is_empty(&next))
		hub_event_kick(hub, link);
}

/* The event thread's announcement stands, and the ring was empty while it stood: whatever has come
 * since then rings. */
static bool stands_announced(const struct shmhub *hub, const struct hub_link *link)
{
	return hub_ring_is_empty(&link->end.rx) && (hub_get32(link->end.mine) & HUB_ASLEEP_LOUD) &&
	       hub_get32(&link->entry->host_asleep_tid) == (uint32_t)hub->event_tid;
}

/* Back to the event thread. */
void hub_role_leave(struct shmhub *hub, struct hub_link *link)
{
	struct hub_end *end = &link->end;
	bool kick = false;

	for (int turn = 0; is_usable(link) && !stands_announced(hub, link); turn++) {
		hub_put32(&link->entry->host_asleep_tid, hub->event_tid);
		hub_end_announce(end, has_dozers(link) ? HUB_ASLEEP_IN_LOOP : HUB_ASLEEP_LOUD);
		if (hub_ring_is_empty(&end->rx))
			break;
		hub_end_withdraw(end, HUB_ASLEEP_IN_LOOP);
		kick = turn == TURNS_ON_LEAVE;
		if (kick || hub_take(hub, link, HUB_TURN) < 0)
			break;
	}
	HUB_STEP("role.leave.announced");
	hub_role_return(hub, link);
	if (kick)
		hub_event_kick(hub, link);
	hub_event_arm(link);
}

void hub_role_bell(struct shmhub *hub, struct hub_link *link)
{
	if (hub_get32(&link->entry->loop_tid))
		hub_life_attached(hub, link);
	hub_send_space(hub, link);
	hub_send_slots(hub);
	hub_spill_bell(hub, link);
}

/* ---- waiting for one's own answer ----------------------------------------------------------- */

/* A peer that had to be woken does not answer within a spin; look now and then whether that has
 * changed. */
static uint32_t spin_time(struct shmhub *hub, struct hub_link *link, bool rang)
{
	/* relaxed: any one in eight will do */
	if (rang && (atomic_fetch_add_explicit(&link->probe, 1, memory_order_relaxed) + 1) %
			    PROBE_EVERY)
		return 0;
	return hub_get32(&hub->spin_ns);
}

/* Beside the bell a sleeping consumer listens to an eventfd, for what no bell tells: that its
 * own call was cancelled. Made when somebody first sleeps on this link; kept. */
static int wake_fd_of(struct hub_link *link)
{
	/* seq_cst A2: then the call is looked at; pairs with hub_role_nudge() */
	int fd = atomic_load_explicit(&link->wake_fd, memory_order_seq_cst);

	if (fd < 0) {
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		/* seq_cst A2: see above. Without one (no fds left) a cancellation is noticed late. */
		atomic_exchange_explicit(&link->wake_fd, fd, memory_order_seq_cst);
	}
	return fd;
}

void hub_role_nudge(struct hub_link *link)
{
	static const uint64_t one = 1;
	/* seq_cst A2: after the failure was stored, which an addition of nothing, other than a load,
	 * does not overtake; pairs with wake_fd_of() */
	const int fd = atomic_fetch_add_explicit(&link->wake_fd, 0, memory_order_seq_cst);

	if (fd >= 0 && hub_get32(&link->role))
		(void)!write(fd, &one, sizeof(one));
}

/* Returns what poll() does for the bell. */
static int poll_bell(struct hub_link *link, int wake_fd, int left_ms)
{
	struct pollfd p[2] = { { .fd = link->end.bell, .events = POLLIN },
			       { .fd = wake_fd, .events = POLLIN } };
	const int n = poll(p, 2, left_ms);
	uint64_t nudges;

	if (n > 0 && p[1].revents)
		(void)!read(wake_fd, &nudges, sizeof(nudges));
	return n;
}

/* With the role, woken because the event thread found what no bell told of. */
static void look_for_oneself(struct shmhub *hub, struct hub_link *link)
{
	const struct hub_rx *rx = &link->end.rx;

	if (!hub_get32(&link->look))
		return;
	hub_put32(&link->look, 0);
	if (hub_ring_is_torn(rx)) {
		hub_life_quarantine(hub, link);
	} else if (!hub_ring_is_empty(rx)) {
		hub_note(&hub->count.rescues, NULL, 1);
		hub_add_shared(&rx->ring->rescues, 1);
	}
}

/* With the role: sleep on the bell. False: the deadline is over, or the bell is of no use. */
static bool sleep_on_bell(struct shmhub *hub, struct hub_pend *pend, uint32_t gen,
			  uint64_t deadline_ns, bool for_credit)
{
	struct hub_link *link = &hub->link[pend->peer];
	struct hub_end *end = &link->end;
	const int wake_fd = wake_fd_of(link);

	hub_put32(&link->entry->host_asleep_tid, hub_tid());
	hub_end_announce(end, HUB_ASLEEP_MESSAGE);
	if (!hub_ring_is_empty(&end->rx) || !hub_pend_is_waiting(pend, gen, for_credit)) {
		hub_end_withdraw(end, HUB_ASLEEP_MESSAGE);
		return true;
	}
	hub_event_disarm(link);
	hub_event_tick(hub);
	hub_end_slept(end);
	const int left = hub_left_ms(deadline_ns);

	hub_spill_sleep(hub);
	const int n = left ? poll_bell(link, wake_fd, left) : 0;

	hub_spill_awake(hub);
	HUB_SLEPT(n);
	const int r = n > 0 ? hub_end_drain_bell(end) : 0;

	hub_end_withdraw(end, HUB_ASLEEP_MESSAGE);
	look_for_oneself(hub, link);
	if (n > 0)
		hub_role_bell(hub, link);
	if (r < 0)
		hub_life_suspect(hub, link);
	return r >= 0 && (n != 0 || hub_left_ms(deadline_ns) != 0);
}

/* Looks at nothing but the next cell: what else could end the wait ends it after the spin. */
static bool something_comes(const struct hub_rx *rx, struct hub_spin *spin)
{
	while (hub_ring_is_empty(rx))
		if (!hub_spin_on(spin))
			return false;
	return true;
}

/* True: LOUD was withdrawn, too. */
static bool begin_awake(struct hub_link *link)
{
	const bool is_chatty = link->chatty > 0;

	link->chatty -= is_chatty;
	hub_end_withdraw(&link->end, is_chatty ? HUB_ASLEEP_IN_LOOP : HUB_ASLEEP_MESSAGE);
	return is_chatty;
}

static void wait_with_role(struct shmhub *hub, struct hub_pend *pend, uint32_t gen,
			   uint64_t deadline_ns, struct hub_spin *spin, bool for_credit)
{
	struct hub_link *link = &hub->link[pend->peer];
	const bool withdrawn = begin_awake(link);

	while (is_usable(link)) {
		if (hub_take(hub, link, HUB_TURN) < 0 || !hub_pend_is_waiting(pend, gen, for_credit))
			break;
		if (!something_comes(&link->end.rx, spin) &&
		    !sleep_on_bell(hub, pend, gen, deadline_ns, for_credit))
			break;
	}
	if (!withdrawn && !(hub_get32(link->end.mine) & HUB_ASLEEP_LOUD))
		link->chatty = CHATTY_CALLS;
	hub_role_leave(hub, link);
}

/* Another thread has the role: asleep until whoever delivers wakes. False: the role was free. */
static bool doze(struct shmhub *hub, struct hub_link *link, struct hub_pend *pend, uint32_t gen,
		 uint64_t deadline_ns, bool for_credit)
{
	/* seq_cst R2: counted in, then the look at the role; pairs with has_dozers() */
	atomic_fetch_add_explicit(&link->dozers, 1, memory_order_seq_cst);
	/* seq_cst R2: see above */
	const bool is_free = is_usable(link) &&
			     !atomic_load_explicit(&link->role, memory_order_seq_cst);

	if (!is_free) {
		hub_event_tick(hub);
		hub_spill_sleep(hub);
		hub_pend_sleep(pend, gen, deadline_ns, for_credit);
		hub_spill_awake(hub);
	}
	/* relaxed: one announcement too many at most */
	atomic_fetch_sub_explicit(&link->dozers, 1, memory_order_relaxed);
	return !is_free;
}

void hub_role_wait(struct shmhub *hub, struct hub_pend *pend, uint32_t gen, uint64_t deadline_ns,
		   bool rang, bool for_credit)
{
	struct hub_link *link = &hub->link[pend->peer];
	struct hub_spin spin = { .for_ns = spin_time(hub, link, rang) };

	while (hub_pend_is_waiting(pend, gen, for_credit)) {
		if (is_usable(link) && hub_role_try(link)) {
			wait_with_role(hub, pend, gen, deadline_ns, &spin, for_credit);
		} else if (!hub_spin_on(&spin) &&
			   !doze(hub, link, pend, gen, deadline_ns, for_credit)) {
			continue;
		}
		if (hub_pend_is_waiting(pend, gen, for_credit) && deadline_ns != HUB_FOREVER &&
		    hub_left_ms(deadline_ns) == 0)
			return;
	}
}
