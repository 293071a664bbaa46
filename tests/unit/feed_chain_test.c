#include "lib/feed/feed_chain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/feed/feed_get.h"
#include "tests/t.h"

static char path[256];

static char *part(unsigned n)
{
	static char name[2][300];
	static unsigned turn;
	char *text = name[turn++ % 2];

	snprintf(text, sizeof(name[0]), n ? "%s.%u" : "%s", path, n);
	return text;
}

static void put(unsigned n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(unsigned n, const char *fmt, ...)
{
	FILE *f = fopen(part(n), "a");
	va_list ap;

	T_OK(f);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
}

static void put_head(unsigned n, unsigned segment, const char *image)
{
	put(n, "{\"v\":1,\"t\":\"feed\",\"segment\":%u,\"image\":\"%s\"}\n", segment, image);
}

static void put_record(unsigned n, unsigned value)
{
	put(n, "{\"v\":1,\"t\":\"x\",\"n\":%u}\n", value);
}

static void begin(void)
{
	snprintf(path, sizeof(path), "%s/x.ndjson", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	for (unsigned n = 0; n < 6; n++)
		unlink(part(n));
}

static struct feed_chain *opened(void)
{
	struct feed_chain *chain;
	struct err err;

	if (feed_chain_open(path, &chain, &err))
		T_FAIL("%s", err.text);
	return chain;
}

/* What is there now, as text: "[SEGMENT] for a first line, the number of others. */
static const char *read_all(struct feed_chain *chain)
{
	static char text[256];
	json_t *rec;
	int e;

	text[0] = '\0';
	while ((e = feed_chain_next(chain, &rec)) == 1) {
		const size_t len = strlen(text);

		if (feed_is_type(rec, "feed"))
			snprintf(text + len, sizeof(text) - len, "[%d]",
				 (int)feed_u64(rec, "segment", 99));
		else
			snprintf(text + len, sizeof(text) - len, "%d ", (int)feed_u64(rec, "n", 99));
		json_decref(rec);
	}
	T_EQ(e, 0);
	return text;
}

static void rotate(void)
{
	for (unsigned n = 5; n > 0; n--)
		rename(part(n - 1), part(n));
}

TEST(parts_are_read_in_the_order_of_their_segments)
{
	begin();
	put_head(2, 1, "0xa");
	put_record(2, 1);
	put_head(1, 2, "0xa");
	put_record(1, 2);
	put_head(0, 3, "0xa");
	put_record(0, 3);
	struct feed_chain *chain = opened();

	T_STR(read_all(chain), "[1]1 [2]2 [3]3 ");
	T_EQ(feed_chain_missed(chain), 0);
	T_EQ(feed_chain_stats(chain)->used, 6);
	feed_chain_close(chain);
	begin();
}

TEST(rotation_while_reading_loses_no_record)
{
	begin();
	put_head(0, 1, "0xa");
	put_record(0, 1);
	struct feed_chain *chain = opened();

	T_STR(read_all(chain), "[1]1 ");
	put_record(0, 2); /* written after our look, before it is renamed */
	rotate();
	put_head(0, 2, "0xa");
	put_record(0, 3);
	T_STR(read_all(chain), "2 [2]3 ");
	put_record(0, 4);
	rotate();
	put_head(0, 3, "0xa");
	rotate(); /* twice before we look again */
	put_head(0, 4, "0xa");
	put_record(0, 5);
	T_STR(read_all(chain), "4 [3][4]5 ");
	T_EQ(feed_chain_missed(chain), 0);
	feed_chain_close(chain);
	begin();
}

TEST(segments_that_are_gone_are_counted)
{
	begin();
	put_head(0, 1, "0xa");
	struct feed_chain *chain = opened();

	T_STR(read_all(chain), "[1]");
	unlink(part(0));
	put_head(0, 4, "0xa");
	T_STR(read_all(chain), "[4]");
	T_EQ(feed_chain_missed(chain), 2);
	feed_chain_close(chain);
	begin();
}

TEST(a_part_that_is_being_begun_is_waited_for)
{
	begin();
	put_head(0, 1, "0xa");
	struct feed_chain *chain = opened();

	T_STR(read_all(chain), "[1]");
	rotate();
	put(0, "{\"v\":1,\"t\":\"feed\",\"segm");
	T_STR(read_all(chain), "");
	put(0, "ent\":2,\"image\":\"0xa\"}\n");
	T_STR(read_all(chain), "[2]");
	feed_chain_close(chain);
	begin();
}

TEST(a_file_of_another_image_under_the_same_name_is_not_taken_for_a_part)
{
	begin();
	put_head(0, 1, "0xa");
	struct feed_chain *chain = opened();

	T_STR(read_all(chain), "[1]");
	rotate();
	put_head(0, 2, "0xb");
	T_STR(read_all(chain), "");
	feed_chain_close(chain);
	begin();
}

TEST(parts_without_their_newest_file_are_still_a_feed)
{
	begin();
	put_head(2, 1, "0xa");
	put_head(1, 2, "0xa");
	put_record(1, 7);
	struct feed_chain *chain = opened();

	T_STR(read_all(chain), "[1][2]7 ");
	T_STR(read_all(chain), "");
	feed_chain_close(chain);
	begin();
}

TEST(what_was_cut_off_is_told_with_the_part_it_was_in)
{
	struct err err;

	begin();
	put_head(1, 1, "0xa");
	put(1, "{\"v\":1,");
	put_head(0, 2, "0xa");
	struct feed_chain *chain = opened();

	T_STR(read_all(chain), "[1][2]");
	T_OK(feed_chain_problem(chain, &err));
	T_HAS(err.text, "x.ndjson.1: the last line is cut off (7 bytes ignored), 2 used");
	feed_chain_close(chain);
	begin();
}

TEST(what_does_not_begin_like_a_feed_is_none)
{
	struct feed_chain *chain;
	struct err err;

	begin();
	T_EQ(feed_chain_open(path, &chain, &err), -ENOENT);
	put(0, "{\"v\":1,\"t\":\"feed\"}");
	T_EQ(feed_chain_open(path, &chain, &err), -ENODATA);
	begin();
	put_record(0, 1);
	put_head(0, 1, "0xa");
	T_EQ(feed_chain_open(path, &chain, &err), -EBADMSG);
	T_HAS(err.text, "not a feed (its first line does not say so)");
	begin();
	put(0, "junk\n");
	put_head(0, 1, "0xa");
	T_EQ(feed_chain_open(path, &chain, &err), -EBADMSG);
	begin();
}

TEST(of_what_is_not_recent_only_dictionaries_are_handed_out)
{

	begin();
	put_head(1, 1, "0xa");
	put(1, "{\"v\":1,\"t\":\"module\",\"n\":1}\n");
	put_record(1, 2);
	put_head(0, 2, "0xa");
	put_record(0, 3);
	put(0, "{\"v\":1,\"t\":\"stack\",\"n\":4}\n");
	put_record(0, 5);
	put_record(0, 6);
	struct feed_chain *chain = opened();

	feed_chain_recent(chain, 2 * strlen("{\"v\":1,\"t\":\"x\",\"n\":6}\n"));
	T_STR(read_all(chain), "[1]1 [2]4 5 6 ");
	/* nothing is called bad or missing that was only not wanted */
	T_EQ(feed_chain_stats(chain)->used, 8);
	T_EQ(feed_chain_stats(chain)->skipped, 0);
	feed_chain_close(chain);
	/* all of it is recent */
	chain = opened();
	feed_chain_recent(chain, 4096);
	T_STR(read_all(chain), "[1]1 2 [2]3 4 5 6 ");
	feed_chain_close(chain);
	begin();
}

TEST(a_cut_off_last_line_is_no_part_of_what_lies_behind_it)
{
	begin();
	put_head(1, 1, "0xa");
	put(1, "{\"v\":1,\"t\":\"x\",\"n\":2,\"and so on, for longer than what is recent");
	put_head(0, 2, "0xa");
	put_record(0, 3);
	put_record(0, 4);
	struct feed_chain *chain = opened();

	feed_chain_recent(chain, 2 * strlen("{\"v\":1,\"t\":\"x\",\"n\":3}\n"));
	T_STR(read_all(chain), "[1][2]3 4 ");
	feed_chain_close(chain);
	begin();
}
