#include "lib/proc/proc_cgroup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/t.h"

static char root[256];

static void make_root(void)
{
	const char *dir = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%s/cgroup.XXXXXX", dir ? dir : "/tmp");
	T_OK(mkdtemp(root));
}

static void remove_root(void)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	T_EQ(system(command), 0);
}

static void put_file(const char *group, const char *name, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s", root, group);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s%s/%s", root, group, name);
	FILE *file = fopen(path, "w");
	T_OK(file);
	fputs(text, file);
	fclose(file);
}

TEST(the_lowest_limit_on_the_way_up_counts)
{
	struct proc_cgroup g;

	make_root();
	put_file("/app", "memory.current", "9000\n");
	put_file("/app", "memory.max", "10000\n");
	put_file("/app", "memory.events", "low 0\nhigh 7\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n");
	put_file("/app", "memory.stat", "anon 5\ninactive_anon 6\ninactive_file 4000\n");
	put_file("/app/web", "memory.current", "1500\n");
	put_file("/app/web", "memory.max", "max\n");
	put_file("/app/web", "memory.events", "max 0\noom_kill 1\n");
	T_EQ(proc_cgroup_read(root, "/app/web", 2, &g, NULL), 0);
	T_EQ(g.version, 2);
	T_STR(g.path, "/app/web");
	T_EQ(g.current, 1500);
	T_EQ(g.oom_kills, 1);
	T_EQ(g.limit, 10000);
	T_STR(g.limit_path, "/app");
	T_EQ(g.limit_current, 9000);
	T_EQ(g.limit_cache, 4000);
	T_EQ(g.limit_hits, 3);
	remove_root();
}

TEST(version_1_unlimited_is_no_limit)
{
	struct proc_cgroup g;

	make_root();
	put_file("/app", "memory.usage_in_bytes", "4096\n");
	put_file("/app", "memory.limit_in_bytes", "9223372036854771712\n");
	put_file("/app", "memory.failcnt", "5\n");
	put_file("/app", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
	T_EQ(proc_cgroup_read(root, "/app", 1, &g, NULL), 0);
	T_EQ(g.current, 4096);
	T_EQ(g.limit, 0);
	T_STR(g.limit_path, "");
	T_EQ(g.oom_kills, 4);
	put_file("/app", "memory.limit_in_bytes", "8192\n");
	T_EQ(proc_cgroup_read(root, "/app", 1, &g, NULL), 0);
	T_EQ(g.limit, 8192);
	T_EQ(g.limit_hits, 5);
	remove_root();
}

TEST(a_group_that_is_not_there_is_said_to_be_missing)
{
	struct proc_cgroup g = { .current = 3 };
	struct err err;

	make_root();
	T_EQ(proc_cgroup_read(root, "/nobody", 2, &g, &err), -ENOENT);
	T_HAS(err.text, "/nobody: no memory figures");
	T_EQ(g.current, 3);
	T_EQ(proc_cgroup(0x3fffffff, &g, &err), -ESRCH);
	remove_root();
}

TEST(our_own_group_is_found_where_it_is_mounted)
{
	struct proc_cgroup g;
	struct err err;
	const int code = proc_cgroup(getpid(), &g, &err);

	if (code == -ENOENT)
		t_skip("%s", err.text);
	T_EQ(code, 0);
	T_OK(g.path[0] == '/');
	T_OK(g.current > 0 || strcmp(g.path, "/") == 0);
}
