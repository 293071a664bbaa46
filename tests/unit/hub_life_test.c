/* Peers are born, die in every way, and come back. This program is its own peer program. */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static uint64_t ms_since(uint64_t from_ns)
{
	return (hub_now_ns() - from_ns) / 1000000;
}

/* ---- programs ---------------------------------------------------------------------------------- */

static int program(int argc, char **argv)
{
	struct shmhub_peer_config config = { .size = sizeof(config) };
	struct shmhub_error error;

	if (shmhub_peer_args(&argc, argv, &config, &error)) {
		fprintf(stderr, "%s\n", error.text);
		return 98;
	}
	/* what is left of the arguments is the program's own */
	if (argc != 3 || strcmp(argv[1], "--own") != 0 || strcmp(argv[2], "argument") != 0)
		return 97;
	return hub_live_echo(&config, NULL);
}

static unsigned spawn_program(struct shmhub *hub, char *const *argv, unsigned restart)
{
	const struct shmhub_spawn s = { .size = sizeof(s), .name = "program",
					.path = "/proc/self/exe", .argv = argv, .restart = restart,
					.backoff_first_ms = 1, .die_with_host = 1 };
	struct shmhub_error error;
	unsigned peer;

	if (shmhub_spawn(hub, &s, &peer, &error))
		T_FAIL("%s", error.text);
	return peer;
}

TEST(a_program_gets_its_three_arguments_and_keeps_its_own)
{
	char *const argv[] = { "program", "--own", "argument", NULL };
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = spawn_program(hub, argv, SHMHUB_RESTART_NEVER);
	struct shmhub_peer_info info = { .size = sizeof(info) };
	struct shmhub_msg reply;
	pid_t pid;

	T_EQ(shmhub_call(hub, peer, LIVE_PID, NULL, 0, 10000, &reply), 0);
	memcpy(&pid, reply.data, sizeof(pid));
	shmhub_msg_release(&reply);
	T_EQ(shmhub_peer_get(hub, peer, &info), 0);
	T_EQ(info.pid, pid);
	T_STR(info.name, "program");
	T_EQ(info.incarnation, 1);
	hub_live_until_state(hub, peer, SHMHUB_PEER_LIVE, 1);
	hub_live_destroy(hub);
}

TEST(a_function_runs_in_a_process_of_the_peers_name)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "named", hub_live_echo, NULL);
	struct shmhub_msg reply;
	char path[64], comm[32] = "";
	pid_t pid;

	T_EQ(shmhub_call(hub, peer, LIVE_PID, NULL, 0, 10000, &reply), 0);
	memcpy(&pid, reply.data, sizeof(pid));
	shmhub_msg_release(&reply);
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	FILE *f = fopen(path, "re");

	T_OK(f && fgets(comm, sizeof(comm), f));
	fclose(f);
	T_STR(comm, "named\n");
	hub_live_destroy(hub);
}

TEST(a_program_that_cannot_be_started_is_an_error_with_its_reason)
{
	const struct shmhub_spawn s = { .size = sizeof(s), .name = "none",
					.path = "/nonexistent/program" };
	struct shmhub *hub = hub_live_create(NULL);
	struct shmhub_error error;
	unsigned peer;

	T_EQ(shmhub_spawn(hub, &s, &peer, &error), -ENOENT);
	T_HAS(error.text, "cannot start /nonexistent/program: No such file");
	/* its id is free for the next */
	T_EQ(shmhub_call(hub, hub_live_spawn(hub, "echo", hub_live_echo, NULL), LIVE_ECHO, NULL, 0,
			 10000, NULL),
	     0);
	hub_live_destroy(hub);
}

TEST(all_ids_taken_is_said_and_a_stopped_peers_id_is_used_again)
{
	struct shmhub_config config;
	const struct shmhub_spawn s = { .size = sizeof(s), .name = "x", .child = hub_live_echo };
	struct shmhub_error error;
	unsigned peer;

	shmhub_config_init(&config);
	config.peers_max = 2;
	struct shmhub *hub = hub_live_create(&config);

	T_EQ(hub_live_spawn(hub, "a", hub_live_echo, NULL), 1);
	T_EQ(hub_live_spawn(hub, "b", hub_live_echo, NULL), 2);
	T_EQ(shmhub_spawn(hub, &s, &peer, &error), -ENFILE);
	T_EQ(shmhub_stop(hub, 1, 2000), 0);
	T_EQ(shmhub_stop(hub, 1, 2000), -ENOENT);
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, NULL, 0, 1000, NULL), -EOWNERDEAD);
	T_EQ(shmhub_spawn(hub, &s, &peer, &error), 0);
	T_EQ(peer, 1);
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	hub_live_destroy(hub);
}

/* ---- death --------------------------------------------------------------------------------------- */

TEST(a_peer_that_exits_is_noticed_with_its_status)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "exit", hub_live_echo, NULL);
	struct shmhub_peer_info info = { .size = sizeof(info) };

	T_EQ(shmhub_call(hub, peer, LIVE_EXIT, NULL, 0, 10000, NULL), -EOWNERDEAD);
	hub_live_until_state(hub, peer, SHMHUB_PEER_GONE, 1);
	T_EQ(shmhub_peer_get(hub, peer, &info), 0);
	T_EQ(WEXITSTATUS(info.exit_status), 7);
	hub_live_destroy(hub);
}

TEST(a_killed_peer_fails_its_calls_within_50_ms)
{
	struct shmhub *hub = hub_live_create(NULL);
	uint64_t best = UINT64_MAX;

	/* the machine may be busy: the best of some must hold */
	for (int i = 0; i < 8 && best > 50; i++) {
		const unsigned peer = hub_live_spawn(hub, "victim", hub_live_echo, NULL);
		struct shmhub_msg reply;
		uint64_t call;

		T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 10000, NULL), 0);
		T_EQ(shmhub_call_start(hub, peer, LIVE_HANG, NULL, 0, -1, 0, &call), 0);
		const uint64_t from = hub_now_ns();

		T_EQ(shmhub_kill(hub, peer), 0);
		T_EQ(shmhub_wait(hub, call, -1, 0, &reply), -EOWNERDEAD);
		best = ms_since(from) < best ? ms_since(from) : best;
		hub_live_until_state(hub, peer, SHMHUB_PEER_GONE, 1);
	}
	T_OK(best <= 50);
	hub_live_destroy(hub);
}

/* Dies while its child still holds a copy of the doorbell. */
static int holds_bell_child(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *peer = hub_live_attach(config);
	const int copy = dup(shmhub_peer_fd(peer));

	hub_live_handle(peer);
	const pid_t own_child = fork();

	if (own_child == 0) {
		poll(NULL, 0, 60000); /* killed by the test */
		_exit(copy < 0);
	}
	(void)!write(*(int *)arg, &own_child, sizeof(own_child));
	return hub_live_run(peer);
}

TEST(a_grandchild_that_holds_the_bell_does_not_hide_the_death)
{
	struct shmhub *hub = hub_live_create(NULL);
	pid_t grandchild;
	int told[2];

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	T_EQ(pipe2(told, O_CLOEXEC), 0);
	const unsigned peer = hub_live_spawn(hub, "holder", holds_bell_child, &told[1]);
	uint64_t call;

	T_EQ(read(told[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	T_EQ(shmhub_call_start(hub, peer, LIVE_HANG, NULL, 0, -1, 0, &call), 0);
	T_EQ(shmhub_kill(hub, peer), 0);
	T_EQ(shmhub_wait(hub, call, 20000, 0, NULL), -EOWNERDEAD);
	hub_live_destroy(hub);
	T_EQ(kill(grandchild, SIGKILL), 0); /* ours now */
	T_EQ(waitpid(grandchild, NULL, 0), grandchild);
}

/* Lives on, but has closed its bell. */
static int closes_bell_child(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *peer = hub_live_attach(config);

	(void)arg;
	close(shmhub_peer_fd(peer));
	while (getpid()) /* until it is killed */
		pause();
	return 1;
}

TEST(a_peer_that_closed_its_bell_is_killed_and_cleaned_up)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "closer", closes_bell_child, NULL);
	struct shmhub_peer_info info = { .size = sizeof(info) };

	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 20000, NULL), -EOWNERDEAD);
	hub_live_until_state(hub, peer, SHMHUB_PEER_GONE, 1);
	T_EQ(shmhub_peer_get(hub, peer, &info), 0);
	T_EQ(WTERMSIG(info.exit_status), SIGKILL);
	hub_live_destroy(hub);
}

/* When told, takes slots of every kind, sends one, and dies. */
static int hoards_and_dies(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *peer = hub_live_attach(config);
	struct shmhub_buf buf[5];
	char c;

	if (read(*(int *)arg, &c, 1) != 1)
		_exit(2);
	for (int i = 0; i < 5; i++)
		if (shmhub_peer_reserve(peer, 1000u << (2 * i), 1000, &buf[i]))
			_exit(1);
	shmhub_peer_notify_buf(peer, 9, &buf[2], 1000, 1000, 0); /* in flight */
	_exit(42);
}

static void count_notify(struct shmhub_request *r, void *arg)
{
	*(_Atomic size_t *)arg += shmhub_request_len(r);
}

static bool is_role_taken(void *link)
{
	return hub_role_try(link);
}

static bool is_role_wanted(void *link)
{
	return hub_get32(&((struct hub_link *)link)->role) & HUB_ROLE_WANTED;
}

TEST(slots_of_a_dead_peer_come_back_and_what_it_had_sent_is_delivered)
{
	struct shmhub *hub = hub_live_create(NULL);
	_Atomic size_t got = 0;
	struct shmhub_stats stats = { .size = sizeof(stats) };
	int now[2];

	T_EQ(pipe(now), 0);
	T_EQ(shmhub_handle(hub, 9, NULL, count_notify, &got), 0);
	const unsigned peer = hub_live_spawn(hub, "hoarder", hoards_and_dies, &now[0]);
	struct hub_link *link = &hub->link[peer];

	/* nobody takes its message while it lives: it is dead and to be buried with it in the ring */
	hub_live_until_state(hub, peer, SHMHUB_PEER_LIVE, 1);
	hub_live_until(is_role_taken, link, "the role is ours");
	T_EQ(write(now[1], "x", 1), 1);
	hub_live_until(is_role_wanted, link, "the dead peer is to be buried");
	T_EQ(got, 0);
	hub_role_drop(link);
	hub_live_until_state(hub, peer, SHMHUB_PEER_GONE, 1);
	T_EQ(shmhub_stats_get(hub, &stats), 0);
	T_EQ(stats.slots_swept, 4);
	hub_live_destroy(hub); /* waits for all slots to be free, and for handlers */
	T_EQ(got, 1000);
}

/* ---- those who wait for what only a dead peer could give ------------------------------------ */

struct waiting {
	struct shmhub *hub;
	unsigned peer;
	_Atomic int result; /* 1: it waits */
};

static void *waits_for_entry(void *arg)
{
	struct waiting *w = arg;

	w->result = shmhub_call(w->hub, w->peer, LIVE_ECHO, "x", 1, -1, NULL);
	return NULL;
}

static void *waits_for_space(void *arg)
{
	struct waiting *w = arg;

	w->result = shmhub_notify(w->hub, w->peer, LIVE_SINK, "x", 1, -1, 0);
	return NULL;
}

static void *waits_for_slot(void *arg)
{
	struct waiting *w = arg;
	struct shmhub_buf buf;
	const int r = shmhub_reserve(w->hub, w->peer, 4000, -1, &buf);

	if (!r)
		shmhub_buf_release(&buf);
	w->result = r;
	return NULL;
}

static bool both_wait(void *arg)
{
	struct shmhub *hub = arg;

	return hub_get32(&hub->entry_waiters) == 1 && hub_get32(&hub->sleepers) == 1;
}

static bool slot_is_waited_for(void *arg)
{
	return hub_get32(&((struct shmhub *)arg)->sleepers) == 1;
}

static bool is_told(void *arg)
{
	return ((struct waiting *)arg)->result != 1;
}

TEST(who_waits_for_a_call_entry_or_for_space_is_told_that_the_peer_died)
{
	enum { CALLS = 64, ITS = CALLS / 4 };
	struct shmhub_peer_info info = { .size = sizeof(info) };
	struct shmhub_config config;
	uint64_t call[ITS];
	pthread_t thread[2];
	struct shmhub_msg reply;

	shmhub_config_init(&config);
	config.calls_max = CALLS;
	struct shmhub *hub = hub_live_create(&config);
	const unsigned peer = hub_live_spawn(hub, "stopped", hub_live_echo, NULL);
	struct waiting entry = { hub, peer, 1 }, space = { hub, peer, 1 };

	hub_live_until_state(hub, peer, SHMHUB_PEER_LIVE, 1);
	T_EQ(shmhub_peer_get(hub, peer, &info), 0);
	kill(info.pid, SIGSTOP);
	for (int i = 0; i < ITS; i++)
		T_EQ(shmhub_call_start(hub, peer, LIVE_ECHO, "x", 1, -1, SHMHUB_NOWAIT, &call[i]), 0);
	while (shmhub_notify(hub, peer, LIVE_SINK, "x", 1, 0, SHMHUB_NOWAIT) == 0)
		;
	T_EQ(pthread_create(&thread[0], NULL, waits_for_entry, &entry), 0);
	T_EQ(pthread_create(&thread[1], NULL, waits_for_space, &space), 0);
	hub_live_until(both_wait, hub, "two threads wait");
	T_EQ(shmhub_kill(hub, peer), 0);
	hub_live_until(is_told, &entry, "who waits for an entry is told");
	hub_live_until(is_told, &space, "who waits for space is told");
	T_EQ(entry.result, -EOWNERDEAD);
	T_EQ(space.result, -EOWNERDEAD);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < ITS; i++)
		T_EQ(shmhub_wait(hub, call[i], -1, 0, &reply), -EOWNERDEAD);
	hub_live_destroy(hub);
}

enum { HOARD = 4 };

/* All slots there are, whatever its share. */
static int hoards_child(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *peer = hub_live_attach(config);
	struct shmhub_buf buf[HOARD];

	(void)arg;
	hub_put32(&hub_faults.no_shares, 1);
	for (int i = 0; i < HOARD; i++)
		if (shmhub_peer_reserve(peer, 4000, 1000, &buf[i]))
			_exit(1);
	hub_live_handle(peer);
	return hub_live_run(peer);
}

TEST(who_waits_for_a_slot_gets_one_that_a_dead_peer_had_at_once)
{
	struct shmhub_config config;
	bool at_once = false;

	shmhub_config_init(&config);
	config.class_count = 1;
	config.classes[0] = (struct shmhub_class){ 4096, HOARD, HOARD };
	struct shmhub *hub = hub_live_create(&config);
	const unsigned good = hub_live_spawn(hub, "good", hub_live_echo, NULL);

	/* a net, or the puncher, may look just then: the best of some must do without both */
	for (int i = 0; i < 8 && !at_once; i++) {
		const unsigned peer = hub_live_spawn(hub, "hoarder", hoards_child, NULL);
		struct waiting slot = { hub, good, 1 };
		pthread_t thread;

		T_EQ(shmhub_call(hub, peer, LIVE_ECHO, "x", 1, 10000, NULL), 0);
		T_EQ(pthread_create(&thread, NULL, waits_for_slot, &slot), 0);
		hub_live_until(slot_is_waited_for, hub, "a thread waits for a slot");
		const uint64_t rescues = hub_get64(&hub->count.slot_rescues), from = hub_now_ns();

		T_EQ(shmhub_kill(hub, peer), 0);
		hub_live_until(is_told, &slot, "who waits gets the dead peer's slot");
		at_once = hub_get64(&hub->count.slot_rescues) == rescues && ms_since(from) < 200;
		T_EQ(slot.result, 0);
		pthread_join(thread, NULL);
		hub_live_until_state(hub, peer, SHMHUB_PEER_GONE, 1);
	}
	T_OK(at_once);
	hub_live_destroy(hub);
}

/* ---- restart --------------------------------------------------------------------------------------- */

TEST(a_peer_with_a_restart_policy_comes_back_as_a_new_incarnation)
{
	struct shmhub *hub = hub_live_create(NULL);
	char *const argv[] = { "program", "--own", "argument", NULL };
	const unsigned peer = spawn_program(hub, argv, SHMHUB_RESTART_ON_DEATH);
	struct shmhub_peer_info info = { .size = sizeof(info) };

	for (unsigned i = 1; i <= 5; i++) {
		hub_live_until_state(hub, peer, SHMHUB_PEER_LIVE, i);
		for (int k = 0; k < 300; k++) /* over the ring's end */
			T_EQ(shmhub_call(hub, peer, LIVE_ECHO, "again", 5, 10000, NULL), 0);
		T_EQ(shmhub_call(hub, peer, LIVE_EXIT, NULL, 0, 10000, NULL), -EOWNERDEAD);
	}
	hub_live_until_state(hub, peer, SHMHUB_PEER_LIVE, 6);
	T_EQ(shmhub_peer_get(hub, peer, &info), 0);
	T_EQ(info.incarnation, 6);
	T_EQ(info.restarts, 5);
	T_EQ(shmhub_stop(hub, peer, 3000), 0); /* and now it stays down */
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 100, NULL), -EOWNERDEAD);
	hub_live_destroy(hub);
}

/* ---- the host's end ---------------------------------------------------------------------------------- */

static int says_how_it_ended(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *peer = hub_live_attach(config);
	char how = 'r';

	(void)!write(*(int *)arg, &how, 1);
	const int r = shmhub_peer_run(peer);

	how = r == 0 ? '0' : r == -EOWNERDEAD ? 'd' : '?';
	shmhub_peer_detach(peer);
	(void)!write(*(int *)arg, &how, 1);
	return 0;
}

TEST(peers_see_the_hosts_death_and_leave)
{
	int told[2];
	char c;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	T_EQ(pipe2(told, O_CLOEXEC), 0);
	const pid_t host = fork();

	if (host == 0) {
		struct shmhub *hub = hub_live_create(NULL);
		const struct shmhub_spawn s = { .size = sizeof(s), .name = "w",
						.child = says_how_it_ended, .arg = &told[1] };
		unsigned peer;

		T_EQ(shmhub_spawn(hub, &s, &peer, NULL), 0);
		for (;;)
			pause();
	}
	close(told[1]);
	T_EQ(read(told[0], &c, 1), 1);
	T_EQ(c, 'r');
	kill(host, SIGKILL);
	T_EQ(read(told[0], &c, 1), 1);
	T_EQ(c, 'd');
	T_EQ(read(told[0], &c, 1), 0); /* it is gone */
	while (wait(NULL) > 0)
		;
	unlink(hub_live_path()); /* of the pid that was the host */
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/live-%d.hub", getenv("TMPDIR"), host);
	unlink(path);
}

static int never_looks(const struct shmhub_peer_config *config, void *arg)
{
	hub_live_attach(config);
	(void)!write(*(int *)arg, "r", 1);
	while (getpid())
		pause();
	return 1;
}

TEST(a_stuck_peer_with_die_with_host_is_killed_by_the_kernel)
{
	char path[PATH_MAX];
	int told[2];
	char c;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	T_EQ(pipe2(told, O_CLOEXEC), 0);
	const pid_t host = fork();

	if (host == 0) {
		struct shmhub *hub = hub_live_create(NULL);

		hub_live_spawn(hub, "stuck", never_looks, &told[1]);
		for (;;)
			pause();
	}
	close(told[1]);
	T_EQ(read(told[0], &c, 1), 1);
	kill(host, SIGKILL);
	T_EQ(read(told[0], &c, 1), 0); /* the other end closed: it ended */
	while (wait(NULL) > 0)
		;
	snprintf(path, sizeof(path), "%s/live-%d.hub", getenv("TMPDIR"), host);
	unlink(path);
}

TEST(orderly_shutdown_lets_peers_end_by_themselves)
{
	struct shmhub *hub;
	int told[2];
	char c;

	T_EQ(pipe2(told, O_CLOEXEC), 0);
	hub = hub_live_create(NULL);
	hub_live_spawn(hub, "w", says_how_it_ended, &told[1]);
	T_EQ(read(told[0], &c, 1), 1);
	hub_live_destroy(hub);
	T_EQ(read(told[0], &c, 1), 1);
	T_EQ(c, '0');
	T_OK(access(hub_live_path(), F_OK) < 0);
}

static void *calls_for_ever(void *arg)
{
	struct shmhub *hub = arg;

	return (void *)(intptr_t)shmhub_call(hub, 1, LIVE_HANG, NULL, 0, -1, NULL);
}

static bool one_is_pending(void *arg)
{
	return hub_get32(&((struct shmhub *)arg)->link[1].pending) == 1;
}

TEST(destroy_wakes_a_thread_that_waits_for_an_answer)
{
	struct shmhub *hub = hub_live_create(NULL);
	pthread_t thread;
	void *result;

	hub_live_spawn(hub, "hang", hub_live_echo, NULL);
	pthread_create(&thread, NULL, calls_for_ever, hub);
	hub_live_until(one_is_pending, hub, "a call is pending");
	/* the thread has to be out of the hub before its memory goes: wake, join, then free */
	atomic_store(&hub->stopping, 1);
	hub_pend_fail_all(hub, -ESHUTDOWN);
	pthread_join(thread, &result);
	T_EQ((intptr_t)result, -ESHUTDOWN);
	hub_live_destroy(hub);
}

/* ---- fork of the host -------------------------------------------------------------------------------- */

TEST(a_fork_of_the_host_has_no_part_in_the_hub)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);
	int status;

	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 10000, NULL), 0);
	const pid_t pid = fork();

	if (pid == 0) {
		const int fd = open(hub_live_path(), O_RDONLY); /* its own name, not the parent's */

		if (fd >= 0 || shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 1000, NULL) != -ESTALE ||
		    shmhub_notify(hub, peer, LIVE_SINK, NULL, 0, 1000, 0) != -ESTALE)
			_exit(1);
		if (fcntl(hub->map.fd, F_GETFD) >= 0 || fcntl(hub->link[peer].end.bell, F_GETFD) >= 0)
			_exit(2);
		shmhub_destroy(hub, 0);
		_exit(0);
	}
	T_EQ(waitpid(pid, &status, 0), pid);
	T_EQ(status, 0);
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 10000, NULL), 0);
	hub_live_destroy(hub);
}

#ifdef __SANITIZE_THREAD__
enum { IS_THREAD_SANITIZED = 1 };
#else
enum { IS_THREAD_SANITIZED = 0 };
#endif

/* A peer that is a function runs in a copy of a thread of the library. */
static int is_a_host_itself(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *self = hub_live_attach(config);
	struct shmhub_config own_config;
	struct shmhub *own;
	uint64_t call;
	int said[2] = { 1, 1 };

	shmhub_config_init(&own_config);
	own_config.memfd = 1;
	if (shmhub_create(&own_config, &own, NULL))
		return 1;
	const unsigned peer = hub_live_spawn(own, "grandchild", hub_live_echo, NULL);

	said[0] = shmhub_call(own, peer, LIVE_ECHO, "x", 1, 10000, NULL);
	if (!shmhub_call_start(own, peer, LIVE_ECHO, "x", 1, 10000, 0, &call))
		said[1] = shmhub_wait(own, call, -1, 0, NULL);
	shmhub_destroy(own, 1000);
	(void)!write(*(int *)arg, said, sizeof(said));
	return hub_live_run(self);
}

TEST(a_peer_that_is_a_function_may_be_a_host_itself)
{
	int told[2], said[2];

	if (IS_THREAD_SANITIZED)
		t_skip("the sanitizer refuses threads in a fork of a process with threads");
	struct shmhub *hub = hub_live_create(NULL);

	T_EQ(pipe(told), 0);
	hub_live_spawn(hub, "host", is_a_host_itself, &told[1]);
	close(told[1]);
	T_EQ(read(told[0], said, sizeof(said)), sizeof(said));
	T_EQ(said[0], 0);
	T_EQ(said[1], 0);
	hub_live_destroy(hub);
}

/* ---- early peers ------------------------------------------------------------------------------------- */

TEST(a_peer_without_a_hub_waits_and_then_says_so_in_one_sentence)
{
	struct shmhub_peer_config config = { .size = sizeof(config), .path = hub_live_path(), .id = 1,
					     .wait_ms = 300 };
	struct shmhub_error error;
	struct shmhub_peer *peer;
	int bell[2];
	const uint64_t from = hub_now_ns();

	T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, bell), 0);
	config.doorbell_fd = bell[1];
	T_EQ(shmhub_peer_attach(&config, &peer, &error), -ETIMEDOUT);
	T_OK(ms_since(from) >= 300);
	T_HAS(error.text, "no hub with a living host within 0.3 s");
	T_HAS(error.next, "start the host first");
	T_OK(!strchr(error.text, '\n'));
	/* a host that hangs up ends the waiting at once */
	T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, bell), 0);
	config.doorbell_fd = bell[1];
	config.wait_ms = 60000;
	close(bell[0]);
	T_EQ(shmhub_peer_attach(&config, &peer, &error), -EOWNERDEAD);
	/* and what is no doorbell is said at once */
	config.doorbell_fd = open("/dev/null", O_RDWR);
	T_EQ(shmhub_peer_attach(&config, &peer, &error), -ENOTSOCK);
	config.doorbell_fd = 777;
	T_EQ(shmhub_peer_attach(&config, &peer, &error), -EBADF);
}

TEST(a_peer_that_is_not_expected_is_refused)
{
	struct shmhub *hub = hub_live_create(NULL);
	struct shmhub_peer_config config = { .size = sizeof(config), .path = shmhub_path(hub), .id = 1,
					     .wait_ms = 1000 };
	struct shmhub_error error;
	struct shmhub_peer *peer;
	int bell[2];

	for (unsigned id = 1; id <= 40; id += 39) {
		T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, bell), 0);
		config.doorbell_fd = bell[1];
		config.id = id;
		T_EQ(shmhub_peer_attach(&config, &peer, &error), id == 1 ? -EBUSY : -EINVAL);
	}
	hub_live_destroy(hub);
}

TEST(arguments_of_a_peer_are_checked)
{
	static char *const bad[][8] = {
		{ "p", "--peer-id", "1", "--doorbell-fd", "3", NULL },
		{ "p", "--hub-path", "x", "--doorbell-fd", "3", NULL },
		{ "p", "--hub-path", "x", "--peer-id", "1", NULL },
		{ "p", "--hub-path", "x", "--peer-id", "0", "--doorbell-fd", "3", NULL },
		{ "p", "--hub-path", "x", "--peer-id", "1025", "--doorbell-fd", "3", NULL },
		{ "p", "--hub-path", "x", "--peer-id", "one", "--doorbell-fd", "3", NULL },
		{ "p", "--hub-path", "x", "--peer-id", "1", "--doorbell-fd", NULL },
	};
	char *good[] = { "p", "--peer-id=7", "-v", "--hub-path", "/x/y", "--doorbell-fd=12", "z", NULL };
	struct shmhub_peer_config config = { .size = sizeof(config) };
	struct shmhub_error error;
	int argc = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *argv[9];
		int n = 0;

		for (; bad[i][n]; n++)
			argv[n] = bad[i][n];
		argv[n] = NULL;
		if (shmhub_peer_args(&n, argv, &config, &error) != -EINVAL)
			T_FAIL("row %zu was accepted", i);
	}
	T_EQ(shmhub_peer_args(&argc, good, &config, &error), 0);
	T_EQ(argc, 3);
	T_STR(good[1], "-v");
	T_STR(good[2], "z");
	T_OK(!good[3]);
	T_STR(config.path, "/x/y");
	T_EQ(config.id, 7);
	T_EQ(config.doorbell_fd, 12);
	T_EQ(config.wait_ms, 5000);
}

/* ---- telling ------------------------------------------------------------------------------------------- */

struct heard {
	_Atomic unsigned live, gone;
};

static void hear(struct shmhub *hub, unsigned peer, unsigned state, void *arg)
{
	struct heard *h = arg;

	(void)hub;
	(void)peer;
	if (state == SHMHUB_PEER_LIVE)
		h->live++;
	else if (state == SHMHUB_PEER_GONE)
		h->gone++;
}

static bool heard_gone(void *arg)
{
	return ((struct heard *)arg)->gone == 1;
}

TEST(the_application_is_told_when_a_peer_comes_and_goes)
{
	struct shmhub *hub = hub_live_create(NULL);
	struct heard heard = { 0 };

	shmhub_on_peer(hub, hear, &heard);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);

	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 10000, NULL), 0);
	T_EQ(shmhub_call(hub, peer, LIVE_EXIT, NULL, 0, 10000, NULL), -EOWNERDEAD);
	hub_live_until(heard_gone, &heard, "told that it is gone");
	T_EQ(heard.live, 1);
	hub_live_destroy(hub);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--hub-path") == 0)
			return program(argc, argv);
	return t_run(argc, argv);
}

/* ---- a fork at the wrong moment -------------------------------------------------------------------- */

static _Atomic uint32_t bells_are_made, has_forked;

static int sockets_open(void)
{
	struct stat st;
	int n = 0;

	for (int fd = 3; fd < 256; fd++)
		n += fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	return n;
}

/* Gives the other thread time to fork; when it may not, that time passes. */
static void between(const char *step)
{
	const uint64_t end = hub_now_ns() + 200000000;

	if (strcmp(step, "life.birth.bells") != 0)
		return;
	bells_are_made = 1;
	hub_futex_wake(&bells_are_made, 1);
	while (!has_forked && hub_now_ns() < end)
		hub_futex_wait(&has_forked, 0, end);
}

static void *fork_then(void *arg)
{
	int status;

	while (!bells_are_made)
		hub_futex_wait(&bells_are_made, 0, HUB_FOREVER);
	const pid_t pid = fork();

	if (pid == 0)
		_exit(sockets_open());
	has_forked = 1;
	hub_futex_wake(&has_forked, 1);
	waitpid(pid, &status, 0);
	*(int *)arg = WEXITSTATUS(status);
	return NULL;
}

TEST(a_fork_while_a_doorbell_is_being_made_does_not_keep_the_hosts_end)
{
	hub_faults.step = between;
	struct shmhub *hub = hub_live_create(NULL);
	const int before = sockets_open();
	pthread_t thread;
	int in_child = -1;

	T_EQ(pthread_create(&thread, NULL, fork_then, &in_child), 0);
	const unsigned peer = hub_live_spawn(hub, "echo", hub_live_echo, NULL);

	pthread_join(thread, NULL);
	T_OK(in_child <= before + 1); /* the peer's end may be there: it keeps nobody from dying */
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, NULL, 0, 10000, NULL), 0);
	hub_live_destroy(hub);
}

/* ---- where both ends may run -------------------------------------------------------------------- */

static void pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	T_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

static int pinned_echo(const struct shmhub_peer_config *config, void *cpu)
{
	pin((unsigned)(uintptr_t)cpu);
	return hub_live_echo(config, NULL);
}

static bool spins(void *hub)
{
	return hub_get32(&((struct shmhub *)hub)->spin_ns) > 0;
}

TEST(a_host_on_one_processor_spins_for_a_peer_on_another_and_not_for_one_on_its_own)
{
	cpu_set_t all;
	unsigned cpu[2], n = 0;

	T_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
	for (unsigned i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, &all))
			cpu[n++] = i;
	if (n < 2)
		t_skip("one processor only");
	pin(cpu[0]);
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned own = hub_live_spawn(hub, "own", pinned_echo, (void *)(uintptr_t)cpu[0]);

	T_EQ(shmhub_call(hub, own, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	hub_live_until_state(hub, own, SHMHUB_PEER_LIVE, 1);
	T_OK(!spins(hub));
	hub_live_spawn(hub, "other", pinned_echo, (void *)(uintptr_t)cpu[1]);
	hub_live_until(spins, hub, "the host spins");
	hub_live_destroy(hub);
	sched_setaffinity(0, sizeof(all), &all);
}
