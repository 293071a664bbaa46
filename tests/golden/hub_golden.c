/*
 * hub_golden - makes the hub that tests/golden/ keeps one of per layout version.
 *
 *	hub_golden FILE
 *
 * One host and two peers get into a state that says something, are stopped, and killed while they
 * are stopped, so that nobody tidies up: what stands in the file is always the same but for
 * times, pids and random ids. tests/tool/hub_golden.sh says what that is, and holds it against
 * the kept files and against one that was just made. A new layout version gets its file by
 *
 *	hub_golden layout-N.hub && gzip -9n layout-N.hub
 */
#include <errno.h>
#include <poll.h>
#include <shmhub.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ECHO = 1, STUCK = 2, NOTE = 3 };
enum { LARGE = 5000 }; /* in a slot of 64K */

static void must(int result, const char *what)
{
	if (result == 0)
		return;
	fprintf(stderr, "hub_golden: %s: %s\n", what, strerror(-result));
	exit(1);
}

static void echo(struct shmhub_request *request, void *arg)
{
	(void)arg;
	shmhub_reply(request, 0, shmhub_request_data(request), shmhub_request_len(request));
}

/* Says that it is here, and stays. */
static void stuck(struct shmhub_request *request, void *arg)
{
	(void)request;
	if (write(*(int *)arg, "s", 1) == 1)
		for (;;)
			pause();
}

static int peer(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *self;
	struct shmhub_error error;

	if (shmhub_peer_attach(config, &self, &error))
		return 1;
	shmhub_peer_handle(self, ECHO, "echo", echo, NULL);
	shmhub_peer_handle(self, STUCK, "stuck", stuck, arg);
	return shmhub_peer_run(self) ? 1 : 0;
}

static unsigned start(struct shmhub *hub, const char *name, int *ready)
{
	const struct shmhub_spawn spawn = { .size = sizeof(spawn), .name = name, .child = peer,
					    .arg = ready, .die_with_host = 1 };
	unsigned id;

	must(shmhub_spawn(hub, &spawn, &id, NULL), "spawn");
	must(shmhub_call(hub, id, ECHO, "hello", 5, 10000, NULL), "first call");
	return id;
}

/* Asleep: its loop has nothing to do any more. */
static void until_asleep(pid_t pid)
{
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (int i = 0; i < 10000; i++) {
		FILE *f = fopen(path, "r");
		const char *p = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
		const bool sleeps = p && p[2] == 'S';

		if (f)
			fclose(f);
		if (sleeps && i)
			return;
		poll(NULL, 0, 1);
	}
	must(-ETIMEDOUT, "a peer that sleeps");
}

static void host(const char *path, int stuck_in, int *stuck_out, int ready)
{
	struct shmhub_config config;
	struct shmhub_error error;
	struct shmhub_peer_info a = { .size = sizeof(a) }, b = { .size = sizeof(b) };
	struct shmhub_buf kept;
	struct shmhub *hub;
	char large[LARGE] = { 0 };
	uint64_t call;

	shmhub_config_init(&config);
	config.path = path;
	config.peers_max = 3;
	config.ring_cells = 16;
	config.calls_max = 16;
	config.class_count = 2;
	config.classes[0] = (struct shmhub_class){ 1024, 4, 8 };
	config.classes[1] = (struct shmhub_class){ 65536, 2, 4 };
	if (shmhub_create(&config, &hub, &error)) {
		fprintf(stderr, "hub_golden: %s\n", error.text);
		exit(1);
	}
	const unsigned alpha = start(hub, "alpha", stuck_out), beta = start(hub, "beta", stuck_out);

	shmhub_method_name(hub, ECHO, "echo");
	shmhub_method_name(hub, STUCK, "stuck");
	for (int i = 0; i < 10; i++) /* over the end of its ring */
		must(shmhub_call(hub, alpha, ECHO, large, 100, 10000, NULL), "call");
	for (int i = 0; i < 3; i++)
		must(shmhub_call(hub, alpha, ECHO, large, LARGE, 10000, NULL), "large call");
	must(shmhub_call_start(hub, beta, STUCK, "x", 1, -1, 0, &call), "start");
	if (read(stuck_in, &call, 1) != 1)
		exit(1);
	/* taken by nobody any more: one in the ring, one in a slot */
	must(shmhub_notify(hub, beta, NOTE, "small", 5, 0, SHMHUB_NOWAIT), "notify");
	must(shmhub_notify(hub, beta, NOTE, large, LARGE, 0, SHMHUB_NOWAIT), "notify");
	/* waits, should alpha not have given back the slot of its last request yet */
	must(shmhub_reserve(hub, alpha, LARGE, 10000, &kept), "reserve");
	must(shmhub_peer_get(hub, alpha, &a) || shmhub_peer_get(hub, beta, &b) ? -ENOENT : 0, "peers");
	until_asleep(a.pid);
	if (write(ready, (pid_t[2]){ a.pid, b.pid }, 2 * sizeof(pid_t)) != 2 * sizeof(pid_t))
		exit(1);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	int ready[2], stuck_pipe[2], status;
	pid_t pid[3];

	if (argc != 2)
		return fprintf(stderr, "usage: hub_golden FILE\n"), 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe(ready) || pipe(stuck_pipe))
		return 1;
	pid[0] = fork();
	if (pid[0] == 0)
		host(argv[1], stuck_pipe[0], &stuck_pipe[1], ready[1]);
	close(ready[1]);
	if (pid[0] < 0)
		return 1;
	/* only ever a process of ours: 0 and -1 would mean many */
	if (read(ready[0], pid + 1, 2 * sizeof(pid_t)) != 2 * sizeof(pid_t) || pid[1] <= 1 || pid[2] <= 1) {
		kill(pid[0], SIGKILL);
		return 1;
	}
	/* from here on nobody moves: the host must not see its peers die, nor they it */
	kill(pid[0], SIGSTOP);
	while (waitpid(pid[0], &status, WUNTRACED) == pid[0] && !WIFSTOPPED(status))
		;
	for (int i = 1; i < 3; i++)
		kill(pid[i], SIGSTOP);
	for (int i = 0; i < 3; i++)
		kill(pid[i], SIGKILL);
	while (waitpid(-1, &status, 0) > 0 || errno == EINTR)
		;
	return 0;
}
