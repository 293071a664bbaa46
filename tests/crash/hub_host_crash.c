/*
 * The host is killed at every labelled step, with calls in ring and slot on their way. Its peers
 * see that and end; the file is proven dead and replaced; the next host works.
 */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/hub/hub_fault.h"

static const char *die_label;
static _Atomic int die_times;

static void die_there(const char *label)
{
	if (die_label && strcmp(label, die_label) == 0 && --die_times == 0)
		kill(getpid(), SIGKILL);
}

static struct shmhub_config config_at(const char *path)
{
	struct shmhub_config c;

	shmhub_config_init(&c);
	c.path = path;
	c.peers_max = 2;
	c.class_count = 2;
	c.classes[0] = (struct shmhub_class){ 1024, 2, 16 };
	c.classes[1] = (struct shmhub_class){ 65536, 1, 8 };
	return c;
}

/* Peers must not die at the host's step: the fork has inherited the hook. */
static int peer_child(const struct shmhub_peer_config *config, void *arg)
{
	hub_faults.step = NULL;
	return hub_live_echo(config, arg);
}

static void *call_both(void *arg)
{
	uint8_t data[20000] = { 0 };

	for (int i = 0; i < 50; i++)
		for (unsigned peer = 1; peer <= 2; peer++)
			if (shmhub_call(arg, peer, LIVE_ECHO, data, (size_t)(i % 3) * 10000, 5000, NULL))
				_exit(2);
	return NULL;
}

/* Answers are left unread until the peer finds no slot for the one that is waited for. */
static void wait_for_the_last_first(struct shmhub *hub)
{
	static const uint8_t data[20000];
	struct shmhub_msg reply;
	uint64_t call[6];

	for (int i = 0; i < 6; i++)
		if (shmhub_call_start(hub, 1, LIVE_ECHO, data, sizeof(data), 10000, 0, &call[i]))
			_exit(4);
	for (int i = 5; i >= 0; i--) {
		if (shmhub_wait(hub, call[i], -1, 0, &reply))
			_exit(5);
		shmhub_msg_release(&reply);
	}
}

static void be_host(const char *path)
{
	struct shmhub_config c = config_at(path);
	struct shmhub *hub = hub_live_create(&c);
	pthread_t thread[3];

	hub_faults.step = die_there;
	hub_live_spawn(hub, "a", peer_child, NULL);
	hub_live_spawn(hub, "b", peer_child, NULL);
	struct shmhub_buf buf[2]; /* the class has one slot: it must grow */

	for (int i = 0; i < 2; i++)
		if (shmhub_reserve(hub, 1, 20000, 10000, &buf[i]))
			_exit(3);
	for (int i = 0; i < 2; i++)
		shmhub_buf_release(&buf[i]);
	wait_for_the_last_first(hub);
	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, call_both, hub);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	shmhub_kill(hub, 1);
	sleep(10); /* burying comes at once, punching after two passes */
	_exit(0); /* the step was not reached */
}

static void next_host_works(const char *path)
{
	struct shmhub_config c = config_at(path);
	struct shmhub *hub = hub_live_create(&c);

	T_EQ(hub_live_spawn(hub, "next", hub_live_echo, NULL), 1);
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	hub_live_destroy(hub);
}

static bool everybody_is_gone(void *arg)
{
	(void)arg;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return errno == ECHILD && waitpid(-1, NULL, WNOHANG) < 0;
}

static void crash_at(const char *label, int times)
{
	char path[PATH_MAX];
	int status;

	snprintf(path, sizeof(path), "%s", hub_live_path());
	die_label = label;
	die_times = times;
	const pid_t host = fork();

	if (host == 0)
		be_host(path);
	T_EQ(waitpid(host, &status, 0), host);
	if (!WIFSIGNALED(status))
		T_FAIL("%s (time %d) was not reached: status %x", label, times, status);
	hub_live_until(everybody_is_gone, NULL, "the peers have ended");
	die_label = NULL;
	next_host_works(path);
}

TEST(a_host_killed_at_any_step_leaves_no_peer_and_no_obstacle)
{
	static const struct {
		const char *label;
		int times;
	} at[] = {
		{ "life.birth.bells", 1 },     { "life.birth.bells", 2 },
		{ "life.birth.before", 1 },    { "life.birth.before", 2 },
		{ "call.start.noted", 1 },     { "call.start.noted", 20 },
		{ "ring.publish.before", 9 },  { "ring.publish.after", 9 },
		{ "ring.next.before_tail", 9 }, { "ring.next.after_tail", 9 },
		{ "slot.claim.before", 5 },    { "slot.claim.after", 5 },
		{ "slot.back.unmarked", 2 },   { "slot.grow.backed", 1 },
		{ "slot.send.before", 5 },     { "slot.send.after", 5 },
		{ "slot.take.before", 5 },     { "slot.take.after", 5 },
		{ "slot.free.before", 5 },     { "slot.free.after", 5 },
		{ "bell.wake.exchanged", 1 },  { "bell.announced", 9 },
		{ "role.leave.announced", 9 }, { "life.bury.dead", 1 },
		{ "slot.punch.taken", 1 },     { "slot.punch.unmarked", 1 },
		{ "spill.begun", 1 },
	};

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		crash_at(at[i].label, at[i].times);
}
