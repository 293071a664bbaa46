/*
 * No room: a hub in a tmpfs that is too small for what its classes promise, and one under a
 * file size limit. Callers get -ENOSPC, it is counted and reported, nobody gets a signal, and
 * things go on when there is room again. Every test has a mount of its own, which ends with it.
 */
#include "tests/hub_live.h"
#include "tests/t.h"
#include "tests/tool_run.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { PEERS = 3, THREADS = 4, SECONDS = 2, TO_HOST = 90, TALK = 41, KEEP = 42 };

static char dir[PATH_MAX], path[PATH_MAX + 16], ballast_path[PATH_MAX + 16];

/* ---- a small filesystem ------------------------------------------------------------------------ */

static void be_root_here(unsigned uid)
{
	char map[32];
	const int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);

	snprintf(map, sizeof(map), "0 %u 1", uid);
	(void)!write(fd, map, strlen(map));
	close(fd);
}

static void make_small(const char *size)
{
	const unsigned uid = geteuid();
	char options[64];

	snprintf(dir, sizeof(dir), "%s/small", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	snprintf(path, sizeof(path), "%s/a.hub", dir);
	snprintf(ballast_path, sizeof(ballast_path), "%s/ballast", dir);
	snprintf(options, sizeof(options), "size=%s", size);
	if (unshare(uid ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS))
		t_skip("a mount of one's own needs root, or user namespaces: %s", strerror(errno));
	if (uid)
		be_root_here(uid);
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mkdir(dir, 0700);
	if (mount("tmpfs", dir, "tmpfs", 0, options))
		t_skip("mounting a tmpfs: %s", strerror(errno));
}

static void end_small(void)
{
	umount2(dir, MNT_DETACH);
	rmdir(dir);
}

static uint64_t room(void)
{
	struct statvfs v;

	T_EQ(statvfs(dir, &v), 0);
	return (uint64_t)v.f_bfree * v.f_frsize;
}

/* Something else takes all room but `leave` bytes. */
static void ballast(uint64_t leave)
{
	const int fd = open(ballast_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	const uint64_t have = room();

	T_OK(fd >= 0 && have >= leave);
	T_EQ(fallocate(fd, 0, 0, (off_t)(have - leave)), 0);
	close(fd);
}

static struct shmhub_config config_here(void)
{
	struct shmhub_config c;

	shmhub_config_init(&c);
	c.path = path;
	c.peers_max = PEERS;
	return c;
}

/* ---- peers --------------------------------------------------------------------------------------- */

static struct shmhub_peer *me;
static struct shmhub_request *kept[64];
static unsigned keeps;

/* Notifies the host in slots of its own; how that went is the answer's status. */
static void talk(struct shmhub_request *r, void *arg)
{
	const int said = shmhub_peer_notify(me, TO_HOST, shmhub_request_data(r), shmhub_request_len(r), 2000, 0);

	(void)arg;
	shmhub_reply(r, said, NULL, 0);
}

/* Keeps the requests, and so their slots, until one without payload comes. */
static void keep(struct shmhub_request *r, void *arg)
{
	(void)arg;
	if (shmhub_request_len(r) && keeps < 64) {
		kept[keeps++] = r;
		shmhub_request_defer(r);
		return;
	}
	while (keeps)
		shmhub_reply(kept[--keeps], 0, NULL, 0);
	shmhub_reply(r, 0, NULL, 0);
}

static int child(const struct shmhub_peer_config *config, void *arg)
{
	(void)arg;
	me = hub_live_attach(config);
	hub_live_handle(me);
	shmhub_peer_handle(me, TALK, NULL, talk, NULL);
	shmhub_peer_handle(me, KEEP, NULL, keep, NULL);
	return hub_live_run(me);
}

static void count(struct shmhub_request *r, void *arg)
{
	const uint8_t *p = shmhub_request_data(r);

	for (size_t i = 0; i < shmhub_request_len(r); i++)
		if (p[i] != p[0])
			T_FAIL("a notification of %zu bytes is torn", shmhub_request_len(r));
	++*(_Atomic uint64_t *)arg;
}

/* ---- under load ------------------------------------------------------------------------------------ */

struct work {
	struct shmhub *hub;
	uint64_t until_ns;
	unsigned number;
	uint64_t answered, refused;
	char wrong[80];
};

static void judge(struct work *w, int r, const struct shmhub_msg *reply, const uint8_t *data, size_t n)
{
	const int said = r ? r : reply->status;

	if (said == -ENOSPC)
		w->refused++;
	else if (said)
		snprintf(w->wrong, sizeof(w->wrong), "%zu bytes: %s", n, strerror(-said));
	else if (reply->len && (reply->len != n || memcmp(reply->data, data, n) != 0))
		snprintf(w->wrong, sizeof(w->wrong), "%zu bytes: another answer", n);
	else
		w->answered++;
}

static void *keep_calling(void *arg)
{
	static const size_t sizes[] = { 8, 1000, 10000000, 200000, 190, 3000000, 60000, 1000000 };
	struct work *w = arg;
	uint8_t *data = malloc(sizes[2]);

	for (unsigned i = w->number; hub_now_ns() < w->until_ns && !w->wrong[0]; i++) {
		const size_t n = sizes[i % 8];
		struct shmhub_msg reply = { 0 };

		memset(data, (int)(i + w->number * 37), n);
		const int r = shmhub_call(w->hub, 1 + i % PEERS, i % 3 ? LIVE_ECHO : TALK, data, n, 30000,
					  &reply);

		judge(w, r, &reply, data, n);
		shmhub_msg_release(&reply);
	}
	free(data);
	return NULL;
}

static void run_load(struct shmhub *hub, uint64_t *answered, uint64_t *refused)
{
	struct work work[THREADS];
	pthread_t thread[THREADS];

	*answered = *refused = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		work[i] = (struct work){ .hub = hub, .number = i,
					 .until_ns = hub_now_ns() + SECONDS * t_length() * UINT64_C(1000000000) };
		T_EQ(pthread_create(&thread[i], NULL, keep_calling, &work[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		if (work[i].wrong[0])
			T_FAIL("%s", work[i].wrong);
		*answered += work[i].answered;
		*refused += work[i].refused;
	}
}

static void is_reported(const char *file)
{
	struct tool_run t = tool_run("shminspect --json --no-symbols '%s' |"
				     " jq -r '.findings[] | .name + \": \" + .sentence'", file);

	T_HAS(t.out, "slots-exhausted: ");
	T_HAS(t.out, "no space on its filesystem");
	tool_end(&t);
}

static bool large_call_works(void *arg)
{
	static uint8_t data[4000000];

	return shmhub_call(arg, 1, LIVE_ECHO, data, sizeof(data), 2000, NULL) == 0;
}

TEST(the_standard_classes_work_in_a_tmpfs_of_16_mib_as_far_as_there_is_room)
{
	struct shmhub_stats stats = { .size = sizeof(stats) };
	uint64_t answered, refused;
	_Atomic uint64_t notified = 0;

	make_small("16m");
	const struct shmhub_config c = config_here();
	struct shmhub *hub = hub_live_create(&c);

	shmhub_handle(hub, TO_HOST, NULL, count, &notified);
	for (unsigned i = 0; i < PEERS; i++)
		hub_live_spawn(hub, "peer", child, NULL);
	run_load(hub, &answered, &refused);
	shmhub_stats_get(hub, &stats);
	printf("    %lu answered, %lu refused with -ENOSPC, %lu notified, no_space %lu in the file, %lu punched\n",
	       answered, refused, notified, stats.no_space, stats.punched_bytes);
	T_OK(answered > 0 && refused > 0 && notified > 0);
	T_OK(stats.no_space >= refused);
	T_EQ(stats.peers_died, 0); /* nobody got SIGBUS */
	T_EQ(stats.quarantined, 0);
	is_reported(path);
	/* 4 MB either way: there is room for that once the others' pages have gone back */
	hub_live_until(large_call_works, hub, "there is room again");
	hub_live_destroy(hub);
	end_small();
}

TEST(a_filesystem_that_fills_up_and_empties_again_is_followed)
{
	static uint8_t data[1000000];
	struct shmhub_stats stats = { .size = sizeof(stats) };

	make_small("16m");
	const struct shmhub_config c = config_here();
	struct shmhub *hub = hub_live_create(&c);

	hub_live_spawn(hub, "peer", child, NULL);
	ballast(0);
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, data, 190, 5000, NULL), 0); /* the rings need nothing more */
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, data, sizeof(data), 5000, NULL), -ENOSPC);
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, data, 193, 5000, NULL), -ENOSPC);
	is_reported(path);
	unlink(ballast_path);
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, data, sizeof(data), 5000, NULL), 0);
	ballast(0); /* what has pages now goes on, in both directions */
	for (int i = 0; i < 20; i++)
		T_EQ(shmhub_call(hub, 1, LIVE_ECHO, data, sizeof(data), 5000, NULL), 0);
	T_EQ(shmhub_call(hub, 1, TALK, data, sizeof(data), 5000, NULL), 0);
	shmhub_stats_get(hub, &stats);
	T_OK(stats.no_space >= 2);
	unlink(ballast_path);
	hub_live_destroy(hub);
	end_small();
}

/* The answer needs a larger slot than the request. */
TEST(an_answer_without_room_is_a_status_and_not_a_death)
{
	struct shmhub_msg reply;
	uint32_t bytes = 3000000;

	make_small("16m");
	const struct shmhub_config c = config_here();
	struct shmhub *hub = hub_live_create(&c);

	hub_live_spawn(hub, "peer", child, NULL);
	ballast(1 << 20);
	T_EQ(shmhub_call(hub, 1, LIVE_MAKE, &bytes, sizeof(bytes), 5000, &reply), 0);
	T_EQ(reply.status, -ENOSPC);
	shmhub_msg_release(&reply);
	unlink(ballast_path);
	T_EQ(shmhub_call(hub, 1, LIVE_MAKE, &bytes, sizeof(bytes), 5000, &reply), 0);
	T_EQ(reply.status, 0);
	T_EQ(reply.len, bytes);
	shmhub_msg_release(&reply);
	hub_live_destroy(hub);
	end_small();
}

static bool all_slots_are_free(void *hub)
{
	return !hub_live_slots_used(hub);
}

TEST(a_class_that_cannot_grow_for_want_of_room_grows_later)
{
	enum { MANY = 200 };
	uint64_t call[MANY];
	struct shmhub_msg reply;
	char data[1000] = { 0 };
	unsigned n = 0;

	make_small("16m");
	struct shmhub_config c = config_here();

	c.class_count = 1;
	c.classes[0] = (struct shmhub_class){ 1024, 64, 512 }; /* a page of its table has 64 */
	struct shmhub *hub = hub_live_create(&c);
	struct hub_class *k = hub_map_class(&hub->map, 0);

	hub_live_spawn(hub, "peer", child, NULL);
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, data, sizeof(data), 5000, NULL), 0);
	hub_live_until(all_slots_are_free, hub, "the peer has given back the request's slot");
	ballast(0);
	/* those that are kept take slots until there are no more */
	while (n < MANY && !shmhub_call_start(hub, 1, KEEP, data, sizeof(data), 30000, SHMHUB_NOWAIT, &call[n]))
		n++;
	T_EQ(n, 64 - k->slots_answers);
	T_EQ(k->slots, 64);
	T_OK(k->no_space > 0);
	unlink(ballast_path);
	while (n < 100 && !shmhub_call_start(hub, 1, KEEP, data, sizeof(data), 30000, SHMHUB_NOWAIT, &call[n]))
		n++;
	T_EQ(n, 100);
	T_OK(k->slots > 64);
	T_EQ(shmhub_call(hub, 1, KEEP, NULL, 0, 5000, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		T_EQ(shmhub_wait(hub, call[i], 10000, 0, &reply), 0);
		shmhub_msg_release(&reply);
	}
	hub_live_destroy(hub);
	end_small();
}

static bool pages_went_back(void *arg)
{
	return room() >= *(uint64_t *)arg;
}

TEST(pages_of_idle_slots_go_back_while_the_filesystem_is_full)
{
	static uint8_t data[3000000];

	make_small("16m");
	const struct shmhub_config c = config_here();
	struct shmhub *hub = hub_live_create(&c);

	hub_live_spawn(hub, "peer", child, NULL);
	const uint64_t before = room();

	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, data, sizeof(data), 5000, NULL), 0);
	T_OK(room() < before - 2000000);
	ballast(0);
	uint64_t want = 2000000;

	hub_live_until(pages_went_back, &want, "the slots' pages are free again");
	unlink(ballast_path);
	hub_live_destroy(hub);
	end_small();
}

/* ---- creation and registration ------------------------------------------------------------------- */

TEST(a_hub_that_does_not_fit_is_refused_in_a_sentence_and_leaves_nothing)
{
	struct shmhub_error error;
	struct shmhub *hub;

	make_small("8m");
	for (uint64_t leave = 0; leave <= 256 << 10; leave += 64 << 10) {
		struct shmhub_config c = config_here();

		ballast(leave);
		c.peers_max = 1024; /* its tables alone are larger than that */
		T_EQ(shmhub_create(&c, &hub, &error), -ENOSPC);
		T_HAS(error.text, path);
		T_HAS(error.text, "no room for the hub's");
		T_HAS(error.next, "make room");
		T_EQ(access(path, F_OK), -1);
		T_EQ(room(), leave); /* no temporary file either */
		unlink(ballast_path);
	}
	end_small();
}

TEST(a_peer_whose_rings_do_not_fit_is_refused_counted_and_can_come_later)
{
	const struct shmhub_spawn s = { .size = sizeof(s), .name = "late", .child = child,
					.die_with_host = 1 };
	struct shmhub_error error;
	struct shmhub_stats stats = { .size = sizeof(stats) };
	unsigned peer;

	make_small("16m");
	struct shmhub_config c = config_here();

	c.ring_cells = 4096; /* 2 x 256 KiB */
	struct shmhub *hub = hub_live_create(&c);

	hub_live_spawn(hub, "early", child, NULL);
	ballast(300 << 10);
	T_EQ(shmhub_spawn(hub, &s, &peer, &error), -ENOSPC);
	T_HAS(error.text, "no room for the rings of peer 2 (late)");
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, "x", 1, 5000, NULL), 0);
	shmhub_stats_get(hub, &stats);
	T_EQ(stats.no_space, 1);
	is_reported(path);
	unlink(ballast_path);
	T_EQ(shmhub_spawn(hub, &s, &peer, &error), 0);
	T_EQ(shmhub_call(hub, peer, LIVE_ECHO, "x", 1, 5000, NULL), 0);
	hub_live_destroy(hub);
	end_small();
}

/* ---- file size limits ------------------------------------------------------------------------------ */

/* SIGXFSZ would end the process: it has no handler here. */
static void traffic_under_limit(const struct shmhub_config *c, uint64_t limit)
{
	const struct rlimit l = { limit, limit };
	_Atomic uint64_t notified = 0;
	static uint8_t data[300000];
	struct shmhub_stats stats = { .size = sizeof(stats) };
	int r = 0;

	T_EQ(setrlimit(RLIMIT_FSIZE, &l), 0);
	struct shmhub *hub = hub_live_create(c);

	shmhub_handle(hub, TO_HOST, NULL, count, &notified);
	hub_live_spawn(hub, "peer", child, NULL);
	T_OK(hub->map.header.file_bytes <= limit);
	for (int i = 0; i < 50; i++) {
		T_EQ(shmhub_call(hub, 1, LIVE_ECHO, data, 8, 5000, NULL), 0);
		T_EQ(shmhub_call(hub, 1, TALK, data, 3000, 5000, NULL), 0);
		r = shmhub_call(hub, 1, LIVE_ECHO, data, sizeof(data), 5000, NULL);
		if (r != 0 && r != -ENOSPC && r != -EMSGSIZE)
			T_FAIL("300000 bytes: %s", strerror(-r));
	}
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, hub, 100 << 20, 5000, NULL), -EMSGSIZE);
	shmhub_stats_get(hub, &stats);
	T_EQ(stats.peers_died, 0);
	hub_live_destroy(hub);
}

TEST(under_a_file_size_limit_a_hub_works_without_a_signal)
{
	struct shmhub_config c;

	shmhub_config_init(&c);
	traffic_under_limit(&c, 4 << 20);
}

TEST(under_a_file_size_limit_a_memfd_hub_works_without_a_signal)
{
	struct shmhub_config c;

	shmhub_config_init(&c);
	c.memfd = 1;
	traffic_under_limit(&c, 4 << 20);
}

static int limited_child(const struct shmhub_peer_config *config, void *arg)
{
	const struct rlimit l = { 1 << 20, 1 << 20 };

	setrlimit(RLIMIT_FSIZE, &l); /* the hub is larger than that */
	return child(config, arg);
}

TEST(a_peer_with_a_smaller_file_size_limit_than_its_host_gets_no_signal)
{
	struct shmhub *hub = hub_live_create(NULL);
	uint32_t bytes = 3000000;
	struct shmhub_msg reply;

	hub_live_spawn(hub, "limited", limited_child, NULL);
	for (int i = 0; i < 3; i++) {
		T_EQ(shmhub_call(hub, 1, LIVE_MAKE, &bytes, sizeof(bytes), 5000, &reply), 0);
		if (reply.status && reply.status != -ENOSPC) /* kernels differ: the size stays */
			T_FAIL("%s", strerror(-reply.status));
		shmhub_msg_release(&reply);
	}
	T_EQ(shmhub_call(hub, 1, LIVE_ECHO, "x", 1, 5000, NULL), 0);
	hub_live_destroy(hub);
}
