#include "lib/feed/feed_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/feed/feed_get.h"
#include "tests/t.h"

static char path[256];

static int write_at_end(const char *text, size_t n)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	T_OK(fd >= 0);
	T_EQ(write(fd, text, n), n);
	close(fd);
	return 0;
}

static void begin(const char *text, size_t n)
{
	snprintf(path, sizeof(path), "%s/x.ndjson", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	unlink(path);
	write_at_end(text, n);
}

static struct feed_reader *opened(void)
{
	struct feed_reader *r;
	struct err err;

	if (feed_reader_open(path, &r, &err))
		T_FAIL("%s", err.text);
	return r;
}

/* Reads what is there now; the number in "n" of each record must go up by one. */
static unsigned read_all(struct feed_reader *r, unsigned from)
{
	json_t *rec;
	int e;

	while ((e = feed_reader_next(r, &rec)) == 1) {
		T_EQ(feed_u64(rec, "n", 0), ++from);
		json_decref(rec);
	}
	T_EQ(e, 0);
	return from;
}

static const char three[] = "{\"v\":1,\"t\":\"a\",\"n\":1}\n"
			    "{\"v\":1,\"t\":\"stack\",\"n\":2,\"frames\":[[0,\"0x1f\",\"g\"]],"
			    "\"name\":\"caf\xc3\xa9 \\u00ff\"}\n"
			    "{\"v\":1,\"t\":\"b\",\"n\":3}\n";

TEST(a_feed_cut_at_any_byte_is_read_up_to_the_cut)
{
	for (size_t cut = 0; cut < sizeof(three); cut++) {
		begin(three, cut);
		struct feed_reader *r = opened();
		unsigned whole = 0;
		size_t last = 0;

		for (size_t i = 0; i < cut; i++) {
			if (three[i] == '\n') {
				whole++;
				last = i + 1;
			}
		}
		T_EQ(read_all(r, 0), whole);
		T_EQ(feed_reader_stats(r)->skipped, 0);
		T_EQ(feed_reader_stats(r)->cut_bytes, cut - last);
		struct err err;

		T_EQ(feed_stats_problem(feed_reader_stats(r), path, &err), cut != last);
		if (cut != last)
			T_HAS(err.text, "the last line is cut off");
		feed_reader_close(r);
	}
	unlink(path);
}

TEST(a_growing_feed_is_followed_and_a_half_line_waits_for_its_end)
{
	begin(three, 0);
	struct feed_reader *r = opened();
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(three) - 1; i++) {
		write_at_end(three + i, 1);
		const unsigned before = n;

		n = read_all(r, n);
		T_EQ(n - before, three[i] == '\n');
	}
	T_EQ(n, 3);
	T_EQ(feed_reader_stats(r)->cut_bytes, 0);
	feed_reader_close(r);
	unlink(path);
}

TEST(a_line_that_is_not_json_is_skipped_and_told_with_line_and_column)
{
	const char text[] = "{\"v\":1,\"t\":\"a\",\"n\":1}\n"
			    "{\"v\":1,\"t\":\"a\",{\n"
			    "\n" /* how a writer goes on after a torn line */
			    "{\"v\":1,\"t\":\"a\",\"n\":2}\n";
	struct err err;

	begin(text, sizeof(text) - 1);
	struct feed_reader *r = opened();

	T_EQ(read_all(r, 0), 2);
	T_OK(feed_stats_problem(feed_reader_stats(r), "a.ndjson", &err));
	T_STR(err.text, "a.ndjson: line 2: not JSON (column 16); 1 line skipped, 2 used");
	T_STR(err.next, "nothing, if the process was killed while writing; else report it with this line");
	feed_reader_close(r);
	unlink(path);
}

TEST(json_that_is_no_feed_record_is_skipped)
{
	const char text[] = "[1,2]\n7\n{\"v\":1}\n{\"v\":2,\"t\":\"a\"}\n{\"v\":1,\"t\":5}\n"
			    "{\"v\":1,\"t\":\"a\",\"n\":1}\n{\"v\":1,\"t\":\"a\"} x\n";
	struct err err;

	begin(text, sizeof(text) - 1);
	struct feed_reader *r = opened();

	T_EQ(read_all(r, 0), 1);
	T_EQ(feed_reader_stats(r)->skipped, 6);
	T_OK(feed_stats_problem(feed_reader_stats(r), "a", &err));
	T_HAS(err.text, "6 lines skipped, 1 used");
	feed_reader_close(r);
	unlink(path);
}

TEST(bytes_that_no_json_has_cost_their_line_only)
{
	const char text[] = "{\"v\":1,\"t\":\"a\",\"s\":\"\xff\xfe\"}\n"
			    "\0\0\0\0\0\n"
			    "{\"v\":1,\"t\":\"a\",\"n\":1,\"s\":\"\\u0000\"}\n"
			    "{\"v\":1,\"t\":\"a\",\"n\":99999999999999999999}\n"
			    "{\"v\":1,\"t\":\"a\",\"n\":1}\n";

	begin(text, sizeof(text) - 1);
	struct feed_reader *r = opened();

	T_EQ(read_all(r, 0), 1);
	T_EQ(feed_reader_stats(r)->skipped, 4);
	feed_reader_close(r);
	unlink(path);
}

TEST(a_line_longer_than_any_record_is_dropped_in_bounded_memory)
{
	static char block[1 << 20];
	const size_t blocks = 12;

	static const char again[] = "\n{\"v\":1,\"t\":\"a\",\"n\":2}\n";

	begin(three, (size_t)(strchr(three, '\n') + 1 - three));
	memset(block, 'x', sizeof(block));
	for (size_t i = 0; i < blocks; i++)
		write_at_end(block, sizeof(block));
	struct feed_reader *r = opened();

	T_EQ(read_all(r, 0), 1);
	T_EQ(feed_reader_stats(r)->cut_bytes, blocks * sizeof(block));
	write_at_end(again, sizeof(again) - 1);
	T_EQ(read_all(r, 1), 2);
	T_EQ(feed_reader_stats(r)->skipped, 1);
	T_EQ(feed_reader_stats(r)->bad_line, 2);
	T_STR(feed_reader_stats(r)->bad_why, "longer than any record");
	feed_reader_close(r);
	unlink(path);
}

TEST(a_deep_nest_is_refused_without_running_out_of_stack)
{
	enum { DEEP = 1 << 20 };
	static char text[DEEP + 1];

	memset(text, '[', DEEP);
	text[DEEP] = '\n';
	begin(text, sizeof(text));
	struct feed_reader *r = opened();

	T_EQ(read_all(r, 0), 0);
	T_EQ(feed_reader_stats(r)->skipped, 1);
	feed_reader_close(r);
	unlink(path);
}

TEST(what_is_no_regular_file_is_refused_without_waiting)
{
	struct feed_reader *r;
	struct err err;

	T_EQ(feed_reader_open("/nonexistent/x.ndjson", &r, &err), -ENOENT);
	T_HAS(err.text, "/nonexistent/x.ndjson: cannot be opened (No such file");
	T_EQ(feed_reader_open("/tmp", &r, &err), -EINVAL);
	T_HAS(err.text, "/tmp: not a regular file");
	begin("", 0);
	unlink(path);
	T_EQ(mkfifo(path, 0600), 0);
	T_EQ(feed_reader_open(path, &r, &err), -EINVAL);
	unlink(path);
	feed_reader_close(NULL);
}

