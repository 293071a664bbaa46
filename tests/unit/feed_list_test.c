#include "lib/feed/feed_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/t.h"

static char dir[256];

static void touch(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	T_OK(fd >= 0);
	close(fd);
}

TEST(a_directory_is_listed_as_feeds_with_their_parts_as_one)
{
	static const char *const names[] = {
		"b-2-cd.ndjson", "b-2-cd.ndjson.1",  "b-2-cd.ndjson.2.zst",     "a-1-ab.ndjson",
		"gone-3-ef.ndjson.2", "notes.txt", ".ndjson", "x.ndjson.bak", "x.ndjson.1.gz",
		"x.ndjson.", "x.ndjson.123", "odd.ndjson-4-aa.ndjson",
	};
	const size_t n = sizeof(names) / sizeof(names[0]);
	struct feed_list list;
	struct err err;

	snprintf(dir, sizeof(dir), "%s/feeds", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	T_EQ(mkdir(dir, 0700), 0);
	for (size_t i = 0; i < n; i++)
		touch(names[i]);
	T_EQ(feed_list_dir(dir, &list, &err), 0);
	T_EQ(list.n, 4);
	T_HAS(list.path[0], "feeds/a-1-ab.ndjson");
	T_HAS(list.path[1], "feeds/b-2-cd.ndjson");
	T_HAS(list.path[2], "feeds/gone-3-ef.ndjson");
	T_STR(list.path[2] + strlen(list.path[2]) - 7, ".ndjson");
	T_HAS(list.path[3], "feeds/odd.ndjson-4-aa.ndjson");
	T_EQ(list.compressed, 1);
	feed_list_fini(&list);
	for (size_t i = 0; i < n; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	T_EQ(feed_list_dir(dir, &list, &err), 0);
	T_EQ(list.n, 0);
	feed_list_fini(&list);
	T_EQ(rmdir(dir), 0);
	T_EQ(feed_list_dir(dir, &list, &err), -ENOENT);
	T_HAS(err.text, "cannot be listed (No such file or directory)");
}
