/*
 * Hosts that start at once under one name: exactly one becomes the host, also when a dead hub lies
 * there, and whenever others are killed while they try.
 */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { CONTENDERS = 6, ROUNDS = 8 };

static char path[PATH_MAX];

/* Entries of the hub's directory that belong to it: itself, temporaries, the lock. */
static unsigned files(void)
{
	char dir[PATH_MAX];
	const char *name = strrchr(path, '/') + 1;
	unsigned n = 0;

	snprintf(dir, sizeof(dir), "%.*s", (int)(name - 1 - path), path);
	DIR *d = opendir(dir);

	for (struct dirent *e; d && (e = readdir(d));)
		n += strstr(e->d_name, name) != NULL;
	closedir(d);
	return n;
}

static void contend(int start, int won)
{
	struct shmhub_config c;
	struct shmhub_error error;
	struct shmhub *hub;
	char go;

	shmhub_config_init(&c);
	c.path = path;
	c.peers_max = 2;
	(void)!read(start, &go, 1);
	const int r = shmhub_create(&c, &hub, &error);

	if (!r) {
		const pid_t me = getpid();

		(void)!write(won, &me, sizeof(me));
		for (;;)
			pause();
	}
	if (r != -EBUSY)
		fprintf(stderr, "    %s\n", error.text);
	_exit(r == -EBUSY ? 0 : 1);
}

struct race {
	pid_t pid[CONTENDERS];
	int won; /* the winner's pid comes here; ends when nobody can win any more */
};

static void begin(struct race *race)
{
	int start[2], won[2];

	T_EQ(pipe(start), 0);
	T_EQ(pipe(won), 0);
	for (int i = 0; i < CONTENDERS; i++) {
		race->pid[i] = fork();
		if (race->pid[i] == 0) {
			close(start[1]);
			close(won[0]);
			contend(start[0], won[1]);
		}
	}
	close(start[0]);
	close(won[1]);
	close(start[1]); /* all at once */
	race->won = won[0];
}

/* Kills all that are left and checks how the others ended. Returns how many were killed. */
static unsigned end(struct race *race)
{
	unsigned killed = 0;
	int status;

	for (int i = 0; i < CONTENDERS; i++)
		kill(race->pid[i], SIGKILL);
	for (int i = 0; i < CONTENDERS; i++) {
		T_EQ(waitpid(race->pid[i], &status, 0), race->pid[i]);
		if (WIFSIGNALED(status))
			killed++;
		else
			T_EQ(WEXITSTATUS(status), 0);
	}
	close(race->won);
	return killed;
}

static void next_host_works(void)
{
	struct shmhub_config c;

	shmhub_config_init(&c);
	c.path = path;
	struct shmhub *hub = hub_live_create(&c);

	T_EQ(hub_live_spawn(hub, "next", hub_live_echo, NULL), 1);
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	T_EQ(files(), 1);
	hub_live_destroy(hub);
	T_EQ(files(), 0);
}

TEST(of_hosts_that_start_at_once_one_wins_whether_or_not_a_dead_hub_lies_there)
{
	snprintf(path, sizeof(path), "%s", hub_live_path());
	for (unsigned i = 0; i < ROUNDS * t_length(); i++) {
		struct race race;
		pid_t winner;

		begin(&race);
		T_EQ(read(race.won, &winner, sizeof(winner)), sizeof(winner));
		/* the others end by themselves, and none of them as a host */
		for (int k = 0; k < CONTENDERS; k++) {
			siginfo_t info;

			if (race.pid[k] != winner)
				T_EQ(waitid(P_PID, (id_t)race.pid[k], &info, WEXITED | WNOWAIT), 0);
		}
		T_EQ(kill(winner, 0), 0);
		T_EQ(files(), 1);
		T_EQ(end(&race), 1);
		/* a dead hub lies there now; every third time nothing does */
		if (i % 3 == 2)
			unlink(path);
	}
	next_host_works();
}

TEST(hosts_killed_while_they_start_leave_nothing_that_stops_the_next)
{
	uint64_t rng = t_seed() | 1;
	unsigned killed = 0;

	snprintf(path, sizeof(path), "%s", hub_live_path());
	for (unsigned i = 0; i < 4 * ROUNDS * t_length(); i++) {
		struct race race;

		begin(&race);
		usleep(1u << t_random(&rng) % 19);
		killed += end(&race);
		if (i % 8 == 0)
			next_host_works();
	}
	printf("    %u of %u were killed while they started, or as host\n", killed,
	       4 * ROUNDS * t_length() * CONTENDERS);
	next_host_works();
}
