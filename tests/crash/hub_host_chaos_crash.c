/*
 * The host is killed at random moments under load; T_LENGTH=10 makes 50 of it. Each time: its
 * peers end by themselves, the file it leaves is inspected (clean, or with findings that are
 * true of it), and a new host starts under the same name and works.
 */
#include "tests/hub_live.h"
#include "tests/t.h"
#include "tests/tool_run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { KILLS = 5, PEERS = 4, THREADS = 4, TO_HOST = 90, GONE_MS = 1000 };

static struct shmhub_config config_at(const char *path)
{
	struct shmhub_config c;

	shmhub_config_init(&c);
	c.path = path;
	c.peers_max = PEERS;
	return c;
}

/* ---- the host that will be killed, and its peers ----------------------------------------------- */

static struct shmhub_peer *me;

static void echo(struct shmhub_request *r, void *arg)
{
	(void)arg;
	shmhub_peer_notify(me, TO_HOST, shmhub_request_data(r), shmhub_request_len(r), 1000, 0);
	shmhub_reply(r, 0, shmhub_request_data(r), shmhub_request_len(r));
}

/* This program again, not a function: the host has threads that allocate while it forks, and the
 * lock of AddressSanitizer's allocator, if one of them holds it, stays locked in such a child. */
static int be_peer(int argc, char **argv)
{
	struct shmhub_peer_config config = { .size = sizeof(config) };
	struct shmhub_error error;

	if (shmhub_peer_args(&argc, argv, &config, &error)) {
		fprintf(stderr, "%s\n", error.text);
		return 2;
	}
	me = hub_live_attach(&config);
	shmhub_peer_handle(me, LIVE_ECHO, NULL, echo, NULL);
	return hub_live_run(me);
}

static void take(struct shmhub_request *r, void *arg)
{
	(void)r;
	(void)arg;
}

static void *call_for_ever(void *arg)
{
	static uint8_t data[300000];
	uint64_t rng = hub_now_ns() | 1;

	for (;;) {
		const uint64_t r = t_random(&rng);

		shmhub_call(arg, 1 + r % PEERS, LIVE_ECHO, data, r % 5 ? r % 3000 : r % sizeof(data), 5000,
			    NULL);
	}
	return NULL;
}

/* Peers see its death by themselves: none has a parent-death signal. */
static void be_host(const char *path, int ready)
{
	const struct shmhub_config c = config_at(path);
	struct shmhub *hub = hub_live_create(&c);
	char *const argv[] = { "/proc/self/exe", "--peer", NULL };
	const struct shmhub_spawn s = { .size = sizeof(s), .name = "peer", .path = argv[0], .argv = argv,
					.restart = SHMHUB_RESTART_ON_DEATH, .backoff_first_ms = 1 };
	pthread_t thread;
	unsigned peer;

	shmhub_handle(hub, TO_HOST, "take", take, NULL);
	for (unsigned i = 0; i < PEERS; i++)
		if (shmhub_spawn(hub, &s, &peer, NULL))
			_exit(1);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&thread, NULL, call_for_ever, hub);
	for (unsigned i = 1; i <= PEERS; i++)
		if (shmhub_call(hub, i, LIVE_ECHO, "x", 1, 30000, NULL))
			_exit(1);
	(void)!write(ready, "r", 1);
	for (uint64_t rng = hub_now_ns() | 1;;) { /* some of its peers are being born or buried */
		usleep((useconds_t)(t_random(&rng) % 20000));
		shmhub_kill(hub, 1 + t_random(&rng) % PEERS);
	}
}

/* ---- what it leaves ---------------------------------------------------------------------------- */

static bool everybody_is_gone(void *arg)
{
	(void)arg;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return errno == ECHILD && waitpid(-1, NULL, WNOHANG) < 0;
}

/*
 * The host died: nothing that a running system would be blamed for may be found. (Suspected may be
 * what one that got no CPU for half a second was just about to do.) Peers that died before it, it
 * kills some, are told as such.
 */
static void inspect(const char *path)
{
	struct tool_run t = tool_run("shminspect --json --no-symbols '%s' >'%s.json'; s=$?;"
				     " jq -r .verdict '%s.json' >&2; jq -r '.findings[] | select(.state =="
				     " \"confirmed\" and .name != \"peer-dead\") | .name + \": \" + .sentence'"
				     " '%s.json'; rm '%s.json'; exit $s", path, path, path, path, path);

	if ((t.status != 0 && t.status != 1) || strlen(t.err) < 10)
		T_FAIL("shminspect ends with %d: %s", t.status, t.err);
	if (t.out[0])
		T_FAIL("of a host that was killed: %s", t.out);
	tool_end(&t);
}

static void next_host_works(const char *path)
{
	const struct shmhub_config c = config_at(path);
	struct shmhub *hub = hub_live_create(&c);

	T_EQ(hub_live_spawn(hub, "next", hub_live_echo, NULL), 1);
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	hub_live_destroy(hub);
}

/* Returns how long its peers outlived it. */
static uint64_t kill_one(const char *path, uint64_t *rng)
{
	int ready[2];
	char c;

	T_EQ(pipe(ready), 0);
	const pid_t host = fork();

	if (host == 0)
		be_host(path, ready[1]);
	close(ready[1]);
	T_EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
	usleep((useconds_t)(t_random(rng) % 100000));
	const uint64_t from = hub_now_ns();

	kill(host, SIGKILL);
	hub_live_until(everybody_is_gone, NULL, "the peers have ended");
	const uint64_t ms = (hub_now_ns() - from) / 1000000;

	inspect(path);
	next_host_works(path);
	return ms;
}

TEST(a_host_killed_at_any_moment_takes_its_peers_along_and_leaves_a_true_file)
{
	const unsigned want = KILLS * t_length();
	uint64_t rng = t_seed() | 1, best = UINT64_MAX, worst = 0;
	char path[PATH_MAX];

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	snprintf(path, sizeof(path), "%s", hub_live_path());
	for (unsigned i = 0; i < want; i++) {
		const uint64_t ms = kill_one(path, &rng);

		best = ms < best ? ms : best;
		worst = ms > worst ? ms : worst;
	}
	printf("    %u hosts killed; their peers were gone after %lu to %lu ms\n", want, best, worst);
	T_OK(best <= GONE_MS);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--peer") == 0)
		return be_peer(argc, argv);
	return t_run(argc, argv);
}
