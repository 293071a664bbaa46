/* shminspect from the outside: files in, text and status out. */
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/feed_build.h"
#include "tests/hub_build.h"
#include "tests/t.h"
#include "tests/tool_run.h"

static const char *tmp(const char *name)
{
	static char path[4][300];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", name);
	return p;
}

static void stamp(struct hub_build *b)
{
	hub_build_host(b)->last_alive_ns =
		b->header->created_ns + UINT64_C(1000000) * HUB_BUILD_AGE_MS;
}

/* The host is dead; a message has waited for peer 2 for 8 s, with its flag set. */
static void hung_hub(struct hub_build *b)
{
	hub_build_open(b, 3);
	hub_build_put(b, 2, HUB_RECV, 1);
	hub_build_peer(b, 2)->peer_asleep = HUB_ASLEEP_MESSAGE;
	hub_build_peer(b, 2)->peer_asleep_ms = HUB_BUILD_AGE_MS - 20000;
	stamp(b);
}

static void healthy_hub(struct hub_build *b)
{
	hub_build_open(b, 3);
	stamp(b);
}

TEST(a_hung_hub_gives_its_verdict_and_status_1)
{
	struct hub_build b;

	hung_hub(&b);
	struct tool_run t = tool_run("shminspect %s", b.path);

	T_EQ(t.status, 1);
	T_HAS(t.out, "VERDICT  p2 (peer 2, pid ");
	T_HAS(t.out,
	      "hangs: asleep for 8.0 s with 1 message waiting; nobody rang its"); /* then it wraps */
	T_HAS(t.out, "\nINPUT    demo.hub (");
	T_HAS(t.out, "\n!! F1 missed-wakeup  p2(2) recv ring  since ");
	T_HAS(t.out, "dwell     2.0 s, by the ages in the file: one moment, no second look");
	T_HAS(t.out, "\nNOT SEEN  ");
	T_STR(t.err, "");
	tool_end(&t);
	hub_build_close(&b);
}

TEST(a_healthy_hub_has_no_findings_and_status_0)
{
	struct hub_build b;

	healthy_hub(&b);
	struct tool_run t = tool_run("shminspect %s", b.path);

	T_EQ(t.status, 0);
	T_HAS(t.out, "VERDICT  no findings in one look at ");
	T_HAS(t.out, "FINDINGS  none\n");
	tool_end(&t);
	hub_build_close(&b);
}

TEST(json_is_one_object_and_nothing_else)
{
	struct hub_build b;
	json_error_t why;

	hung_hub(&b);
	struct tool_run t = tool_run("shminspect --json %s", b.path);
	json_t *o = json_loads(t.out, JSON_REJECT_DUPLICATES, &why);

	if (!o)
		T_FAIL("%s", why.text);
	T_EQ(t.status, 1);
	T_STR(json_string_value(json_object_get(o, "kind")), "report");
	T_EQ(json_array_size(json_object_get(o, "findings")), 1);
	T_EQ(json_array_size(json_object_get(o, "hubs")), 1);
	json_decref(o);
	tool_end(&t);
	hub_build_close(&b);
}

TEST(fail_on_says_which_findings_give_status_1)
{
	struct hub_build b;

	hung_hub(&b);
	const struct {
		const char *level;
		int status;
	} levels[] = { { "critical", 1 }, { "warning", 1 }, { "info", 1 }, { "never", 0 } };

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		struct tool_run t = tool_run("shminspect --fail-on %s %s", levels[i].level, b.path);

		T_EQ(t.status, levels[i].status);
		tool_end(&t);
	}
	hub_build_close(&b);
}

static bool holds(const char *path, const char *part)
{
	char buf[4096] = "";
	FILE *f = fopen(path, "r");

	if (!f)
		return false;
	const size_t n = fread(buf, 1, sizeof(buf) - 1, f);

	fclose(f);
	buf[n] = '\0';
	return strstr(buf, part) != NULL;
}

TEST(an_output_file_appears_whole_and_is_not_overwritten_without_force)
{
	struct hub_build b;
	const char *path = tmp("report.txt");
	struct stat st;

	hung_hub(&b);
	struct tool_run t = tool_run("umask 022; shminspect --color always -o %s %s", path, b.path);

	T_EQ(t.status, 1);
	T_STR(t.out, "");
	T_OK(holds(path, "VERDICT"));
	T_EQ(stat(path, &st), 0);
	T_EQ(st.st_mode & 0777, 0644);
	tool_end(&t);
	t = tool_run("shminspect -o %s %s", path, b.path);
	T_EQ(t.status, 2);
	tool_end(&t);
	t = tool_run("shminspect --json --force -o %s %s; ls $TMPDIR", path, b.path);
	T_OK(holds(path, "\"kind\": \"report\""));
	T_OK(!strstr(t.out, "report.txt."));
	tool_end(&t);
	unlink(path);
	t = tool_run("shminspect -o %s/nowhere/report.txt %s", tmp("x"), b.path);
	T_EQ(t.status, 3);
	T_HAS(t.err, "nowhere/report.txt: cannot be written (No such file or directory)");
	tool_end(&t);
	hub_build_close(&b);
}

TEST(colour_follows_the_option_then_the_environment_then_the_terminal)
{
	struct hub_build b;

	hung_hub(&b);
	const struct {
		const char *command;
		bool colored;
	} cases[] = {
		{ "shminspect %s", false },
		{ "shminspect --color always %s", true },
		{ "CLICOLOR_FORCE=1 shminspect %s", true },
		{ "CLICOLOR_FORCE=1 NO_COLOR=1 shminspect %s", false },
		{ "NO_COLOR=1 shminspect -C always %s", true },
		{ "CLICOLOR_FORCE=1 shminspect -C never %s", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char command[600];

		snprintf(command, sizeof(command), cases[i].command, b.path);
		struct tool_run t = tool_run("%s", command);

		if ((strstr(t.out, "\033[") != NULL) != cases[i].colored)
			T_FAIL("colour is wrong: %s", command);
		tool_end(&t);
	}
	hub_build_close(&b);
}

TEST(a_closed_pipe_ends_it_quietly)
{
	struct hub_build b;

	hung_hub(&b);
	struct tool_run t = tool_run("shminspect -v %s | head -n 1 >/dev/null", b.path);

	T_OK(!strstr(t.err, "error"));
	tool_end(&t);
	hub_build_close(&b);
}

TEST(a_damaged_hub_is_reported_and_strict_makes_it_an_error)
{
	struct hub_build b;

	healthy_hub(&b);
	hub_build_section(&b, HUB_SECTION_RINGS, 0)->offset = UINT64_C(1) << 40;
	hub_build_seal(&b);
	struct tool_run t = tool_run("shminspect %s", b.path);

	T_EQ(t.status, 1);
	T_HAS(t.out, "hub-corrupted");
	T_HAS(t.err, "shminspect: warning: ");
	T_HAS(t.err, "\n  next: ");
	tool_end(&t);
	t = tool_run("shminspect -q %s", b.path);
	T_STR(t.err, "");
	tool_end(&t);
	t = tool_run("shminspect --strict %s", b.path);
	T_EQ(t.status, 4);
	tool_end(&t);
	hub_build_close(&b);
}

/* ---- feeds ---------------------------------------------------------------------------------- */

/* A dump of two looks in which message 4 of 4..10 waits for search since long. */
static void hung_feed(struct feed_build *b)
{
	feed_build_begin(b, "search", 4112, 77);
	feed_build_dump(b, 1, 0x7b, 20000000);
	for (int look = 1; look <= 2; look++) {
		feed_build_look(b, 1, look, 20000000 + 1000 * (uint64_t)look);
		feed_build_hub(b, 1, look, "peer", 3);
		feed_build_peer(b, 1, look, 3, "search", 4112, 77);
		feed_build_ring(b, 1, look, 3, "recv", 10, 4, 0);
	}
	feed_build_done(b, 1, 20003000);
	feed_build_end(b);
}

TEST(a_feed_and_a_directory_of_feeds_are_read)
{
	struct feed_build b;

	hung_feed(&b);
	struct tool_run t = tool_run("shminspect %s", b.path);

	T_OK(t.status <= 1);
	T_HAS(t.out, "INPUT    1 feed ");
	tool_end(&t);
	t = tool_run("shminspect %s", feed_build_dir());
	T_HAS(t.out, "INPUT    1 feed ");
	tool_end(&t);
	t = tool_run("shminspect --until 2001-01-01T00:00:00Z %s", b.path);
	T_EQ(t.status, 3);
	T_HAS(t.err, "nothing between --since and --until");
	tool_end(&t);
	feed_build_clean();
}

TEST(a_feed_cut_in_the_middle_of_a_line_is_read_up_to_the_cut)
{
	struct feed_build b;
	struct stat st;

	hung_feed(&b);
	T_EQ(stat(b.path, &st), 0);
	T_EQ(truncate(b.path, st.st_size - 7), 0);
	struct tool_run t = tool_run("shminspect %s", b.path);

	T_OK(t.status <= 1);
	T_HAS(t.out, "partial");
	T_HAS(t.out, "feed-gap");
	T_HAS(t.err, "shminspect: warning: ");
	tool_end(&t);
	feed_build_clean();
}
