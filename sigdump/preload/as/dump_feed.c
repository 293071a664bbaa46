#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/as/as_fmt.h"
#include "lib/as/as_io.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump_feed.h"
#include "sigdump/preload/as/dump_state.h"

/* Makes `path` and the directories above it that are missing. */
static int make_directories(char *path)
{
	int err = 0;

	for (char *slash = path + 1; *slash; slash++) {
		if (*slash != '/')
			continue;
		*slash = '\0';
		as_sys_mkdirat(AT_FDCWD, path, 0700); /* what fails here fails below */
		*slash = '/';
	}
	err = as_sys_mkdirat(AT_FDCWD, path, 0700);
	return err == -EEXIST ? 0 : err;
}

/* The directory, made if it is missing; its fd, or a negative errno. */
static int open_directory(char *path, int extra_flags)
{
	struct stat st;
	int fd = as_sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | extra_flags, 0);

	if (fd == -ENOENT) {
		const int err = make_directories(path);
		if (err)
			return err;
		fd = as_sys_openat(AT_FDCWD, path,
				   O_RDONLY | O_DIRECTORY | O_CLOEXEC | extra_flags, 0);
	}
	if (fd < 0)
		return fd;
	if (as_sys_fstat(fd, &st) < 0 ||
	    (st.st_uid != as_sys_geteuid() && st.st_uid != 0)) {
		as_sys_close(fd);
		return -EPERM;
	}
	return fd;
}

/* COMM-PID-RANDOM.ndjson */
static void append_name(struct as_fmt *path)
{
	char random[AS_FMT_HEX], comm[AS_CONTROL_TEXT];
	const char *name = dump_state.name;

	if (!*name) {
		as_io_read_file(AT_FDCWD, "/proc/self/comm", comm, sizeof(comm));
		name = comm;
	}
	for (const char *c = name; *c && *c != '\n'; c++)
		as_fmt_char(path, *c == '/' || (unsigned char)*c <= ' ' ? '_' : *c);
	as_fmt_char(path, '-');
	as_fmt_u64(path, (uint64_t)dump_state.pid);
	as_fmt_char(path, '-');
	as_fmt_digits_hex(random, dump_state_random() & 0xffffffff);
	as_fmt_str(path, random + 2); /* without its 0x */
	as_fmt_str(path, ".ndjson");
}

static int create_in(int dir, struct dump_feed *feed, struct as_fmt *path)
{
	as_fmt_char(path, '/');
	const size_t name_at = path->len;
	append_name(path);
	if (path->cut)
		return -ENAMETOOLONG;
	const int fd = as_sys_openat(dir, path->buf + name_at,
				     O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				     0600);
	if (fd < 0)
		return fd;
	feed->fd = fd;
	feed->named = true;
	return 0;
}

/* In the directory that is wanted. */
static int create_wanted(struct dump_feed *feed)
{
	struct as_fmt path;

	as_fmt_init(&path, feed->path, sizeof(feed->path));
	as_fmt_str(&path, dump_state.dir);
	const int dir = open_directory(feed->path, 0);
	if (dir < 0)
		return dir;
	const int err = create_in(dir, feed, &path);
	as_sys_close(dir);
	return err;
}

/* In /tmp/shmscope-UID/feeds: /tmp is everybody's, so neither step may be a link. */
static int create_fallback(struct dump_feed *feed)
{
	struct as_fmt path;

	as_fmt_init(&path, feed->path, sizeof(feed->path));
	as_fmt_str(&path, "/tmp/shmscope-");
	as_fmt_u64(&path, as_sys_geteuid());
	const int outer = open_directory(feed->path, O_NOFOLLOW);
	if (outer < 0)
		return outer;
	as_sys_close(outer);
	as_fmt_str(&path, "/feeds");
	const int dir = open_directory(feed->path, O_NOFOLLOW);
	if (dir < 0)
		return dir;
	const int err = create_in(dir, feed, &path);
	as_sys_close(dir);
	return err;
}

static int create(struct dump_feed *feed)
{
	const int err = dump_state.dir[0] ? create_wanted(feed) : -ENOENT;

	return err && !dump_state.dir_given ? create_fallback(feed) : err;
}

/* NAME becomes NAME.1, and a new file gets the name. */
static int rotate(struct dump_feed *feed)
{
	char old[DUMP_FEED_PATH + 4];
	struct as_fmt f;

	as_fmt_init(&f, old, sizeof(old));
	as_fmt_str(&f, feed->path);
	as_fmt_str(&f, ".1");
	const int err = as_sys_renameat2(AT_FDCWD, feed->path, AT_FDCWD, old, 0);
	if (err)
		return err;
	const int fd = as_sys_openat(AT_FDCWD, feed->path,
				     O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				     0600);
	if (fd < 0)
		return fd;
	as_sys_close(feed->fd);
	feed->fd = fd;
	feed->segment++;
	return 0;
}

/* Opens the file that was made earlier. When that fails, a new one is made. */
static void reopen(struct dump_feed *feed)
{
	const int fd = as_sys_openat(AT_FDCWD, feed->path,
				     O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0);

	feed->fd = fd < 0 ? -1 : fd;
}

int dump_feed_open(struct dump_feed *feed, bool *is_new)
{
	struct stat st;

	*is_new = false;
	if (feed->fd < 0 && feed->named)
		reopen(feed);
	/* a file that somebody removed: whatever is written there is lost with it */
	if (feed->fd >= 0 && (as_sys_fstat(feed->fd, &st) < 0 || st.st_nlink == 0))
		dump_feed_close(feed);
	if (feed->fd < 0) {
		*is_new = true;
		feed->segment = 0;
		feed->bytes = 0;
		return create(feed);
	}
	feed->bytes = (uint64_t)st.st_size;
	if (feed->bytes >= DUMP_FEED_MAX && !rotate(feed)) {
		*is_new = true;
		feed->bytes = 0;
	}
	return 0;
}

void dump_feed_close(struct dump_feed *feed)
{
	if (feed->fd >= 0)
		as_sys_close(feed->fd);
	feed->fd = -1;
}

void dump_feed_forget(struct dump_feed *feed)
{
	feed->fd = -1;
	feed->named = false;
	feed->segment = 0;
}
