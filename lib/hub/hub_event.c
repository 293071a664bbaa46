/*
 * The event thread: asleep in epoll_wait for the bells and deaths of all peers. It never waits
 * for anything else, runs no application code, and makes no allocation.
 *
 * It stands in for every link whose consumer role is free. A bell is in its epoll set one-shot:
 * armed while it stands in, disarmed while a calling thread sleeps on that bell itself. It
 * drains a bell only with the role: a byte swallowed without it would be somebody else's
 * wake-up.
 *
 * While anything is pending it ticks once a second: stamps last_alive, and looks for work that
 * no bell will ever tell of, because a process gone wild cleared an announcement or a waker was
 * stopped between exchange and bell. Each such rescue is counted. An announcement that stands
 * although a message waits is left alone: that is a lost wake-up for tools to report, not to
 * be healed here.
 */
#include "lib/hub/hub_priv.h"

#include <linux/sockios.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum { WATCH_POKE, WATCH_BELL, WATCH_DEATH };
#define TICK_NS UINT64_C(1000000000)
enum { TICKS = 1, TICKS_IN_HANDLER = 10 }; /* after the one that saw it first */

static uint64_t watch(unsigned what, const struct hub_link *link)
{
	return (uint64_t)what << 32 | (uint64_t)(link - link->hub->link);
}

/* ---- arming ------------------------------------------------------------------------------- */

static void set_watch(struct hub_link *link, int op, uint32_t events)
{
	struct epoll_event event = { .events = events | EPOLLONESHOT,
				     .data.u64 = watch(WATCH_BELL, link) };

	epoll_ctl(link->hub->epoll_fd, op, link->end.bell, &event);
}

void hub_event_arm(struct hub_link *link)
{
	/* seq_cst A1: after the role was let go; pairs with on_bell() */
	if (atomic_load_explicit(&link->armed, memory_order_seq_cst))
		return;
	pthread_mutex_lock(&link->send); /* its bell is not closed, nor its number reused */
	if (hub_link_is_open(link) && !hub_get32(&link->hung_up)) {
		/* seq_cst A1: before the event can be delivered */
		atomic_store_explicit(&link->armed, 1, memory_order_seq_cst);
		set_watch(link, EPOLL_CTL_MOD, EPOLLIN);
	}
	pthread_mutex_unlock(&link->send);
}

/* By the holder of the role, so its bell stays open. */
void hub_event_disarm(struct hub_link *link)
{
	/* seq_cst A1: whoever lets go arms again */
	if (atomic_exchange_explicit(&link->armed, 0, memory_order_seq_cst))
		set_watch(link, EPOLL_CTL_MOD, 0);
}

int hub_event_watch(struct shmhub *hub, struct hub_link *link)
{
	struct epoll_event death = { .events = EPOLLIN, .data.u64 = watch(WATCH_DEATH, link) };

	/* seq_cst A1: before the event can be delivered */
	atomic_store_explicit(&link->armed, 1, memory_order_seq_cst);
	set_watch(link, EPOLL_CTL_ADD, EPOLLIN);
	return epoll_ctl(hub->epoll_fd, EPOLL_CTL_ADD, link->pidfd, &death) < 0 ? -errno : 0;
}

/* ---- being told ---------------------------------------------------------------------------- */

void hub_event_poke(struct shmhub *hub)
{
	static const uint64_t one = 1;

	/* acq_rel K2: one byte is enough; pairs with on_poke() */
	if (!atomic_exchange_explicit(&hub->poked, 1, memory_order_acq_rel))
		(void)!write(hub->poke_fd, &one, sizeof(one));
}

static void on_poke(struct shmhub *hub)
{
	uint64_t n;

	(void)!read(hub->poke_fd, &n, sizeof(n));
	/* acq_rel K2: what is stored before a poke that comes too late for this one is seen now */
	atomic_exchange_explicit(&hub->poked, 0, memory_order_acq_rel);
	hub_send_slots(hub); /* a claim gave its slot back, where it could not tell itself */
}

void hub_event_kick(struct shmhub *hub, struct hub_link *link)
{
	hub_put32(&link->kicked, 1);
	/* release K2: the link's mark is seen with this one; pairs with serve_kicked() */
	atomic_store_explicit(&hub->kicks, 1, memory_order_release);
	hub_event_poke(hub);
}

void hub_event_tick(struct shmhub *hub)
{
	/* seq_cst W1: after what is pending was counted; pairs with stop_ticking() */
	if (atomic_load_explicit(&hub->ticking, memory_order_seq_cst))
		return;
	/* seq_cst W1: one of those who come at once pokes */
	if (!atomic_exchange_explicit(&hub->ticking, 1, memory_order_seq_cst))
		hub_event_poke(hub);
}

/* ---- bells ---------------------------------------------------------------------------------- */

/* With the role: what the link has, then back to standing in. */
static void serve(struct shmhub *hub, struct hub_link *link)
{
	const int r = hub_end_drain_bell(&link->end);

	hub_end_withdraw(&link->end, HUB_ASLEEP_IN_LOOP);
	hub_role_bell(hub, link);
	if (r < 0)
		hub_life_suspect(hub, link);
	if (hub_take(hub, link, HUB_TURN) == HUB_TURN)
		hub_event_kick(hub, link); /* others first */
	hub_role_leave(hub, link);
}

static void on_bell(struct shmhub *hub, struct hub_link *link)
{
	/* seq_cst A1: one-shot, delivered; before the look at the role. Pairs with hub_role_leave() */
	atomic_store_explicit(&link->armed, 0, memory_order_seq_cst);
	if (!hub_link_is_open(link))
		return;
	if (hub_role_try(link)) {
		hub_end_slept(&link->end);
		serve(hub, link);
	} else {
		/* its holder drains the bell, and arms it when it leaves; those who wait for space
		 * or slots need not wait for that */
		hub_role_bell(hub, link);
	}
}

static void serve_kicked(struct shmhub *hub)
{
	/* acquire K2: pairs with release K2 in hub_event_kick() */
	if (!atomic_exchange_explicit(&hub->kicks, 0, memory_order_acquire))
		return;
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++) {
		struct hub_link *link = &hub->link[i];

		if (!hub_get32(&link->kicked))
			continue;
		hub_put32(&link->kicked, 0);
		/* else: whoever has the role takes, and hands back */
		if (hub_link_is_open(link) && hub_role_try(link))
			serve(hub, link);
	}
}

/* ---- the tick ------------------------------------------------------------------------------- */

static bool has_unread_bell(const struct hub_end *end)
{
	char byte;

	return recv(end->bell, &byte, 1, MSG_DONTWAIT | MSG_PEEK) != -1 || errno != EAGAIN;
}

/*
 * A caller has the role, so this thread does not know how far it is: by what stands in the file
 * the ring is torn, or has had a message for a second that no bell told of. If the caller sleeps,
 * it looks for itself.
 */
static void net_caller(struct hub_link *link)
{
	const struct hub_end *end = &link->end;
	const struct hub_ring *ring = end->rx.ring;
	const struct hub_rx at = { .ring = end->rx.ring, .mask = end->rx.mask,
				   .position = hub_get64(&ring->tail) };
	bool stuck = false;

	pthread_mutex_lock(&link->send); /* so that its bell is not being closed */
	if (hub_link_is_open(link))
		stuck = hub_ring_is_torn(&at) ||
			(!hub_ring_is_empty(&at) && !(hub_get32(end->mine) & HUB_ASLEEP_IN_LOOP) &&
			 !has_unread_bell(end));
	pthread_mutex_unlock(&link->send);
	if (stuck && link->net_caller == at.position + 1) {
		hub_put32(&link->look, 1);
		hub_role_nudge(link);
	}
	link->net_caller = stuck ? at.position + 1 : 0;
}

/* A message from the peer that no bell told of: the announcement is gone, the bell is empty. */
static void net_in(struct shmhub *hub, struct hub_link *link)
{
	struct hub_end *end = &link->end;

	if (!hub_role_try(link)) {
		net_caller(link);
		return;
	}
	const bool stuck = !hub_ring_is_empty(&end->rx) &&
			   !(hub_get32(end->mine) & HUB_ASLEEP_IN_LOOP) && !has_unread_bell(end);

	const bool torn = hub_ring_is_torn(&end->rx);

	if (torn) {
		hub_role_leave(hub, link);
		hub_life_quarantine(hub, link);
		return;
	}
	if (stuck && link->net_in == end->rx.position + 1) {
		hub_note(&hub->count.rescues, NULL, 1);
		hub_add_shared(&end->rx.ring->rescues, 1);
		serve(hub, link);
		return;
	}
	link->net_in = stuck ? end->rx.position + 1 : 0;
	if (hub_get32(end->mine) & HUB_ASLEEP_IN_LOOP) {
		/* what lies there with the flag set stays, but for answers nobody has come for yet */
		while (hub_ring_is_quiet(&end->rx) && hub_take(hub, link, 1) > 0)
			;
		hub_role_return(hub, link);
	} else {
		hub_role_leave(hub, link);
	}
}

/*
 * The peer's announcement is gone, its bell is empty, and it takes nothing. One that is in a
 * handler may just be slow: it gets its bell late. (The beat, too, may have been scribbled over.)
 */
static bool is_patience_over(const struct hub_link *link)
{
	const bool in_handler =
		HUB_BEAT_STATE(hub_get64(&link->entry->beat)) == HUB_BEAT_HANDLER;

	return link->net_ticks == (in_handler ? TICKS_IN_HANDLER : TICKS);
}

/* No end that is asleep and sane looks like this while messages wait. */
static bool is_announcement_lost(uint32_t theirs)
{
	return !theirs || (theirs & ~(uint32_t)HUB_ASLEEP_ALL);
}

static void net_out(struct shmhub *hub, struct hub_link *link)
{
	struct hub_end *end = &link->end;
	int unread = 0;

	pthread_mutex_lock(&link->send);
	const uint64_t tail = hub_get64(&end->tx.ring->tail);
	const bool is_open = hub_link_is_open(link);
	const bool nonsense = is_open && (tail < end->tx.tail || tail > end->tx.position);
	const bool stuck = is_open && !nonsense && tail < end->tx.position &&
			   is_announcement_lost(hub_get32(end->theirs)) &&
			   link->net_out == tail + 1 &&
			   ioctl(end->bell, SIOCOUTQ, &unread) == 0 && !unread;

	link->net_out = tail + 1;
	link->net_ticks = stuck ? link->net_ticks + 1 : 0;
	if (stuck && is_patience_over(link)) {
		hub_note(&hub->count.rescues, NULL, 1);
		hub_add_shared(&end->tx.ring->rescues, 1);
		hub_end_ring(end);
	}
	pthread_mutex_unlock(&link->send);
	if (nonsense)
		hub_life_quarantine(hub, link);
}

static void net_slots(struct shmhub *hub)
{
	for (unsigned i = 0; i < hub->map.class_count; i++)
		if (hub_get32(&hub_map_class(&hub->map, i)->waiters)) {
			HUB_NOTE(hub, slot_rescues, 1);
			hub_send_slots(hub);
			return;
		}
}

static bool is_anything_pending(struct shmhub *hub)
{
	/* seq_cst W1: after ticking was cleared; pairs with hub_event_tick() */
	return atomic_load_explicit(&hub->pending, memory_order_seq_cst) ||
	       /* seq_cst W1: see above */
	       atomic_load_explicit(&hub->sleepers, memory_order_seq_cst) ||
	       /* seq_cst W1: see above */
	       atomic_load_explicit(&hub->entry_waiters, memory_order_seq_cst);
}

static void stamp(struct shmhub *hub)
{
	hub_put32(&hub->map.host->tick, 1);
	hub_put64(&hub->map.host->last_alive_ns, hub_now_ns());
	hub_put64(&hub->map.host->last_alive_real_ns, hub_clock_ns(CLOCK_REALTIME));
}

static void stop_ticking(struct shmhub *hub)
{
	/* seq_cst W1: cleared, then looked once more; pairs with hub_event_tick() */
	atomic_store_explicit(&hub->ticking, 0, memory_order_seq_cst);
	if (is_anything_pending(hub))
		/* seq_cst W1: whoever counts himself in from now on sees it set */
		atomic_store_explicit(&hub->ticking, 1, memory_order_seq_cst);
	hub_put32(&hub->map.host->tick, hub_get32(&hub->ticking));
}

static void tick(struct shmhub *hub)
{
	stamp(hub);
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++) {
		struct hub_link *link = &hub->link[i];

		if (!hub_link_is_open(link) || hub_get32(&link->hung_up))
			continue;
		net_in(hub, link);
		net_out(hub, link);
	}
	net_slots(hub);
	hub_knot_tick(hub);
	if (!is_anything_pending(hub))
		stop_ticking(hub);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void expire(struct shmhub *hub, uint64_t now)
{
	if (now < hub_get64(&hub->next_deadline_ns))
		return;
	/* relaxed: a lower bound; a call that starts meanwhile lowers it again */
	atomic_store_explicit(&hub->next_deadline_ns, HUB_FOREVER, memory_order_relaxed);
	const uint64_t next = hub_pend_expire(hub, now);
	uint64_t was = hub_get64(&hub->next_deadline_ns);

	/* relaxed: see above */
	while (next < was && !atomic_compare_exchange_weak_explicit(&hub->next_deadline_ns, &was,
								    next, memory_order_relaxed,
								    memory_order_relaxed))
		;
}

static int timers(struct shmhub *hub)
{
	uint64_t next = hub_get64(&hub->next_deadline_ns);

	if (next == HUB_FOREVER && !hub_get32(&hub->ticking)) {
		hub->tick_ns = 0;
		return hub_get32(&hub->kicks) ? 0 : -1;
	}
	const uint64_t now = hub_now_ns();

	expire(hub, now);
	if (hub_get32(&hub->ticking)) {
		if (!hub->tick_ns)
			stamp(hub);
		else if (now >= hub->tick_ns)
			tick(hub);
		if (!hub->tick_ns || now >= hub->tick_ns)
			hub->tick_ns = now + TICK_NS;
		next = hub->tick_ns;
	}
	next = min64(next, hub_get64(&hub->next_deadline_ns));
	return hub_get32(&hub->kicks) ? 0 : hub_left_ms(next);
}

static void on_event(struct shmhub *hub, uint64_t what)
{
	struct hub_link *link = &hub->link[(uint32_t)what];

	switch (what >> 32) {
	case WATCH_POKE:
		on_poke(hub);
		break;
	case WATCH_BELL:
		on_bell(hub, link);
		break;
	case WATCH_DEATH:
		hub_life_ended(hub, link);
		break;
	}
}

static void *event_loop(void *arg)
{
	struct shmhub *hub = arg;
	struct epoll_event event[HUB_EVENT_BATCH];

	prctl(PR_SET_NAME, "hub-event");
	hub->event_tid = hub_tid();
	/* release N1: its tid is known; pairs with hub_event_start() */
	atomic_store_explicit(&hub->event_end, 0, memory_order_release);
	hub_futex_wake(&hub->event_end, 1);
	/* acquire N1: pairs with hub_event_stop() */
	while (!atomic_load_explicit(&hub->event_end, memory_order_acquire)) {
		const int n = epoll_wait(hub->epoll_fd, event, HUB_EVENT_BATCH, timers(hub));

		HUB_SLEPT(n);
		for (int i = 0; i < n; i++)
			on_event(hub, event[i].data.u64);
		serve_kicked(hub);
	}
	return NULL;
}

int hub_event_start(struct shmhub *hub, struct err *err)
{
	struct epoll_event poke = { .events = EPOLLIN, .data.u64 = (uint64_t)WATCH_POKE << 32 };

	hub->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	hub->poke_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (hub->epoll_fd < 0 || hub->poke_fd < 0 ||
	    epoll_ctl(hub->epoll_fd, EPOLL_CTL_ADD, hub->poke_fd, &poke) < 0)
		return err_set(err, -errno, "hub: cannot watch bells: %m");
	hub_put32(&hub->event_end, 1);
	const int r = hub_thread(&hub->event_thread, event_loop, hub);

	if (r)
		return err_set(err, r, "hub: cannot start a thread: %s", strerror(-r));
	/* acquire N1: its tid is known; pairs with event_loop() */
	while (atomic_load_explicit(&hub->event_end, memory_order_acquire))
		hub_futex_wait(&hub->event_end, 1, HUB_FOREVER);
	return 0;
}

void hub_event_stop(struct shmhub *hub)
{
	/* release N1: pairs with event_loop() */
	atomic_store_explicit(&hub->event_end, 1, memory_order_release);
	hub_event_poke(hub);
	pthread_join(hub->event_thread, NULL);
}
