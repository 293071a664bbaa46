#include "lib/state/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/feed/feed_list.h"
#include "lib/state/source_priv.h"

/* Files: first what the feeds tell, in time; then the hub files. */
struct source_files {
	struct source base;
	struct source_clock clock;
	struct feed_set *feeds;
	uint64_t since_us, until_us; /* CLOCK_REALTIME; 0 open */
	bool has_told;               /* a state was made, returned or not */
};

static void close_files(struct source *src)
{
	struct source_files *f = (struct source_files *)src;

	feed_set_destroy(f->feeds);
	free(f);
}

static bool is_wanted(const struct source_files *f, const struct state *st)
{
	const uint64_t at = st->now_us + (uint64_t)st->real_offset_us;

	return (!f->since_us || at >= f->since_us) && (!f->until_us || at <= f->until_us);
}

/* The next state, wanted or not. */
static int next_of_files(struct source_files *f, struct state *st, struct err *err)
{
	const int r = feed_set_next(f->feeds, st, err);

	if (r || f->has_told || feed_set_is_empty(f->feeds))
		return r;
	return feed_set_nothing(f->feeds, st, err);
}

static int next_file_state(struct source *src, struct state *st, struct err *err)
{
	struct source_files *f = (struct source_files *)src;
	int r;

	while ((r = next_of_files(f, st, err)) == 1) {
		f->has_told = true;
		if (is_wanted(f, st))
			return 1;
		state_fini(st);
	}
	return r;
}

/* ---- what is it? ------------------------------------------------------------------------------ */

static int add_directory(struct source_files *f, const char *path, struct err *err)
{
	struct feed_list list;
	struct err why;
	int e = feed_list_dir(path, &list, err);

	if (e)
		return e;
	if (!list.n) {
		e = err_set(err, -ENOENT, "%s: no feeds in this directory (*.ndjson)", path);
		err_next(err, "feeds are written by `sigdump run` and by programs started with "
			      "libsigdump.so; `sigdump list` says where");
	}
	for (size_t i = 0; !e && i < list.n; i++) {
		e = feed_set_add(f->feeds, list.path[i], &why);
		/* one file that is no feed spoils nobody else's */
		if (e == -EBADMSG || e == -EACCES || e == -ENOENT || e == -EINVAL)
			e = feed_set_note(f->feeds, why.text);
		if (e)
			err_set(err, e, "%s: out of memory", path);
	}
	if (!e && list.compressed) {
		char text[512];

		snprintf(text, sizeof(text), "%.300s: %zu compressed parts (.zst) were not read; unpack them first",
			 path, list.compressed);
		e = feed_set_note(f->feeds, text);
	}
	feed_list_fini(&list);
	return e;
}

static const char *kind_of_file(mode_t mode)
{
	return S_ISFIFO(mode) ? "a fifo" : S_ISSOCK(mode) ? "a socket" : S_ISCHR(mode) ? "a character device"
	     : S_ISBLK(mode) ? "a block device" : "not a file";
}

static int add_file(struct source_files *f, const char *path, struct err *err)
{
	uint8_t first[8];
	CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_set(err, -errno, "%s: cannot be read (%m)", path);
	const ssize_t n = pread(fd, first, sizeof(first), 0);

	if (n < 0)
		return err_set(err, -errno, "%s: cannot be read (%m)", path);
	if (n == 0)
		return err_set(err, -EBADMSG, "%s: the file is empty", path);
	return feed_set_add(f->feeds, path, err);
}

static int add_path(struct source_files *f, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st)) {
		const int e = -errno;

		err_set(err, e, "%s: cannot be read (%m)", path);
		if (e == -ENOENT)
			err_next(err, "`shmtop` without arguments lists the hubs it finds");
		return e;
	}
	if (S_ISDIR(st.st_mode))
		return add_directory(f, path, err);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EBADMSG, "%s: neither a file nor a directory (%s)", path,
			       kind_of_file(st.st_mode));
	return add_file(f, path, err);
}

int source_open_paths(const char *const *paths, const struct source_options *options,
		      struct source **src, struct err *err)
{
	struct source_files *f = calloc(1, sizeof(*f));

	if (f)
		f->feeds = feed_set_create(&f->clock);
	if (!f || !f->feeds) {
		free(f);
		return err_set(err, -ENOMEM, "out of memory");
	}
	f->base.next = next_file_state;
	f->base.close = close_files;
	if (options) {
		f->since_us = options->since_us;
		f->until_us = options->until_us;
	}
	for (; *paths; paths++) {
		const int e = add_path(f, *paths, err);

		if (e) {
			close_files(&f->base);
			return e;
		}
	}
	*src = &f->base;
	return 0;
}

int source_next(struct source *src, struct state *st, struct err *err)
{
	return src->next(src, st, err);
}

void source_close(struct source *src)
{
	if (src)
		src->close(src);
}
