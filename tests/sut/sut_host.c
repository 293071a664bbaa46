/*
 * The host's life: create the hub, start the peers, let the traffic run, inject, wait, end
 * everything, report. The main thread does all of it, one step after the other; what it waits
 * for is a signal (by signalfd: no handler of ours, no thread of ours is ever interrupted).
 *
 * The end must not depend on anything that a fault may have broken: faulty peers are killed
 * before the others are asked to leave, and when threads of the host itself are stuck the hub
 * is not taken apart but its peers are killed and its file removed.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/library.h"
#include "lib/hub/hub_fault.h"
#include "tests/sut/sut_host.h"

enum { GRACE_MS = 5000, STUCK_PEERS_MS = 1000 };

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void say_why(struct sut_host *host)
{
	struct signalfd_siginfo info;

	if (read(host->signal_fd, &info, sizeof(info)) == sizeof(info))
		fprintf(stderr, "hubdemo: note: signal %u of process %u: the end\n", info.ssi_signo,
			info.ssi_pid);
	else
		fprintf(stderr, "hubdemo: warning: no signal to be read (%m): the end\n");
	host->told_to_stop = true;
}

bool sut_pause(struct sut_host *host, unsigned ms)
{
	const uint64_t end = now_ns() + ms * UINT64_C(1000000);
	struct pollfd fd = { .fd = host->signal_fd, .events = POLLIN };

	while (!host->told_to_stop) {
		const uint64_t now = now_ns();
		const uint64_t left = now < end ? end - now : 0;
		const struct timespec t = { (time_t)(left / 1000000000),
					    (long)(left % 1000000000) };
		const int n = ppoll(&fd, 1, &t, NULL);

		if (n > 0)
			say_why(host);
		else if (n == 0)
			return false;
		else if (errno == EINTR)
			sut_count(&host->tally->eintr, 1);
	}
	return true;
}

/* ---- the preloaded library -------------------------------------------------------------- */

static void hand_on(const char *variable, const char *value)
{
	if (value)
		setenv(variable, value, 1);
}

/* Executes this program anew with the library; peers inherit it. Returns only on failure, and
 * with 0 when the library is there already. */
static int preload(const struct sut_config *c, char **argv, struct err *err)
{
	static const char mark[] = "HUBDEMO_PRELOADED";
	char path[PATH_MAX];

	if (getenv(mark)) {
		unsetenv(mark);
		return 0;
	}
	const int r = library_find(path, sizeof(path), err);
	if (r)
		return r;
	const char *already = getenv("LD_PRELOAD");
	FREES char *list = NULL;
	if (asprintf(&list, "%s%s%s", already ? already : "", already && *already ? ":" : "",
		     path) < 0)
		return err_set(err, -ENOMEM, "no memory");
	setenv("LD_PRELOAD", list, 1);
	setenv(mark, "1", 1);
	hand_on("SHMSCOPE_FEED", c->feed);
	hand_on("SHMSCOPE_INTERVAL", c->interval);
	hand_on("SHMSCOPE_GROWTH_MIN", c->growth_min);
	hand_on("SHMSCOPE_SAMPLE", c->sample);
	execv(c->self, argv);
	return err_set(err, -errno, "%s: cannot execute (%m)", c->self);
}

/* ---- beginning -------------------------------------------------------------------------- */

static int take_signals(struct sut_host *host, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	host->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return host->signal_fd >= 0 ? 0 : err_set(err, -errno, "signalfd: %m");
}

static void say_died(struct sut_host *host, const struct sut_link *link)
{
	struct shmhub_peer_info info = { .size = sizeof(info), .exit_status = -1 };
	char how[64] = "";

	shmhub_peer_get(host->hub, link->id, &info);
	if (info.exit_status >= 0 && WIFSIGNALED(info.exit_status))
		snprintf(how, sizeof(how), " of signal %d", WTERMSIG(info.exit_status));
	else if (info.exit_status >= 0)
		snprintf(how, sizeof(how), " with status %d", WEXITSTATUS(info.exit_status));
	fprintf(stderr, "hubdemo: note: %s(%u) died%s%s\n", link->name, link->id, how,
		host->config->restart ? ", will be started again" : "");
}

static void peer_changed(struct shmhub *hub, unsigned peer, unsigned state, void *arg)
{
	struct sut_host *host = arg;
	struct sut_link *link = &host->link[peer];

	(void)hub;
	link->dead = state == SHMHUB_PEER_GONE;
	if (!link->dead || host->stopping)
		return;
	if (link->leaving > 0) { /* told late, perhaps: its successor may be there already */
		link->leaving--;
		return;
	}
	link->unclean = true;
	say_died(host, link);
}

/* The default classes, but the largest cannot grow: so that one peer can use it up. */
static void limit_largest(struct shmhub_config *config)
{
	static const struct shmhub_class classes[] = {
		{ 1024, 1024, 0 }, { 16384, 256, 0 }, { 262144, 32, 0 }, { 4194304, 8, 0 },
		{ 16777216, 4, 4 },
	};

	config->class_count = sizeof(classes) / sizeof(classes[0]);
	memcpy(config->classes, classes, sizeof(classes));
}

static int create(struct sut_host *host, struct err *err)
{
	struct shmhub_config config;
	struct shmhub_error why;

	shmhub_config_init(&config);
	config.path = host->config->hub;
	config.peers_max = host->config->peers;
	config.handler_threads = 8;
	for (size_t i = 0; i < host->config->faults; i++)
		if (host->config->fault[i].kind->flags & SUT_FAULT_NO_UNPACK)
			limit_largest(&config);
	const int r = shmhub_create(&config, &host->hub, &why);
	if (r) {
		err_set(err, r, "%s", why.text);
		return why.next[0] ? err_next(err, "%s", why.next) : r;
	}
	shmhub_on_peer(host->hub, peer_changed, host);
	return sut_serve(host, err);
}

static int spawn(struct sut_host *host, unsigned id, struct err *err)
{
	char tally[64];
	struct sut_link *link = &host->link[id];
	char *argv[] = { (char *)host->config->self, "peer", link->name, tally, NULL };
	const struct shmhub_spawn how = {
		.size = sizeof(how),
		.name = link->name,
		.path = host->config->self,
		.argv = argv,
		.restart = host->config->restart ? SHMHUB_RESTART_ON_DEATH : SHMHUB_RESTART_NEVER,
		.die_with_host = 1,
	};
	struct shmhub_error why;
	unsigned got;

	snprintf(tally, sizeof(tally), "/proc/%d/fd/%d", (int)getpid(), host->tally_fd);
	const int r = shmhub_spawn(host->hub, &how, &got, &why);
	if (r)
		return err_set(err, r, "%s", why.text);
	if (got != id)
		return err_set(err, -EPROTO, "%s: became peer %u instead of %u", link->name, got,
			       id);
	return 0;
}

/* A first call, so that "ready" means: it attached, and it answers. */
static int greet(struct sut_host *host, unsigned id, struct err *err)
{
	const int r = sut_exchange(&host->lane[SUT_LANE_MAIN], &host->link[id], SUT_RENDER, 64, 64,
				   0, SUT_PATIENCE_MS);

	return r ? err_set(err, r, "%s(%u): no answer (%s)", host->link[id].name, id, strerror(-r))
		 : 0;
}

static int begin(struct sut_host *host, struct err *err)
{
	const unsigned peers = host->config->peers;
	int r = sut_tally_create(peers, &host->tally, &host->tally_fd, err);

	if (r)
		return r;
	hub_faults.interrupted = &host->tally->eintr;
	r = sut_links_create(host, err);
	if (!r)
		r = sut_lane_begin(host, SUT_LANE_MAIN);
	if (!r)
		r = take_signals(host, err);
	if (!r)
		r = create(host, err);
	for (unsigned i = 1; i <= peers && !r; i++)
		r = spawn(host, i, err);
	for (unsigned i = 1; i <= peers && !r; i++)
		r = greet(host, i, err);
	if (!r)
		r = sut_look_open(&host->look, host->config->hub, err);
	return r;
}

/* ---- tools of the faults ---------------------------------------------------------------- */

pid_t sut_peer_pid(struct sut_host *host, unsigned peer)
{
	struct shmhub_peer_info info = { .size = sizeof(info) };

	return shmhub_peer_get(host->hub, peer, &info) == 0 ? info.pid : -1;
}

int sut_tell(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	char text[256];
	const size_t len = sut_fault_text(spec, text, sizeof(text));
	const int r = shmhub_notify(host->hub, spec->peer, SUT_MISBEHAVE, text, len, 1000, 0);

	return r ? err_set(err, r, "%s: cannot tell peer %u (%s)", spec->kind->name, spec->peer,
			   strerror(-r)) : 0;
}

int sut_pile(struct sut_host *host, unsigned peer, unsigned n, struct err *err)
{
	for (unsigned i = 0; i < n; i++) {
		const int r = sut_note(&host->lane[SUT_LANE_MAIN], &host->link[peer], 64, 1000, 0);

		if (r)
			return err_set(err, r, "peer %u: cannot send (%s)", peer, strerror(-r));
	}
	return 0;
}

struct caller {
	struct sut_lane *lane;
	struct sut_link *link;
	void (*work)(struct sut_lane *, struct sut_link *);
};

static void *caller_main(void *arg)
{
	const struct caller c = *(struct caller *)arg;
	char name[16];

	free(arg);
	snprintf(name, sizeof(name), "ask-%u", c.lane->id - SUT_LANE_MAIN);
	pthread_setname_np(pthread_self(), name);
	c.work(c.lane, c.link);
	return NULL;
}

int sut_caller(struct sut_host *host, unsigned peer,
	       void (*work)(struct sut_lane *, struct sut_link *), struct err *err)
{
	const unsigned id = SUT_LANE_MAIN + 1 + host->callers;
	struct caller *c = malloc(sizeof(*c));

	if (!c || id >= SUT_LANES || sut_lane_begin(host, id) != 0) {
		free(c);
		return err_set(err, -ENOMEM, "no room for another thread");
	}
	*c = (struct caller){ &host->lane[id], &host->link[peer], work };
	const int r = -pthread_create(&host->lane[id].thread, NULL, caller_main, c);
	if (r) {
		free(c);
		return err_set(err, r, "cannot start a thread (%s)", strerror(-r));
	}
	host->lane[id].running = true;
	host->callers++;
	return 0;
}

void sut_work_call(struct sut_lane *lane, struct sut_link *link)
{
	sut_exchange(lane, link, SUT_RENDER, 64, 64, 0, -1);
}

enum { UNTIL_S = 60 }; /* for a machine on which others get most of the CPUs */

int sut_until(struct sut_host *host, unsigned peer, const char *what,
	      bool (*reached)(const struct sut_look_peer *), struct err *err)
{
	struct sut_look_peer seen;

	for (unsigned i = 0; i < UNTIL_S * 500; i++) {
		if (sut_look_peer(&host->look, peer, &seen) == 0 && reached(&seen))
			return 0;
		if (sut_pause(host, 2))
			return err_set(err, -ECANCELED, "told to stop");
	}
	return err_set(err, -ETIMEDOUT,
		       "peer %u: not %s within %d s (state %u, asleep %u, %ju waiting for it, %ju "
		       "from it)",
		       peer, what, UNTIL_S, seen.state, seen.asleep, (uintmax_t)seen.recv_waiting,
		       (uintmax_t)seen.send_waiting);
}

/* ---- the middle ------------------------------------------------------------------------- */

static void quiet(struct sut_host *host)
{
	for (unsigned i = 1; i <= host->config->peers; i++)
		sut_link_close(&host->link[i]);
}

static void go_on(struct sut_host *host)
{
	for (unsigned i = 1; i <= host->config->peers; i++)
		if (!host->link[i].faulty)
			sut_link_open(&host->link[i]);
}

static int inject(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	const unsigned flags = spec->kind->flags;
	struct err why;

	if (spec->peer) {
		sut_link_close(&host->link[spec->peer]);
		host->link[spec->peer].faulty = true;
	}
	for (unsigned i = 0; i <= host->config->peers && (flags & SUT_FAULT_NO_ROOM); i++)
		host->tally[i].no_room = 1;
	host->no_unpack = host->no_unpack || (flags & SUT_FAULT_NO_UNPACK);
	host->stuck = host->stuck || (flags & SUT_FAULT_STUCK);
	if (flags & SUT_FAULT_ALL_QUIET)
		quiet(host);
	const int r = spec->kind->inject(host, spec, &why);
	if (flags & SUT_FAULT_ALL_QUIET)
		go_on(host);
	if (r)
		return err_set(err, r, "--fault %s: %s", spec->kind->name, why.text);
	printf("injected %s peer=%u\n", spec->kind->name, spec->peer);
	return 0;
}

/* Ends one healthy peer in order and starts it again. */
static int restart_one(struct sut_host *host, struct err *err)
{
	struct sut_link *link = NULL;

	for (unsigned i = 0; i < host->config->peers && (!link || link->faulty); i++)
		link = &host->link[1 + host->restart_next++ % host->config->peers];
	if (link->faulty)
		return 0;
	sut_link_close(link);
	link->leaving++;
	int r = shmhub_stop(host->hub, link->id, GRACE_MS);
	if (!r)
		r = spawn(host, link->id, err);
	else
		err_set(err, r, "%s(%u): cannot be stopped (%s)", link->name, link->id,
			strerror(-r));
	if (!r)
		r = greet(host, link->id, err);
	if (!r)
		sut_link_open(link);
	return r;
}

/* Until it is time to end. */
static int stay(struct sut_host *host, uint64_t until_ns, struct err *err)
{
	const uint64_t every_ns = host->config->restart_every_ns;
	uint64_t restart_ns = every_ns ? now_ns() + every_ns : UINT64_MAX;

	for (;;) {
		const uint64_t now = now_ns();

		if (now >= until_ns)
			return 0;
		if (now >= restart_ns) {
			const int r = restart_one(host, err);

			if (r)
				return r;
			restart_ns += every_ns;
			continue;
		}
		const uint64_t next = until_ns < restart_ns ? until_ns : restart_ns;
		const uint64_t ms = next == UINT64_MAX ? 3600000 : (next - now) / 1000000 + 1;

		if (sut_pause(host, ms > 3600000 ? 3600000 : (unsigned)ms))
			return 0;
	}
}

static int run(struct sut_host *host, struct err *err)
{
	const struct sut_config *c = host->config;
	int r = begin(host, err);

	if (r)
		return r;
	const uint64_t ready_ns = now_ns();
	const uint64_t until_ns = c->seconds_ns ? ready_ns + c->seconds_ns : UINT64_MAX;
	fprintf(stderr, "hubdemo: note: seed %ju\n", (uintmax_t)c->seed);
	printf("ready host=%d hub=%s\n", (int)getpid(), c->hub);
	if (c->crowd)
		r = sut_crowd_start(host, err);
	if (!r && !c->idle)
		r = sut_traffic_start(host, err);
	if (!r && c->faults && !sut_pause(host, (unsigned)(c->inject_after_ns / 1000000)))
		for (size_t i = 0; i < c->faults && !r; i++)
			r = inject(host, &c->fault[i], err);
	if (r == -ECANCELED)
		return 0; /* told to stop in the middle: nothing is wrong */
	return r ? r : stay(host, until_ns, err);
}

/* ---- the end ---------------------------------------------------------------------------- */

/* Peers that somebody still talks to although it is time: stopped from outside, say. */
static void kill_the_slow(struct sut_host *host)
{
	for (unsigned i = 1; i <= host->config->peers; i++) {
		struct sut_link *link = &host->link[i];

		pthread_mutex_lock(&link->lock);
		const bool slow = link->inside;
		pthread_mutex_unlock(&link->lock);
		if (!slow)
			continue;
		link->faulty = true;
		shmhub_stop(host->hub, i, 0);
	}
}

static bool join_callers(struct sut_host *host)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 10;
	for (unsigned i = 0; i < host->callers; i++)
		if (pthread_timedjoin_np(host->lane[SUT_LANE_MAIN + 1 + i].thread, NULL, &end) != 0)
			return false;
	return true;
}

static void kill_all(struct sut_host *host)
{
	for (unsigned i = 1; i <= host->config->peers; i++) {
		const pid_t pid = sut_peer_pid(host, i);
		CLOSES int fd = pid > 0 ? pidfd_open(pid, 0) : -1;

		if (fd < 0)
			continue;
		struct pollfd gone = { .fd = fd, .events = POLLIN };

		pidfd_send_signal(fd, SIGKILL, NULL, 0);
		poll(&gone, 1, STUCK_PEERS_MS);
	}
}

/* Returns false when threads of ours stay where they are. */
static bool end_in_order(struct sut_host *host)
{
	bool all = sut_traffic_join(host, 3);

	if (!all) {
		kill_the_slow(host);
		all = sut_traffic_join(host, 10);
	}
	if (host->stuck || !all)
		return false;
	struct shmhub_stats stats = { .size = sizeof(stats) };

	shmhub_stats_get(host->hub, &stats);
	sut_count(&host->tally[0].unallocated, stats.alloc_failed);
	for (size_t i = 0; i < host->config->faults; i++)
		if (host->config->fault[i].peer)
			shmhub_stop(host->hub, host->config->fault[i].peer, 0);
	if (!join_callers(host))
		return false;
	shmhub_destroy(host->hub, GRACE_MS);
	return true;
}

static int report(struct sut_host *host)
{
	const unsigned peers = host->config->peers;
	uint64_t verified = 0, lost = 0, duplicated = 0, corrupt = 0, failed = 0, unallocated = 0;

	for (unsigned i = 0; i <= peers; i++) {
		struct sut_tally *t = &host->tally[i];

		verified += sut_read(&t->verified);
		lost += sut_read(&t->lost);
		duplicated += sut_read(&t->duplicated);
		corrupt += sut_read(&t->corrupt);
		failed += sut_read(&t->failed);
		unallocated += sut_read(&t->unallocated);
		printf("peer=%u eintr=%ju\n", i, (uintmax_t)sut_read(&t->eintr));
	}
	printf("messages %ju lost %ju duplicated %ju corrupt %ju\n", (uintmax_t)verified,
	       (uintmax_t)lost, (uintmax_t)duplicated, (uintmax_t)corrupt);
	printf("failed %ju\n", (uintmax_t)failed);
	printf("unallocated %ju\n", (uintmax_t)unallocated);
	fflush(stdout);
	return lost || duplicated || corrupt ? 1 : 0;
}

int sut_host_main(const struct sut_config *config, char **argv)
{
	static struct sut_host host = {
		.locked = PTHREAD_MUTEX_INITIALIZER,
		.look = { .fd = -1 },
	};
	struct err err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	host.config = config;
	int r = config->preload ? preload(config, argv, &err) : 0;
	if (!r)
		r = run(&host, &err);
	if (r)
		err_print(stderr, "hubdemo", "error", &err);
	if (!host.hub)
		return 3;
	host.stopping = true;
	if (end_in_order(&host)) {
		sut_links_settle(&host);
	} else {
		kill_all(&host);
		unlink(config->hub);
	}
	const int status = report(&host);
	_exit(r ? 3 : status);
}
