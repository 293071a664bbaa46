#include "tests/t.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/hub/hub_check.h"
#include "lib/hub/hub_fault.h"
#include "lib/hub/hub_file.h"

static char path[PATH_MAX], where[PATH_MAX];
static struct err err;

static struct shmhub_config config(void)
{
	struct shmhub_config c;

	shmhub_config_init(&c);
	snprintf(path, sizeof(path), "%s/f.hub", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	c.path = path;
	c.peers_max = 2;
	return c;
}

static int create(struct hub_map *map)
{
	const struct shmhub_config c = config();

	return hub_file_create(&c, map, where, &err);
}

/* A child that holds a hub, for as long as the returned pipe end is open. */
static pid_t holder(int *hold)
{
	int ready[2], release[2];
	char c;

	config();
	T_EQ(pipe(ready), 0);
	T_EQ(pipe(release), 0);
	const pid_t pid = fork();

	if (pid == 0) {
		struct hub_map map;

		close(release[1]);
		if (create(&map))
			_exit(1);
		(void)!write(ready[1], "r", 1);
		(void)!read(release[0], &c, 1);
		_exit(0); /* as if killed: nothing is removed */
	}
	close(ready[1]);
	close(release[0]);
	T_EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
	*hold = release[1];
	return pid;
}

static void let_go(pid_t pid, int hold)
{
	close(hold);
	T_EQ(waitpid(pid, NULL, 0), pid);
}

static int files_in_tmpdir(void)
{
	char command[PATH_MAX + 64], text[16] = "";

	snprintf(command, sizeof(command), "ls -A %s | wc -l", getenv("TMPDIR"));
	FILE *f = popen(command, "r");

	(void)!fgets(text, sizeof(text), f);
	pclose(f);
	return atoi(text);
}

TEST(a_new_hub_is_private_sparse_and_of_its_final_size)
{
	struct hub_map map;
	struct stat st;

	T_EQ(create(&map), 0);
	T_EQ(stat(path, &st), 0);
	T_EQ(st.st_mode & 0777, 0600);
	T_EQ((uint64_t)st.st_size, map.header.file_bytes);
	T_OK(st.st_blocks * 512 < 1500000);
	T_EQ(fcntl(map.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	T_EQ(hub_file_is_locked(open(path, O_RDWR | O_CLOEXEC)), true);
	hub_file_remove(path, &map);
	T_OK(stat(path, &st) < 0);
	hub_map_close(&map);
}

TEST(a_second_host_is_refused_while_the_first_lives)
{
	struct hub_map map;
	int hold;
	const pid_t pid = holder(&hold);
	char pid_text[32];

	snprintf(pid_text, sizeof(pid_text), "living host (pid %d)", pid);
	T_EQ(create(&map), -EBUSY);
	T_HAS(err.text, pid_text);
	T_EQ(files_in_tmpdir(), 1); /* no temporary, no lock file */
	let_go(pid, hold);
	unlink(path);
}

TEST(a_dead_hosts_file_is_replaced)
{
	struct hub_map map;
	struct stat before, after;
	int hold;
	const pid_t pid = holder(&hold);

	T_EQ(stat(path, &before), 0);
	let_go(pid, hold);
	T_EQ(create(&map), 0);
	T_EQ(stat(path, &after), 0);
	T_OK(before.st_ino != after.st_ino);
	T_EQ(files_in_tmpdir(), 1);
	hub_file_remove(path, &map);
}

TEST(what_is_not_a_hub_is_never_replaced)
{
	struct hub_map map;
	struct stat st;

	config();
	const int fd = open(path, O_CREAT | O_RDWR, 0600);

	T_EQ(create(&map), -EEXIST); /* empty */
	T_EQ(write(fd, "precious data", 13), 13);
	T_EQ(create(&map), -EEXIST);
	T_HAS(err.text, "not a hub; it is not replaced");
	T_EQ(stat(path, &st), 0);
	T_EQ(st.st_size, 13);
	unlink(path);
	T_EQ(symlink("/etc/passwd", path), 0);
	T_EQ(create(&map), -EEXIST);
	unlink(path);
	T_EQ(mkfifo(path, 0600), 0);
	T_EQ(create(&map), -EEXIST);
	T_HAS(err.text, "not a regular file");
	unlink(path);
	T_EQ(mkdir(path, 0700), 0);
	T_OK(create(&map) < 0);
	rmdir(path);
	T_EQ(files_in_tmpdir(), 0);
}

TEST(a_hub_of_another_layout_version_whose_host_is_dead_is_replaced)
{
	struct hub_map map;
	int hold;
	const pid_t pid = holder(&hold);
	const uint32_t version = HUB_FORMAT_VERSION + 1;

	let_go(pid, hold);
	const int fd = open(path, O_RDWR);

	T_EQ(pwrite(fd, &version, 4, offsetof(struct hub_header, version)), 4);
	T_EQ(create(&map), 0);
	hub_file_remove(path, &map);
}

TEST(a_hub_of_an_earlier_boot_is_replaced_unless_somebody_holds_it)
{
	struct hub_map map;
	struct hub_header h;
	int hold;
	const pid_t pid = holder(&hold);
	const int fd = open(path, O_RDWR);

	T_EQ(pread(fd, &h, sizeof(h), 0), sizeof(h));
	h.boot_id[3] ^= 0xff;
	h.crc = hub_check_crc(&h);
	T_EQ(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	T_EQ(create(&map), -EBUSY); /* the lock is the proof, not what the file says */
	let_go(pid, hold);
	T_EQ(hub_file_attach(path, &map, &err), -EAGAIN);
	T_EQ(create(&map), 0);
	hub_file_remove(path, &map);
}

TEST(of_hosts_that_start_at_once_one_wins)
{
	enum { N = 8 };
	pid_t pid[N];
	int start[2], stop[2], won = 0, status;
	char c;

	config();
	T_EQ(pipe(start), 0);
	T_EQ(pipe(stop), 0);
	for (int i = 0; i < N; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			struct hub_map map;

			close(start[1]);
			close(stop[1]);
			(void)!read(start[0], &c, 1);
			const int r = create(&map);

			if (r == 0)
				(void)!read(stop[0], &c, 1);
			if (r && r != -EBUSY)
				fprintf(stderr, "    %s\n", err.text);
			_exit(r == 0 ? 10 : r == -EBUSY ? 0 : 1);
		}
	}
	close(start[1]); /* all at once */
	int left = N - 1;

	while (left > 0) { /* the losers end by themselves */
		const pid_t p = waitpid(-1, &status, 0);

		T_OK(p > 0);
		T_EQ(WEXITSTATUS(status), 0);
		left--;
	}
	close(stop[1]);
	T_OK(waitpid(-1, &status, 0) > 0);
	won = WEXITSTATUS(status) == 10;
	T_EQ(won, 1);
	T_EQ(files_in_tmpdir(), 1);
	unlink(path);
}

static void die_at(const char *label)
{
	static const char *wanted;

	if (!wanted)
		wanted = getenv("DIE_AT");
	if (wanted && strcmp(label, wanted) == 0)
		kill(getpid(), SIGKILL);
}

TEST(a_host_killed_at_any_step_of_creation_leaves_nothing_that_stops_the_next)
{
	static const char *const step[] = { "file.create.made", "file.fill.header",
					    "file.create.filled", "file.create.published",
					    "file.replace.opened", "file.replace.removed" };

	for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		struct hub_map map;
		int status;

		if (strncmp(step[i], "file.replace.", 13) == 0) { /* there must be something dead */
			int hold;
			const pid_t dead = holder(&hold);

			let_go(dead, hold);
		}
		const pid_t pid = fork();

		if (pid == 0) {
			setenv("DIE_AT", step[i], 1);
			hub_faults.step = die_at;
			create(&map);
			_exit(0);
		}
		T_EQ(waitpid(pid, &status, 0), pid);
		if (!WIFSIGNALED(status))
			T_FAIL("step %s was not reached", step[i]);
		if (create(&map))
			T_FAIL("after death at %s: %s", step[i], err.text);
		if (files_in_tmpdir() != 1)
			T_FAIL("after death at %s: %d files", step[i], files_in_tmpdir());
		hub_file_remove(path, &map);
		hub_map_close(&map);
	}
}

TEST(a_hub_of_another_name_is_not_touched_by_the_clean_up)
{
	struct hub_map map;
	struct shmhub_config c = config();
	char other[PATH_MAX + 8];

	snprintf(other, sizeof(other), "%s/.g.hub.new.1.2", getenv("TMPDIR"));
	close(open(other, O_CREAT | O_RDWR, 0600));
	T_EQ(hub_file_create(&c, &map, where, &err), 0);
	T_EQ(access(other, F_OK), 0);
	unlink(other);
	hub_file_remove(path, &map);
}

TEST(under_a_file_size_limit_a_smaller_hub_is_made_without_any_signal)
{
	const struct rlimit limit = { 32 << 20, 32 << 20 };
	struct hub_map map;
	struct stat st;

	T_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	T_EQ(create(&map), 0);
	T_EQ(stat(path, &st), 0);
	T_OK(st.st_size <= 32 << 20);
	/* and beyond it nothing is a signal either */
	T_EQ(hub_file_back(map.fd, (uint64_t)st.st_size, 64 << 20), 0);
	hub_file_remove(path, &map);
}

TEST(attach_waits_for_nothing_and_says_what_is_missing)
{
	struct hub_map map, mine;
	const struct shmhub_config c = config();
	int hold;

	T_EQ(hub_file_attach(path, &map, &err), -ENOENT);
	const pid_t pid = holder(&hold);

	T_EQ(hub_file_attach(path, &map, &err), 0);
	T_EQ(map.header.peers_max, c.peers_max);
	hub_map_close(&map);
	let_go(pid, hold);
	T_EQ(hub_file_attach(path, &map, &err), -EAGAIN);
	T_HAS(err.text, "nobody holds the hub's lock");
	unlink(path);
	T_EQ(create(&mine), 0);
	T_EQ(ftruncate(mine.fd, 8192), 0);
	T_EQ(hub_file_attach(path, &map, &err), -EBADMSG);
	T_HAS(err.text, "truncated");
	unlink(path);
}

TEST(a_memfd_hub_is_sealed_and_found_through_proc)
{
	struct shmhub_config c;
	struct hub_map map, other;

	shmhub_config_init(&c);
	c.memfd = 1;
	T_EQ(hub_file_create(&c, &map, where, &err), 0);
	T_EQ(fcntl(map.fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	T_OK(ftruncate(map.fd, 4096) < 0);
	T_EQ(hub_file_attach(where, &other, &err), 0);
	T_EQ(other.header.id, map.header.id);
}
