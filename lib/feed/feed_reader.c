#include "lib/feed/feed_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/units.h"
#include "lib/feed/feed_format.h"
#include "lib/feed/feed_get.h"

enum { ROOM_FIRST = 64 << 10 };

struct feed_reader {
	char *path;
	int fd;
	char *buf;
	size_t room;
	size_t begin, end; /* bytes of buf that were read and not yet handed out */
	size_t searched;   /* of these, how many are known to hold no line feed */
	uint64_t taken;    /* bytes of the lines that were handed out or passed over */
	uint64_t skim;     /* up to where only dictionaries are wanted */
	uint64_t dropped;  /* bytes of a line longer than FEED_LINE_MAX that are gone already */
	struct feed_stats stats;
};

int feed_reader_open(const char *path, struct feed_reader **r, struct err *err)
{
	/* O_NONBLOCK: a fifo of that name must not stop us */
	CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return err_set(err, -errno, "%s: cannot be opened (%m)", path);
	if (fstat(fd, &st))
		return err_set(err, -errno, "%s: cannot be looked at (%m)", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s: not a regular file", path);
	struct feed_reader *made = calloc(1, sizeof(*made));

	if (!made)
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	made->fd = take_fd(&fd);
	made->path = strdup(path);
	made->buf = malloc(ROOM_FIRST);
	made->room = ROOM_FIRST;
	if (!made->path || !made->buf) {
		feed_reader_close(made);
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	*r = made;
	return 0;
}

void feed_reader_close(struct feed_reader *r)
{
	if (!r)
		return;
	close(r->fd);
	free(r->path);
	free(r->buf);
	free(r);
}

const struct feed_stats *feed_reader_stats(const struct feed_reader *r)
{
	return &r->stats;
}

const char *feed_reader_path(const struct feed_reader *r)
{
	return r->path;
}

int feed_reader_stat(const struct feed_reader *r, struct stat *st)
{
	return fstat(r->fd, st) ? -errno : 0;
}

/* ---- lines ------------------------------------------------------------------------------- */

static void skip_line(struct feed_reader *r, const char *why, int column)
{
	struct feed_stats *s = &r->stats;

	s->skipped++;
	if (s->bad_line)
		return;
	s->bad_line = s->lines;
	s->bad_column = column;
	snprintf(s->bad_why, sizeof(s->bad_why), "%s", why);
}

/* Room for at least one more byte after what is there. */
static int make_room(struct feed_reader *r)
{
	if (r->begin) {
		memmove(r->buf, r->buf + r->begin, r->end - r->begin);
		r->end -= r->begin;
		r->begin = 0;
	}
	if (r->end < r->room)
		return 0;
	if (r->room >= FEED_LINE_MAX) {
		r->dropped += r->end;
		r->taken += r->end;
		r->end = 0;
		r->searched = 0;
		return 0;
	}
	char *bigger = realloc(r->buf, r->room * 2);

	if (!bigger)
		return -ENOMEM;
	r->buf = bigger;
	r->room *= 2;
	return 0;
}

/* More bytes behind those that are there. 1, 0 at the end of the file, or a negative errno. */
static int read_more(struct feed_reader *r)
{
	const int e = make_room(r);

	if (e)
		return e;
	ssize_t n;

	do
		n = read(r->fd, r->buf + r->end, r->room - r->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->end += (size_t)n;
	if (n == 0)
		r->stats.cut_bytes = r->dropped + r->end - r->begin;
	return n > 0;
}

/* The next whole line, without its line feed. 1, 0 when there is none yet, or -errno. */
static int next_line(struct feed_reader *r, const char **line, size_t *len)
{
	for (;;) {
		char *from = r->buf + r->begin;
		const size_t there = r->end - r->begin;
		const char *feed = memchr(from + r->searched, '\n', there - r->searched);

		if (feed) {
			*line = from;
			*len = (size_t)(feed - from);
			r->begin += *len + 1;
			r->taken += *len + 1;
			r->searched = 0;
			r->stats.lines++;
			r->stats.cut_bytes = 0;
			return 1;
		}
		r->searched = there;
		const int e = read_more(r);

		if (e <= 0)
			return e;
	}
}

static json_t *parse(struct feed_reader *r, const char *line, size_t len)
{
	json_error_t e;
	json_t *rec = json_loadb(line, len, 0, &e);

	if (!rec) {
		skip_line(r, "not JSON", e.column > 0 ? e.column : 1);
		return NULL;
	}
	if (feed_text(rec, "t") && feed_u64(rec, "v", 0) == FEED_VERSION)
		return rec;
	skip_line(r, "not a feed record", 0);
	json_decref(rec);
	return NULL;
}

uint64_t feed_reader_skim(struct feed_reader *r, uint64_t n)
{
	/* a last line that is cut off belongs to this file, too */
	const uint64_t past = r->taken + (r->end - r->begin);
	const uint64_t left = r->skim > past ? r->skim - past : 0;

	r->skim = n;
	return left;
}

/* Within what is skimmed: is this a line that nothing behind it refers to? Ours all begin alike. */
static bool is_skimmed(struct feed_reader *r, const char *line, size_t len)
{
	static const char begin[] = "{\"v\":1,\"t\":\"";
	static const char *const kept[] = { "feed\"", "module\"", "stack\"", "end\"" };
	const size_t n = sizeof(begin) - 1;

	if (r->taken > r->skim || len <= n || memcmp(line, begin, n) != 0)
		return false;
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (len - n >= strlen(kept[i]) && memcmp(line + n, kept[i], strlen(kept[i])) == 0)
			return false;
	r->stats.used++;
	return true;
}

int feed_reader_next(struct feed_reader *r, json_t **rec)
{
	const char *line;
	size_t len;
	int e;

	while ((e = next_line(r, &line, &len)) == 1) {
		if (r->dropped) {
			r->dropped = 0;
			skip_line(r, "longer than any record", 0);
			continue;
		}
		/* a writer that could not finish a line starts the next one with a line feed */
		if (len == 0 || is_skimmed(r, line, len))
			continue;
		json_t *made = parse(r, line, len);

		if (!made)
			continue;
		r->stats.used++;
		*rec = made;
		return 1;
	}
	return e;
}

/* ---- what was not used ------------------------------------------------------------------- */

void feed_stats_add(struct feed_stats *whole, const struct feed_stats *part)
{
	if (!whole->bad_line && part->bad_line) {
		whole->bad_line = part->bad_line;
		whole->bad_column = part->bad_column;
		memcpy(whole->bad_why, part->bad_why, sizeof(whole->bad_why));
	}
	whole->lines += part->lines;
	whole->used += part->used;
	whole->skipped += part->skipped;
	whole->cut_bytes += part->cut_bytes;
}

static void tell_skipped(const struct feed_stats *s, const char *path, struct err *err)
{
	char line[UNITS_TEXT], skipped[UNITS_TEXT], used[UNITS_TEXT], column[32] = "";

	if (s->bad_column)
		snprintf(column, sizeof(column), " (column %d)", s->bad_column);
	err_set(err, -EBADMSG, "%s: line %s: %s%s; %s line%s skipped, %s used", path,
		units_count(line, s->bad_line), s->bad_why, column,
		units_count(skipped, s->skipped), s->skipped == 1 ? "" : "s",
		units_count(used, s->used));
	err_next(err, "nothing, if the process was killed while writing; else report it with this line");
}

bool feed_stats_problem(const struct feed_stats *s, const char *path, struct err *err)
{
	char bytes[UNITS_TEXT], used[UNITS_TEXT];

	if (s->skipped) {
		tell_skipped(s, path, err);
		return true;
	}
	if (!s->cut_bytes)
		return false;
	err_set(err, -EBADMSG, "%s: the last line is cut off (%s bytes ignored), %s used", path,
		units_count(bytes, s->cut_bytes), units_count(used, s->used));
	err_next(err, "nothing: its writer was killed while writing, or has not finished the line yet");
	return true;
}
