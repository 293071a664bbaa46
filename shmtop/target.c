#include "shmtop/target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"

static bool has_magic(int fd)
{
	char magic[sizeof(HUB_MAGIC) - 1];

	return pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, HUB_MAGIC, sizeof(magic)) == 0;
}

/* The host of a hub holds a lock on it for life: where nobody does, the file is all there is. */
static bool has_host(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* A hub with a host is looked at live. Whatever else a file is, the source will say. */
static bool is_live_hub(const char *path)
{
	struct stat st;
	CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && has_magic(fd) &&
	       has_host(fd);
}

static void add_operand(struct target *t, const char *path)
{
	if (is_live_hub(path)) {
		t->hub[t->hubs++] = path;
		return;
	}
	if (!t->files)
		t->why_replay = path;
	t->file[t->files++] = path;
}

static int check_times(const struct target *t, const struct options *o, struct err *err)
{
	if (!t->session.feeds && (o->since_us || o->until_us))
		return err_set(err, -EINVAL, "--since, --until: only in a replay (the keys [ and T "
					     "go back in what is kept while live)");
	if (o->since_us && o->until_us && o->since_us > o->until_us)
		return err_set(err, -EINVAL, "--since: later than --until");
	return 0;
}

int target_make(struct target *t, const struct options *o, bool is_batch, struct err *err)
{
	*t = (struct target){ .hubs = 0 };
	for (size_t i = 0; i < o->hubs; i++)
		t->hub[t->hubs++] = o->hub[i];
	for (size_t i = 0; i < o->operands; i++) {
		if (o->replay)
			t->file[t->files++] = o->operand[i];
		else
			add_operand(t, o->operand[i]);
	}
	/* a hub beside feeds: both tell of the past */
	for (size_t i = o->hubs; t->files && i < t->hubs && t->files < OPTIONS_TARGETS; i++)
		t->file[t->files++] = t->hub[i];
	t->session = (struct session_options){
		.source = { .hubs = t->hubs ? t->hub : NULL,
			    .pids = o->pids ? o->pid : NULL,
			    .since_us = o->since_us,
			    .until_us = o->until_us,
			    .read_only = o->read_only,
			    .bells = true },
		.judge = { .growth_min_us = o->growth_min_us },
		.feeds = t->files ? t->file : NULL,
		.interval_us = o->interval_ns / 1000,
		.forward_only = is_batch,
	};
	return check_times(t, o, err);
}
