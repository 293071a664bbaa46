/*
 * A hub is put together here: file, tables, threads; and taken apart in the opposite order.
 */
#include "lib/hub/hub_priv.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hub/hub_abi.h"
#include "lib/hub/hub_file.h"
#include "sigdump/sigdump.h"

_Static_assert(sizeof(((struct shmhub_error *)0)->text) == sizeof(((struct err *)0)->text) &&
		       sizeof(((struct shmhub_error *)0)->next) == sizeof(((struct err *)0)->next),
	       "an error is copied in one piece");

enum {
	SPIN_NS = 20000,      /* with cores to spare */
	SPIN_BUSY_NS = 5000,  /* more processes than cores: longer starves the others */
};

int hub_error(struct shmhub_error *out, int r, const struct err *err)
{
	if (out && r) {
		out->code = r;
		memcpy(out->text, err->text, sizeof(out->text));
		memcpy(out->next, err->next, sizeof(out->next));
	}
	return r;
}

const char *shmhub_version(void)
{
	return SHMSCOPE_VERSION;
}

/* ---- fork ---------------------------------------------------------------------------------- */

/* Taken by create, destroy and, around fork(), by the forking thread. */
static pthread_mutex_t hubs_lock = PTHREAD_MUTEX_INITIALIZER;
static struct shmhub *hubs;

void hub_fork_hold(void)
{
	pthread_mutex_lock(&hubs_lock);
}

void hub_fork_release(void)
{
	pthread_mutex_unlock(&hubs_lock);
}

/* A child that kept the hub's lock, or ends of doorbells, would hide its parent's death. */
static void let_go_in_child(struct shmhub *hub)
{
	hub_put32(&hub->inherited, 1);
	close(hub->map.fd);
	close(hub->epoll_fd);
	close(hub->poke_fd);
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++) {
		if (hub->link[i].end.bell >= 0)
			close(hub->link[i].end.bell);
		if (hub->link[i].pidfd >= 0)
			close(hub->link[i].pidfd);
	}
}

static void in_child(void)
{
	hub_tid_forget();
	for (struct shmhub *hub = hubs; hub; hub = hub->next)
		let_go_in_child(hub);
	hubs = NULL;
	pthread_mutex_unlock(&hubs_lock);
}

static void watch_forks(void)
{
	pthread_atfork(hub_fork_hold, hub_fork_release, in_child);
}

static void remember(struct shmhub *hub)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&hubs_lock);
	hub->next = hubs;
	hubs = hub;
	pthread_mutex_unlock(&hubs_lock);
}

static void forget(struct shmhub *hub)
{
	pthread_mutex_lock(&hubs_lock);
	for (struct shmhub **at = &hubs; *at; at = &(*at)->next)
		if (*at == hub) {
			*at = hub->next;
			break;
		}
	pthread_mutex_unlock(&hubs_lock);
}

/* ---- create -------------------------------------------------------------------------------- */

/*
 * Spinning pays only where the other end can run meanwhile. The processors that count are those of
 * both ends together: a host and a peer that were pinned to one each have two.
 */
void hub_host_add_cpus(struct shmhub *hub, int pid)
{
	cpu_set_t cpus;

	if (sched_getaffinity(pid, sizeof(cpus), &cpus) == 0)
		CPU_OR(&hub->cpus, &hub->cpus, &cpus);
}

void hub_host_set_spin(struct shmhub *hub, unsigned live)
{
	const unsigned cpus = (unsigned)CPU_COUNT(&hub->cpus);
	const bool is_crowded = cpus < 2 || live >= cpus;
	const uint32_t ns = cpus < 2 ? 0 : is_crowded ? SPIN_BUSY_NS : SPIN_NS;

	hub_put32(&hub->map.host->is_crowded, is_crowded);
	hub_put32(&hub->spin_ns, ns);
	hub_put32(&hub->map.host->spin_ns, ns);
}

/* Entry 0 of PEERS is the host itself. */
static void fill_own_entry(struct shmhub *hub)
{
	struct hub_peer *e = hub_map_peer(&hub->map, 0);

	e->pid = hub->map.header.host_pid;
	e->start = hub->map.header.host_start;
	e->started_ns = hub->map.header.created_ns;
	e->exit_status = -1;
	e->host_bell_fd = e->peer_bell_fd = -1;
	e->incarnation = 1;
	/* relaxed: before anybody was told of this hub */
	atomic_store_explicit(&e->state, HUB_PEER_LIVE, memory_order_relaxed);
	FILE *comm = fopen("/proc/self/comm", "re");

	if (!comm)
		return;
	if (fgets(e->name, sizeof(e->name), comm))
		e->name[strcspn(e->name, "\n")] = '\0';
	fclose(comm);
}

static void tell_sigdump(const struct shmhub *hub)
{
	const struct sigdump_hub told = { sizeof(told), SIGDUMP_HOST, 0, hub->map.fd, -1,
					  hub->path };

	sigdump_hub_add(&told); /* without the library it does nothing */
}

static int set_up(struct shmhub *hub, const struct shmhub_config *config, struct err *err)
{
	int r;

	if ((r = hub_file_create(config, &hub->map, hub->path, err)))
		return r;
	hub->keep_file = config->keep_file;
	hub->pool.wake = hub_send_pool_wake;
	hub->link = calloc(hub->map.header.peers_max + 1, sizeof(*hub->link));
	if (!hub->link || hub_slots_init(&hub->pool.slots, &hub->map, true) || hub_pend_init(hub))
		return err_set(err, -ENOMEM, "%s: no memory for the host's tables", hub->path);
	if ((r = hub_work_init(hub, config->handler_threads)))
		return err_set(err, r, "config: handler_threads is %u (at most %d)",
			       config->handler_threads, HUB_WORKERS_MAX);
	hub_host_add_cpus(hub, 0);
	hub_host_set_spin(hub, 0);
	fill_own_entry(hub);
	if ((r = hub_event_start(hub, err)))
		return r;
	if ((r = hub_life_start(hub, err)))
		hub_event_stop(hub);
	return r;
}

static void take_down(struct shmhub *hub)
{
	if (hub->epoll_fd >= 0)
		close(hub->epoll_fd);
	if (hub->poke_fd >= 0)
		close(hub->poke_fd);
	hub_work_fini(hub);
	hub_pend_fini(hub);
	hub_slots_fini(&hub->pool.slots);
	free(hub->link);
	if (hub->map.base && !hub->keep_file)
		hub_file_remove(hub->path, &hub->map);
	hub_map_close(&hub->map);
	free(hub);
}

int shmhub_create(const struct shmhub_config *config, struct shmhub **hub,
		  struct shmhub_error *error)
{
	struct shmhub_config known = { 0 };
	struct err err = { 0 };
	struct shmhub *h = calloc(1, sizeof(*h));

	if (!h)
		return hub_error(error, err_set(&err, -ENOMEM, "hub: no memory"), &err);
	h->map.fd = h->epoll_fd = h->poke_fd = -1;
	h->work_end = &h->work;
	int r = hub_abi_take(&known, config, HUB_ABI_CONFIG, sizeof(known), "config", &err);

	if (!r)
		r = set_up(h, &known, &err);
	if (r) {
		h->keep_file = false;
		take_down(h);
		return hub_error(error, r, &err);
	}
	remember(h);
	tell_sigdump(h);
	*hub = h;
	return 0;
}

/* ---- destroy ------------------------------------------------------------------------------- */

static void wake_everybody(struct shmhub *hub)
{
	hub_pend_fail_all(hub, -ESHUTDOWN);
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++)
		hub_send_space(hub, &hub->link[i]);
	for (unsigned i = 0; i < hub->map.class_count; i++)
		hub_slot_announce(&hub->pool.slots, i);
	hub_send_slots(hub);
}

void shmhub_destroy(struct shmhub *hub, int grace_ms)
{
	if (!hub)
		return;
	if (hub_get32(&hub->inherited)) {
		free(hub); /* a fork child's copy: all else is its parent's */
		return;
	}
	/* release N1: pairs with acquire N1 in hub_is_stopping() */
	atomic_store_explicit(&hub->stopping, 1, memory_order_release);
	hub_put32(&hub->map.host->stopping, 1);
	wake_everybody(hub);
	hub_life_stop(hub, grace_ms);
	wake_everybody(hub);
	hub_work_stop(hub);
	hub_event_stop(hub);
	sigdump_hub_remove(hub->map.fd);
	forget(hub);
	take_down(hub);
}

/* ---- questions ------------------------------------------------------------------------------- */

size_t shmhub_payload_max(const struct shmhub *hub)
{
	return hub->map.klass[hub->map.class_count - 1].bytes;
}

const char *shmhub_path(const struct shmhub *hub)
{
	return hub->path;
}

int shmhub_peer_get(struct shmhub *hub, unsigned peer, struct shmhub_peer_info *info)
{
	if (peer < 1 || peer > hub->map.header.peers_max)
		return -ENOENT;
	struct hub_link *link = &hub->link[peer];
	const struct hub_peer *e = link->entry;
	struct shmhub_peer_info now = { .exit_status = -1 };

	if (!hub_get32(&link->used))
		return -ENOENT;
	pthread_mutex_lock(&link->send); /* what an incarnation's birth and death change */
	now.state = hub_get32(&e->state);
	now.pid = link->pid;
	now.incarnation = link->incarnation;
	now.sent = link->end.tx.messages;
	now.exit_status = e->exit_status;
	memcpy(now.name, e->name, sizeof(now.name) - 1);
	pthread_mutex_unlock(&link->send);
	pthread_mutex_lock(&hub->life_lock);
	now.restarts = link->restarts;
	pthread_mutex_unlock(&hub->life_lock);
	now.calls_pending = hub_get32(&link->pending);
	now.received = hub_get64(&link->end.rx.taken);
	return hub_abi_give(info, &now, HUB_ABI_PEER_INFO, sizeof(now));
}

/* With link->send for the producer's half; the consumer's may be a message behind. */
static void add_link(struct hub_link *link, struct shmhub_stats *s)
{
	const struct hub_end *end = &link->end;

	pthread_mutex_lock(&link->send);
	s->messages_out += end->tx.messages;
	s->bytes_out += end->tx.bytes;
	s->bells += end->tx.bells;
	s->full_waits += end->tx.full_waits;
	pthread_mutex_unlock(&link->send);
	s->messages_in += hub_get64(&end->rx.taken);
	s->bytes_in += hub_get64(&end->rx.taken_bytes);
	s->sleeps += hub_get64(&end->rx.sleeps);
	s->peers_live += hub_link_is_open(link);
}

int shmhub_stats_get(struct shmhub *hub, struct shmhub_stats *stats)
{
	const struct hub_counts *c = &hub->count;
	struct shmhub_stats now = {
		.no_space = hub_get64(&hub->map.host->no_space), /* peers count there too */
		.calls = hub_get64(&c->calls), .calls_failed = hub_get64(&c->calls_failed),
		.calls_waited = hub_get64(&c->calls_waited),
		.calls_refused = hub_get64(&c->calls_refused),
		.alloc_failed = hub_get64(&c->alloc_failed),
		.late_replies = hub_get64(&c->late_replies),
		.rescues = hub_get64(&c->rescues) + hub_get64(&c->slot_rescues),
		.peers_died = hub_get64(&c->peers_died), .slots_swept = hub_get64(&c->slots_swept),
		.quarantined = hub_get64(&c->quarantined),
		.punched_bytes = hub_get64(&c->punched_bytes),
		.calls_pending = hub_get32(&hub->pending),
	};
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++)
		add_link(&hub->link[i], &now);
	return hub_abi_give(stats, &now, HUB_ABI_STATS, sizeof(now));
}
