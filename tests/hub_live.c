#include "tests/hub_live.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/t.h"

static uint64_t sunk;

/* What tests that were killed have left in /dev/shm: run-tests gives each a directory of its own
 * and removes that, but a test that is run by hand has nobody who does. */
static void sweep_dead(void)
{
	DIR *dir = opendir("/dev/shm");
	const struct dirent *e;
	int pid, end;

	while (dir && (e = readdir(dir)))
		if (sscanf(e->d_name, "live-%d.hub%n", &pid, &end) == 1 && !e->d_name[end] &&
		    kill(pid, 0) < 0 && errno == ESRCH)
			unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
}

const char *hub_live_path(void)
{
	static char path[PATH_MAX];
	const char *dir = getenv("TMPDIR");

	if (!dir)
		sweep_dead();
	snprintf(path, sizeof(path), "%s/live-%d.hub", dir ? dir : "/dev/shm", getpid());
	return path;
}

struct shmhub *hub_live_create(const struct shmhub_config *config)
{
	struct shmhub_config c;
	struct shmhub_error error;
	struct shmhub *hub;

	shmhub_config_init(&c);
	if (config)
		c = *config;
	if (!c.path && !c.name && !c.memfd)
		c.path = hub_live_path();
	if (shmhub_create(&c, &hub, &error))
		T_FAIL("%s", error.text);
	return hub;
}

unsigned hub_live_spawn(struct shmhub *hub, const char *name,
			int (*child)(const struct shmhub_peer_config *config, void *arg), void *arg)
{
	const struct shmhub_spawn s = { .size = sizeof(s), .name = name, .child = child, .arg = arg,
					.die_with_host = 1 };
	struct shmhub_error error;
	unsigned peer;

	if (shmhub_spawn(hub, &s, &peer, &error))
		T_FAIL("%s", error.text);
	return peer;
}

/* ---- the child ------------------------------------------------------------------------------ */

static void serve(struct shmhub_request *r, void *arg)
{
	const pid_t pid = getpid();
	const void *data = shmhub_request_data(r);
	const size_t len = shmhub_request_len(r);
	int32_t status;
	uint32_t bytes;
	uint8_t *made;

	(void)arg;
	switch (shmhub_request_method(r)) {
	case LIVE_ECHO:
		shmhub_reply(r, 0, data, len);
		break;
	case LIVE_PID:
		shmhub_reply(r, 0, &pid, sizeof(pid));
		break;
	case LIVE_HANG:
		shmhub_request_defer(r);
		break;
	case LIVE_EXIT:
		_exit(7);
	case LIVE_SINK:
		sunk++;
		break;
	case LIVE_COUNT:
		shmhub_reply(r, 0, &sunk, sizeof(sunk));
		break;
	case LIVE_STATUS:
		memcpy(&status, data, sizeof(status));
		shmhub_reply(r, status, NULL, 0);
		break;
	case LIVE_MAKE:
		memcpy(&bytes, data, sizeof(bytes));
		made = malloc(bytes);
		for (uint32_t i = 0; i < bytes; i++)
			made[i] = LIVE_BYTE(i);
		shmhub_reply(r, 0, made, bytes);
		free(made);
		break;
	}
}

/* ---- a peer that asks before it answers ------------------------------------------------------ */

uint32_t hub_live_sum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t sum = 1;

	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + p[i];
	return sum;
}

static void serve_sum(struct shmhub_request *r, void *arg)
{
	const uint32_t sum = hub_live_sum(shmhub_request_data(r), shmhub_request_len(r));

	(void)arg;
	shmhub_reply(r, 0, &sum, sizeof(sum));
}

void hub_live_serve_sum(struct shmhub *hub)
{
	shmhub_handle(hub, LIVE_SUM, "sum", serve_sum, NULL);
}

struct asked {
	struct shmhub_request *request;
	uint32_t sum;
};

static void host_said(void *arg, int result, struct shmhub_msg *reply)
{
	struct asked *a = arg;
	const bool right = !result && reply->len == 4 && memcmp(reply->data, &a->sum, 4) == 0;

	shmhub_reply(a->request, right ? 0 : -EILSEQ, shmhub_request_data(a->request),
		     shmhub_request_len(a->request));
	free(a);
}

void hub_live_ask_first(struct shmhub_request *r, struct shmhub_peer *self)
{
	const void *data = shmhub_request_data(r);
	const size_t n = shmhub_request_len(r);
	struct asked *a = malloc(sizeof(*a));

	*a = (struct asked){ r, hub_live_sum(data, n) };
	shmhub_request_defer(r);
	if (shmhub_peer_call_async(self, LIVE_SUM, data, n, 20000, 0, host_said, a, NULL)) {
		shmhub_reply(r, -EAGAIN, NULL, 0);
		free(a);
	}
}

/* ---- attaching -------------------------------------------------------------------------------- */

struct shmhub_peer *hub_live_attach(const struct shmhub_peer_config *config)
{
	struct shmhub_error error;
	struct shmhub_peer *peer;

	if (shmhub_peer_attach(config, &peer, &error)) {
		fprintf(stderr, "peer %u: %s\n", config->id, error.text);
		_exit(99);
	}
	return peer;
}

int hub_live_run(struct shmhub_peer *peer)
{
	const int r = shmhub_peer_run(peer);

	shmhub_peer_detach(peer);
	return r ? 3 : 0;
}

void hub_live_handle(struct shmhub_peer *peer)
{
	for (unsigned m = LIVE_ECHO; m <= LIVE_MAKE; m++)
		shmhub_peer_handle(peer, m, NULL, serve, NULL);
}

int hub_live_echo(const struct shmhub_peer_config *config, void *more)
{
	struct shmhub_peer *peer = hub_live_attach(config);
	void (*const add)(struct shmhub_peer *) = (void (*)(struct shmhub_peer *))more;

	hub_live_handle(peer);
	if (add)
		add(peer);
	return hub_live_run(peer);
}

/* ---- looking -------------------------------------------------------------------------------- */

uint32_t hub_live_slots_used(const struct shmhub *hub)
{
	uint32_t used = 0;

	for (unsigned k = 0; k < hub->map.class_count; k++) {
		const uint32_t said = hub_get32(&hub_map_class(&hub->map, k)->slots);
		const uint32_t n = said < hub->map.klass[k].max ? said : hub->map.klass[k].max;

		for (uint32_t i = 0; i < n; i++)
			used += HUB_SLOT_STATE(hub_get64(&hub_map_slot(&hub->map, k, i)->word)) !=
				HUB_SLOT_FREE;
	}
	return used;
}

uint32_t hub_live_calls_pending(const struct shmhub *hub)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < hub->map.header.calls_max; i++) {
		const struct hub_call *call = hub_table_at(&hub->map.calls, i);

		n += HUB_CALL_STATE(hub_get64(&call->word)) != HUB_CALL_FREE;
	}
	return n + hub_get32(&hub->pending);
}

static bool slots_are_free(void *arg)
{
	return hub_live_slots_used(arg) == 0;
}

void hub_live_destroy(struct shmhub *hub)
{
	hub_live_until(slots_are_free, hub, "all slots are free");
	T_EQ(hub_live_calls_pending(hub), 0);
	shmhub_destroy(hub, 5000);
}

void hub_live_until(bool (*cond)(void *arg), void *arg, const char *what)
{
	const uint64_t end = hub_now_ns() + UINT64_C(10000000000);
	const struct timespec nap = { 0, 500000 };

	while (!cond(arg)) {
		if (hub_now_ns() > end)
			T_FAIL("not within 10 s: %s", what);
		nanosleep(&nap, NULL);
	}
}

struct used_wanted {
	struct shmhub *hub;
	uint32_t slots;
};

static bool so_many_are_used(void *arg)
{
	const struct used_wanted *w = arg;

	return hub_live_slots_used(w->hub) == w->slots;
}

void hub_live_until_used(struct shmhub *hub, uint32_t slots)
{
	hub_live_until(so_many_are_used, &(struct used_wanted){ hub, slots },
		       "so many slots are in use");
}

struct state_wanted {
	struct shmhub *hub;
	unsigned peer, state, incarnation;
};

static bool has_state(void *arg)
{
	const struct state_wanted *w = arg;
	struct shmhub_peer_info info = { .size = sizeof(info) };

	return shmhub_peer_get(w->hub, w->peer, &info) == 0 && info.state == w->state &&
	       info.incarnation >= w->incarnation;
}

void hub_live_until_state(struct shmhub *hub, unsigned peer, unsigned state, unsigned incarnation)
{
	struct state_wanted w = { hub, peer, state, incarnation };

	hub_live_until(has_state, &w, "the peer has the wanted state");
}
