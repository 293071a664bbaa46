#include "shmtop/save.h"

#include <dirent.h>
#include <unistd.h>

#include "tests/top_build.h"

static void press_w(struct top_test *t)
{
	top_test_keys(t, "w");
	T_OK(t->ui.wants_write);
	save_screen(&t->ui);
	T_OK(!t->ui.wants_write);
}

TEST(a_saved_screen_is_followed_by_the_evidence_of_every_finding)
{
	struct top_test *t = top_test_trouble(24, 80);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	save_write(&t->ui, out);
	fclose(out);
	T_HAS(text, "shmtop  LIVE 13:00:03  1 s   hub demo.hub");
	T_HAS(text, "\n\nFINDINGS  search (peer 3, pid 4003) hangs: ");
	T_HAS(text, "\n!! F1 missed-wakeup   search(3) recv ring   confirmed   since 12:59:51.6 (11 s)\n");
	T_HAS(text, "\n       written: 1041\n");
	T_HAS(text, "\n!! F2 slots-leaked   export(4)   confirmed ");
	T_HAS(text, "\n     next      ");
	free(text);
	top_test_end(t);
}

static unsigned files_in(const char *dir, char *last, size_t room)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	for (struct dirent *e; (e = readdir(d));) {
		if (strncmp(e->d_name, "shmtop-", 7) != 0)
			continue;
		snprintf(last, room, "%s/%s", dir, e->d_name);
		unlink(last);
		n++;
	}
	closedir(d);
	return n;
}

TEST(it_lies_here_under_a_name_of_its_own_and_the_path_is_told)
{
	struct top_test *t = top_test_trouble(24, 80);
	const char *base = getenv("TMPDIR");
	char dir[100], last[400];

	snprintf(dir, sizeof(dir), "%s/save.XXXXXX", base ? base : "/tmp");
	T_OK(mkdtemp(dir) != NULL);
	T_EQ(chdir(dir), 0);
	press_w(t);
	T_HAS(t->ui.message, "written: /");
	T_HAS(t->ui.message, "/shmtop-20");
	press_w(t);
	T_EQ(files_in(dir, last, sizeof(last)), 2);
	T_EQ(chdir("/"), 0);
	T_EQ(rmdir(dir), 0);
	top_test_end(t);
}

TEST(where_nothing_can_be_written_the_home_directory_has_to_do)
{
	struct top_test *t = top_test_trouble(24, 80);

	T_EQ(chdir("/proc/self"), 0);
	setenv("HOME", "/nonexistent", 1);
	press_w(t);
	T_HAS(t->ui.message, "cannot write here, nor in the home directory: ");
	top_test_end(t);
}
