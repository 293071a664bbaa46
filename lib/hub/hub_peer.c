/*
 * The peer's runtime: attach, the loop, detach.
 *
 *	drain		takes messages, runs handlers and completions
 *	prepare		announces the sleep, looks once more
 *	(sleep)		in epoll_wait, ours or the application's, on the doorbell
 *	check		withdraws the announcement, empties the doorbell
 *
 * Before it sleeps the runtime's own loop may spin, or yield where processors are few, as long as
 * that has paid lately: a host that calls again within microseconds then needs no bell. An idle peer
 * does neither and never wakes.
 */
#include "lib/hub/hub_peer.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/base/units.h"
#include "lib/hub/hub_abi.h"
#include "lib/hub/hub_file.h"
#include "sigdump/sigdump.h"

enum {
	TURN = 64,
	WAIT_MS = 5000,
	LOOK_MS = 20,         /* between two looks for a hub that is not there yet */
	SPIN_SCORE = 8,       /* failed spins before they become rare */
	SPIN_PROBE = 8,       /* then: every so many sleeps one spin */
	SPIN_NS_MAX = 100000, /* whatever the file says */
	YIELDS = 3,           /* at least, before a sleep */
	YIELD_LONG_NS = 1000000, /* nobody who takes turns with us is away for so long */
	YIELD_BACKOFF = 64, YIELD_BACKOFF_MAX = 8192, /* sleeps without one after that */
};

struct hub_pool *hub_peer_pool(struct shmhub_peer *peer)
{
	return &peer->pool;
}

int hub_peer_health(const struct shmhub_peer *peer)
{
	return peer->broken ? -EBADMSG : peer->host_dead ? -EOWNERDEAD : 0;
}

/* Looked up before each sleep, not before each spin: the host writes to that line at each call. */
static void learn_spin(struct shmhub_peer *peer)
{
	const uint32_t ns = hub_get32(&peer->map.host->spin_ns);

	peer->spin_ns = ns < SPIN_NS_MAX ? ns : SPIN_NS_MAX;
	peer->is_crowded = hub_get32(&peer->map.host->is_crowded);
}

void hub_peer_beat(struct shmhub_peer *peer, unsigned state, unsigned method)
{
	const uint64_t ms = (hub_coarse_ns() - peer->map.header.created_ns) / 1000000;

	hub_put64(&peer->entry->beat, HUB_BEAT(state, method, ms));
}

/* A slot was freed that somebody waits for: the host wakes whoever it is. */
static void tell_host(struct hub_pool *pool)
{
	hub_end_ring(&((struct shmhub_peer *)pool)->end);
}

/* ---- fork ------------------------------------------------------------------------------------ */

static struct shmhub_peer *peers; /* of this process; single-threaded as they are */

static void in_child(void)
{
	hub_tid_forget();
	for (struct shmhub_peer *peer = peers; peer; peer = peer->next) {
		peer->inherited = true;
		close(peer->end.bell); /* else our end would stay open when the peer dies */
		close(peer->map.fd);
		if (peer->epoll_fd >= 0)
			close(peer->epoll_fd);
	}
	peers = NULL;
}

static void remember(struct shmhub_peer *peer)
{
	static bool watching;

	if (!watching)
		pthread_atfork(NULL, NULL, in_child);
	watching = true;
	peer->next = peers;
	peers = peer;
}

static void forget(struct shmhub_peer *peer)
{
	for (struct shmhub_peer **at = &peers; *at; at = &(*at)->next)
		if (*at == peer) {
			*at = peer->next;
			return;
		}
}

/* ---- attach ------------------------------------------------------------------------------------ */

/* "--NAME VALUE" or "--NAME=VALUE" at argv[i]: its value, and how many words it took. */
static const char *value_of(const char *name, int argc, char **argv, int i, int *words)
{
	const size_t n = strlen(name);

	if (strncmp(argv[i], name, n) != 0)
		return NULL;
	*words = argv[i][n] == '=' ? 1 : 2;
	if (argv[i][n] == '=')
		return argv[i] + n + 1;
	return argv[i][n] == '\0' && i + 1 < argc ? argv[i + 1] : NULL;
}

static int number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *value,
		  struct err *err)
{
	if (!text) {
		err_set(err, -EINVAL, "%s: missing", name);
		return err_next(err, "peers are started by their host, which adds --hub-path,"
				     " --peer-id and --doorbell-fd");
	}
	return units_parse_u64(text, name, min, max, value, err);
}

static int take_values(const char *path, const char *id_text, const char *fd_text,
		       struct shmhub_peer_config *config, struct err *err)
{
	uint64_t id, fd;
	int r = number("--peer-id", id_text, 1, HUB_PEERS_MAX, &id, err);

	if (!r)
		r = number("--doorbell-fd", fd_text, 0, INT32_MAX, &fd, err);
	if (!r && !path)
		r = number("--hub-path", NULL, 0, 0, &fd, err);
	if (r)
		return r;
	const struct shmhub_peer_config all = { .path = path, .id = (unsigned)id,
						.doorbell_fd = (int)fd, .wait_ms = WAIT_MS };

	if (hub_abi_give(config, &all, HUB_ABI_PEER_CONFIG, sizeof(all)))
		return hub_abi_refuse(err, "peer config", config->size, HUB_ABI_PEER_CONFIG,
				      sizeof(all));
	return 0;
}

int shmhub_peer_args(int *argc, char **argv, struct shmhub_peer_config *config,
		     struct shmhub_error *error)
{
	static const char *const name[] = { "--hub-path", "--peer-id", "--doorbell-fd" };
	const char *value[3] = { NULL, NULL, NULL };
	struct err err = { 0 };
	int kept = 0;

	for (int i = 0, words; i < *argc; i += words) {
		int which = 0;
		const char *v = NULL;

		for (words = 1; which < 3 && !v; which++)
			v = i ? value_of(name[which], *argc, argv, i, &words) : NULL;
		if (v)
			value[which - 1] = v;
		else {
			words = 1;
			argv[kept++] = argv[i];
		}
	}
	*argc = kept;
	argv[kept] = NULL;
	return hub_error(error, take_values(value[0], value[1], value[2], config, &err), &err);
}

static bool has_hung_up(int bell)
{
	struct pollfd p = { .fd = bell, .events = 0 };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* The hub may not be there yet: neither published nor, after a restart, its predecessor gone. */
static int wait_for_hub(const struct shmhub_peer_config *config, struct hub_map *map,
			struct err *err)
{
	const uint64_t deadline = hub_now_ns() + (uint64_t)config->wait_ms * 1000000;
	struct pollfd bell = { .fd = config->doorbell_fd, .events = 0 };
	char last[sizeof(err->text)];

	for (;;) {
		const int r = hub_file_attach(config->path, map, err);

		if (r != -ENOENT && r != -EAGAIN)
			return r;
		if (has_hung_up(config->doorbell_fd))
			return err_set(err, -EOWNERDEAD, "%s: the host is gone (it hung up the"
				       " doorbell) before this peer could attach",
				       config->path);
		if (hub_now_ns() >= deadline)
			break;
		poll(&bell, 1, LOOK_MS);
	}
	snprintf(last, sizeof(last), "%s", err->text);
	err_set(err, -ETIMEDOUT, "%s: no hub with a living host within %d.%d s", config->path,
		config->wait_ms / 1000, config->wait_ms % 1000 / 100);
	err_next(err, "start the host first, it starts its peers; at the last look: %.250s", last);
	return -ETIMEDOUT;
}

static int check_bell(int fd, struct err *err)
{
	struct stat st;

	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(err, -EBADF, "--doorbell-fd %d: not an open file", fd);
	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return err_set(err, -ENOTSOCK, "--doorbell-fd %d: not a socket", fd);
	return 0;
}

static int check_entry(const struct shmhub_peer_config *config, const struct hub_map *map,
		       struct err *err)
{
	if (config->id < 1 || config->id > map->header.peers_max)
		return err_set(err, -EINVAL, "%s: peer %u: this hub has peers 1 to %u", config->path,
			       config->id, map->header.peers_max);
	struct hub_peer *entry = hub_map_peer(map, config->id);
	/* acquire P1: the entry is complete; pairs with release P1 in hub_life.c */
	const uint32_t state = atomic_load_explicit(&entry->state, memory_order_acquire);

	if (state != HUB_PEER_STARTING)
		return err_set(err, -EBUSY, "%s: peer %u is not expected (state %u): each start needs"
			       " a doorbell of its own from the host",
			       config->path, config->id, state);
	return 0;
}

static void ready(struct shmhub_peer *peer, const char *path)
{
	const struct sigdump_hub told = { sizeof(told), SIGDUMP_PEER, peer->end.peer, peer->map.fd,
					  peer->end.bell, path };

	sigdump_hub_add(&told); /* without the library it does nothing */
	hub_peer_beat(peer, HUB_BEAT_RUNNING, 0);
	hub_put32(&peer->entry->loop_tid, hub_tid());
	remember(peer);
	HUB_STEP("peer.attached");
	hub_end_ring(&peer->end); /* the host sees that we are here */
}

static int set_up(struct shmhub_peer *peer, const struct shmhub_peer_config *config,
		  struct err *err)
{
	int r = wait_for_hub(config, &peer->map, err);

	if (r)
		return r;
	if ((r = check_entry(config, &peer->map, err)))
		return r;
	if (config->die_with_host)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (has_hung_up(config->doorbell_fd))
		return err_set(err, -EOWNERDEAD, "%s: the host has hung up the doorbell",
			       config->path);
	peer->entry = hub_map_peer(&peer->map, config->id);
	if (hub_slots_init(&peer->pool.slots, &peer->map, false))
		return err_set(err, -ENOMEM, "%s: no memory", config->path);
	hub_ring_tx_adopt(&peer->end.tx, hub_map_ring(&peer->map, config->id, HUB_SEND));
	hub_ring_rx_adopt(&peer->end.rx, hub_map_ring(&peer->map, config->id, HUB_RECV));
	hub_end_open(&peer->end, &peer->map, config->id, peer->entry->incarnation,
		     config->doorbell_fd, false);
	return 0;
}

int shmhub_peer_attach(const struct shmhub_peer_config *config, struct shmhub_peer **peer,
		       struct shmhub_error *error)
{
	struct shmhub_peer_config known = { 0 };
	struct err err = { 0 };
	int r = hub_abi_take(&known, config, HUB_ABI_PEER_CONFIG, sizeof(known), "peer config", &err);

	if (r)
		return hub_error(error, r, &err);
	struct shmhub_peer *p = calloc(1, sizeof(*p));

	r = check_bell(known.doorbell_fd, &err);
	if (!r && !p)
		r = err_set(&err, -ENOMEM, "peer: no memory");
	if (!r) {
		p->map.fd = p->epoll_fd = -1;
		p->pool.wake = tell_host;
		p->spin_score = SPIN_SCORE;
		p->yield_backoff = YIELD_BACKOFF;
		hub_frames_init(&p->queue);
		r = set_up(p, &known, &err);
	}
	if (r) {
		if (p)
			hub_map_close(&p->map);
		free(p);
		close(known.doorbell_fd);
		return hub_error(error, r, &err);
	}
	ready(p, known.path);
	*peer = p;
	return 0;
}

static void free_handlers(struct shmhub_peer *peer)
{
	for (unsigned i = 0; i < HUB_PEER_BUCKETS; i++)
		while (peer->handler[i]) {
			struct hub_handler *next = peer->handler[i]->next;

			free(peer->handler[i]);
			peer->handler[i] = next;
		}
}

void shmhub_peer_detach(struct shmhub_peer *peer)
{
	struct hub_message leave = { .kind = HUB_KIND_LEAVE, .slot = HUB_NO_SLOT };

	if (!peer)
		return;
	if (!peer->inherited) {
		hub_peer_serve_drop_all(peer);
		hub_frames_free(peer->queue.first, &peer->pool);
		hub_peer_send(peer, &leave, NULL, NULL, 0, NULL);
		sigdump_hub_remove(peer->map.fd);
		forget(peer);
		close(peer->end.bell);
		if (peer->epoll_fd >= 0)
			close(peer->epoll_fd);
		hub_slots_fini(&peer->pool.slots);
		hub_map_close(&peer->map);
	}
	free_handlers(peer);
	free(peer->spare);
	free(peer);
}

int shmhub_peer_handle(struct shmhub_peer *peer, unsigned method, const char *name,
		       shmhub_handler fn, void *arg)
{
	if (!method || method > SHMHUB_METHOD_MAX || !fn)
		return -EINVAL;
	struct hub_handler *h = malloc(sizeof(*h));

	if (!h)
		return -ENOMEM;
	(void)name; /* the host names methods in the file */
	*h = (struct hub_handler){ peer->handler[method % HUB_PEER_BUCKETS], (uint16_t)method, fn, arg };
	peer->handler[method % HUB_PEER_BUCKETS] = h;
	return 0;
}

/* ---- drain, prepare, check ------------------------------------------------------------------------ */

int shmhub_peer_drain(struct shmhub_peer *peer, unsigned max)
{
	unsigned n = 0;
	int r = 1;

	if (peer->inherited)
		return -ESTALE;
	if (peer->depth)
		return -EDEADLK;
	while (n < max && !peer->quit && (r = hub_peer_take(peer)) == 1)
		n++;
	if (peer->said_handler)
		hub_peer_beat(peer, HUB_BEAT_RUNNING, 0);
	peer->said_handler = false;
	hub_peer_call_expire(peer);
	if (peer->broken)
		return -EBADMSG;
	if (r == 0 && peer->host_dead) {
		hub_peer_call_fail_all(peer, -EOWNERDEAD);
		return -EOWNERDEAD;
	}
	if (r == 0 && peer->host_left && !n)
		return -ESHUTDOWN;
	return (int)n;
}

size_t shmhub_peer_payload_max(const struct shmhub_peer *peer)
{
	return peer->map.klass[peer->map.class_count - 1].bytes;
}

int shmhub_peer_fd(const struct shmhub_peer *peer)
{
	return peer->end.bell;
}

int shmhub_peer_prepare(struct shmhub_peer *peer)
{
	const uint64_t deadline = hub_peer_call_deadline(peer);

	if (peer->host_left || peer->host_dead || peer->broken || peer->quit)
		return 0;
	hub_end_announce(&peer->end, HUB_ASLEEP_MESSAGE);
	peer->said_asleep = true;
	hub_peer_beat(peer, HUB_BEAT_ASLEEP, 0);
	learn_spin(peer);
	peer->broken |= hub_ring_is_torn(&peer->end.rx);
	if (!peer->broken && !hub_peer_has_work(peer))
		return hub_left_ms(deadline);
	hub_end_withdraw(&peer->end, HUB_ASLEEP_MESSAGE);
	peer->said_asleep = false;
	hub_peer_beat(peer, HUB_BEAT_RUNNING, 0);
	return 0;
}

int shmhub_peer_check(struct shmhub_peer *peer)
{
	if (peer->inherited)
		return -ESTALE;
	if (peer->said_asleep) {
		hub_end_withdraw(&peer->end, HUB_ASLEEP_MESSAGE);
		peer->said_asleep = false;
		hub_peer_beat(peer, HUB_BEAT_RUNNING, 0);
		hub_end_slept(&peer->end);
	}
	if (hub_end_drain_bell(&peer->end) < 0)
		peer->host_dead = true;
	return hub_peer_health(peer);
}

/* ---- the loop ---------------------------------------------------------------------------------------- */

/* Not after a message that had to wake the host: what it answers does not come within a spin. */
static bool shall_spin(struct shmhub_peer *peer)
{
	if (peer->spin_score && !peer->rang)
		return true;
	return ++peer->spin_skips % SPIN_PROBE == 0;
}

/*
 * With more processes than processors, spinning takes the processor from those who are to send the
 * message. So they are let run: sched_yield() returns when all who waited for this processor had
 * their turn, and what was meant for us has come by then, without a bell, a sleep or a wake-up.
 * (16 peers on one processor: 3 to 6 times as many calls.) Where somebody computes for a whole time
 * slice, that would cost the slice each time: then we sleep as if there were no yielding, and try
 * again after a while, longer each time.
 */
static bool yield_for_message(struct shmhub_peer *peer)
{
	const uint64_t begun = hub_now_ns();
	uint64_t before = begun;

	for (unsigned n = 1;; n++) {
		sched_yield();
		const uint64_t now = hub_now_ns();

		if (now - before > YIELD_LONG_NS) {
			peer->yields_to_skip = peer->yield_backoff;
			peer->yield_backoff *= peer->yield_backoff < YIELD_BACKOFF_MAX ? 2 : 1;
		}
		if (!hub_ring_is_empty(&peer->end.rx))
			return true;
		if (now - before > YIELD_LONG_NS || (n >= YIELDS && now - begun >= peer->spin_ns))
			return false;
		before = now;
	}
}

static bool spin_alone(struct shmhub_peer *peer)
{
	struct hub_spin spin = { .for_ns = peer->spin_ns };

	while (hub_ring_is_empty(&peer->end.rx))
		if (!hub_spin_on(&spin))
			return false;
	return true;
}

/* True when something came. */
static bool wait_awake(struct shmhub_peer *peer)
{
	if ((!peer->spin_ns && !peer->is_crowded) || !shall_spin(peer))
		return false;
	if (peer->is_crowded && peer->yields_to_skip) {
		peer->yields_to_skip--;
		return false;
	}
	const bool came = peer->is_crowded ? yield_for_message(peer) : spin_alone(peer);

	if (came)
		peer->spin_score = SPIN_SCORE;
	else
		peer->spin_score -= peer->spin_score > 0;
	return came;
}

static const bool never; /* shmhub_peer_run() waits for no call */

static int open_loop(struct shmhub_peer *peer)
{
	struct epoll_event bell = { .events = EPOLLIN };

	if (peer->epoll_fd >= 0)
		return 0;
	peer->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (peer->epoll_fd < 0 ||
	    epoll_ctl(peer->epoll_fd, EPOLL_CTL_ADD, peer->end.bell, &bell) < 0)
		return -errno;
	return 0;
}

static int sleep_on_bell(struct shmhub_peer *peer, uint64_t deadline_ns)
{
	struct epoll_event event;
	int ms = shmhub_peer_prepare(peer);

	if (!ms)
		return hub_peer_health(peer);
	const int own = hub_left_ms(deadline_ns);

	if (own >= 0 && (ms < 0 || own < ms))
		ms = own;
#ifdef SHMHUB_FAULTS
	if (HUB_FAULT_IS(deaf))
		epoll_ctl(peer->epoll_fd, EPOLL_CTL_DEL, peer->end.bell, NULL);
#endif
	if (epoll_wait(peer->epoll_fd, &event, 1, ms) < 0 && errno == EINTR)
		peer->interrupted++;
	shmhub_peer_check(peer);
	return 0;
}

/* A turn ends with the call that is waited for: its answer would lie there, with its slot, while
 * handlers run. */
int hub_peer_run_until(struct shmhub_peer *peer, const bool *done, uint64_t deadline_ns)
{
	const unsigned turn = done == &never ? TURN : 1;
	int r = open_loop(peer);

	peer->quit = false;
	while (!r && !*done && !peer->quit) {
		r = shmhub_peer_drain(peer, turn);
		if (r)
			r = r > 0 ? 0 : r;
		else if (deadline_ns != HUB_FOREVER && hub_left_ms(deadline_ns) == 0)
			r = -ETIMEDOUT;
		else if (!wait_awake(peer))
			r = sleep_on_bell(peer, deadline_ns);
	}
	return r;
}

int shmhub_peer_run(struct shmhub_peer *peer)
{
	if (peer->inherited)
		return -ESTALE;
	if (peer->depth)
		return -EDEADLK;
	const int r = hub_peer_run_until(peer, &never, HUB_FOREVER);

	return r == -ESHUTDOWN ? 0 : r;
}

void shmhub_peer_quit(struct shmhub_peer *peer)
{
	peer->quit = true;
}

int shmhub_peer_stats_get(struct shmhub_peer *peer, struct shmhub_peer_stats *stats)
{
	const struct hub_ring *out = peer->end.tx.ring, *in = peer->end.rx.ring;
	const struct hub_peer *e = peer->entry;

	const struct shmhub_peer_stats now = {
		.messages_out = hub_get64(&out->messages), .bytes_out = hub_get64(&out->bytes),
		.messages_in = hub_get64(&in->taken), .bytes_in = hub_get64(&in->taken_bytes),
		.bells = hub_get64(&out->bells), .sleeps = hub_get64(&in->sleeps),
		.full_waits = hub_get64(&out->full_waits),
		.alloc_failed = hub_get64(&e->alloc_failed), .no_space = hub_get64(&e->no_space),
		.handled = hub_get64(&e->handled), .interrupted = peer->interrupted,
		.calls_pending = peer->calls,
	};

	return hub_abi_give(stats, &now, HUB_ABI_PEER_STATS, sizeof(now));
}
