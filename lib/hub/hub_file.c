/*
 * States of a path: nothing -> a hub under construction (other name) -> a hub with a living
 * host -> a dead hub (lock can be taken) -> replaced, or removed.
 *
 * Two hosts that start at once: both build under names of their own; renameat2() lets one win.
 * Two hosts that find the same dead hub: both want NAME.lock; the second finds, after the inode
 * re-check under that lock, a living hub. Nobody unlinks a path without holding NAME.lock and
 * the lock of the very file the path names.
 */
#include "lib/hub/hub_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/hub/hub_check.h"
#include "lib/hub/hub_fault.h"
#include "lib/hub/hub_os.h"

/* ---- locks and identity ---------------------------------------------------------------- */

static int try_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

bool hub_file_is_locked(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool hub_file_boot_id(uint8_t id[16])
{
	char text[64];
	CLOSES int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	unsigned digits = 0;

	memset(id, 0, 16);
	for (ssize_t i = 0; i < n && digits < 32; i++) {
		const char c = text[i];
		const int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (v < 0)
			continue;
		id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | v);
		digits++;
	}
	return digits == 32;
}

/* Field 22 of /proc/self/stat: with the pid, a name for this process that is never reused. */
static uint64_t own_start(void)
{
	char text[1024];
	CLOSES int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	const char *p = strrchr(text, ')'); /* comm may hold anything */

	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p, NULL, 10) : 0;
}

static uint32_t own_pid_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? (uint32_t)st.st_ino : 0;
}

static void identify(struct hub_header *h)
{
	h->host_pid = getpid();
	h->host_start = own_start();
	h->pid_ns = own_pid_ns();
	h->uid = geteuid();
	/* the clock of all times in the file: the exact one runs up to a tick ahead of it, and what
	 * happened within that tick would lie before the beginning */
	h->created_ns = hub_coarse_ns();
	h->created_real_ns = hub_clock_ns(CLOCK_REALTIME);
	hub_file_boot_id(h->boot_id);
	if (getrandom(&h->id, sizeof(h->id), GRND_NONBLOCK) != sizeof(h->id))
		h->id = h->created_ns ^ (uint64_t)h->host_pid << 40;
	h->crc = hub_check_crc(h);
}

/* ---- sizing without SIGXFSZ -------------------------------------------------------------- */

static void hold_sigxfsz(sigset_t *was)
{
	sigset_t xfsz;

	sigemptyset(&xfsz);
	sigaddset(&xfsz, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &xfsz, was);
}

static void drop_sigxfsz(const sigset_t *was)
{
	const struct timespec now = { 0, 0 };
	sigset_t xfsz;

	sigemptyset(&xfsz);
	sigaddset(&xfsz, SIGXFSZ);
	if (!sigismember(was, SIGXFSZ))
		while (sigtimedwait(&xfsz, NULL, &now) == SIGXFSZ)
			;
	pthread_sigmask(SIG_SETMASK, was, NULL);
}

int hub_file_back(int fd, uint64_t offset, uint64_t bytes)
{
	sigset_t was;
	int r;

	hold_sigxfsz(&was);
	do /* a signal may interrupt the walk over many pages */
		r = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes) < 0 ? -errno : 0;
	while (r == -EINTR);
	drop_sigxfsz(&was);
	return r == -EFBIG ? -ENOSPC : r;
}

static int set_size(int fd, uint64_t bytes)
{
	sigset_t was;

	hold_sigxfsz(&was);
	const int r = ftruncate(fd, (off_t)bytes) < 0 ? -errno : 0;

	drop_sigxfsz(&was);
	return r;
}

static uint64_t file_size_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return INT64_MAX;
	return limit.rlim_cur;
}

/* ---- filling a new file ------------------------------------------------------------------ */

static int no_room(const char *path, const char *part, int code, struct err *err)
{
	err_set(err, code, "%s: no room for the hub's %s (%s)", path, part, strerror(-code));
	return err_next(err, "`df %.200s`: make room, or a hub with fewer peers and calls, or a path on "
			"another file system", path);
}

static int back_section(int fd, const struct hub_section *s, uint64_t count, const char *path,
			struct err *err)
{
	const int r = hub_file_back(fd, s->offset, s->stride * count);

	return r ? no_room(path, "tables", r, err) : 0;
}

/* Tables that exist from the start; rings are backed when their peer is registered, slot
 * tables as they grow. */
static int back_tables(int fd, const struct hub_layout *l, const char *path, struct err *err)
{
	const struct hub_header *h = &l->header;
	int r = hub_file_back(fd, 0, HUB_PAGE);

	if (r)
		return no_room(path, "header", r, err);
	for (unsigned i = 0; !r && i < h->section_count; i++) {
		const struct hub_section *s = &h->section[i];

		switch (s->kind) {
		case HUB_SECTION_RINGS:
		case HUB_SECTION_PEERCALLS:
		case HUB_SECTION_PAYLOAD:
			break;
		case HUB_SECTION_SLOTS:
			r = back_section(fd, s, l->klass[s->index].first, path, err);
			break;
		default:
			r = back_section(fd, s, s->count, path, err);
		}
	}
	return r;
}

static void fill_classes(struct hub_map *map, const struct hub_layout *l)
{
	for (unsigned i = 0; i < map->class_count; i++) {
		struct hub_class *c = hub_map_class(map, i);

		c->bytes = l->klass[i].bytes;
		c->slots_first = l->klass[i].first;
		c->slots_max = l->klass[i].max;
		c->slots_answers = map->klass[i].answers;
		c->backed_unit = l->klass[i].unit;
		hub_put32(&c->slots, l->klass[i].first);
	}
}

void hub_file_heal(const struct hub_map *map)
{
	if (memcmp(map->base, &map->header, sizeof(map->header)) != 0)
		memcpy(map->base, &map->header, sizeof(map->header));
	for (unsigned i = 0; i < map->class_count; i++) {
		struct hub_class *c = hub_map_class(map, i);

		c->bytes = map->klass[i].bytes;
		c->slots_max = map->klass[i].max;
		c->slots_answers = map->klass[i].answers;
		c->backed_unit = map->klass[i].unit;
	}
}

static int fill(int fd, struct hub_layout *l, const char *path, struct hub_map *map,
		struct err *err)
{
	int r = set_size(fd, l->header.file_bytes);

	if (r)
		return err_set(err, r, "%s: cannot be made %llu bytes long (sparse): %s", path,
			       (unsigned long long)l->header.file_bytes, strerror(-r));
	if ((r = back_tables(fd, l, path, err)))
		return r;
	identify(&l->header);
	if ((r = hub_map_open(path, fd, &l->header, map, err)))
		return r;
	fill_classes(map, l);
	HUB_STEP("file.fill.header");
	memcpy(map->base, &l->header, sizeof(l->header));
	return 0;
}

/* ---- a dead hub in the way ---------------------------------------------------------------- */

static bool same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* The lock file, held; made anew when its holder removed it meanwhile. */
static int hold_lock_file(const char *lock_path, struct err *err)
{
	for (;;) {
		CLOSES int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

		if (fd < 0)
			return err_set(err, -errno, "%s: cannot open the lock file: %m", lock_path);
		if (fcntl(fd, F_OFD_SETLKW, &lock) < 0)
			return err_set(err, -errno, "%s: cannot lock: %m", lock_path);
		if (same_file(fd, lock_path))
			return take_fd(&fd);
	}
}

static int busy(const char *path, const struct hub_header *h, struct err *err)
{
	err_set(err, -EBUSY, "%s: this hub has a living host (pid %d)", path, h->host_pid);
	err_next(err, "choose another name, or end that process; `shmtop %s` shows it", path);
	return -EBUSY;
}

/* What lies at `path` is a hub and nobody holds it: only then may it be removed. */
static int prove_dead(const char *path, int fd, struct err *err)
{
	uint8_t page[HUB_PAGE];
	struct hub_header h = { 0 };
	struct err damage;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, -EEXIST, "%s: there is something that is not a regular file", path);
	const ssize_t n = pread(fd, page, sizeof(page), 0);

	if (n < 0 || hub_check_header(path, page, (size_t)n, (uint64_t)st.st_size, &h, &damage,
				      NULL) == -EBADMSG)
		return err_set(err, -EEXIST, "%s: there is a file that is not a hub; it is not replaced",
			       path);
	return try_lock(fd) ? busy(path, &h, err) : 0;
}

static int remove_dead(const char *path, struct err *err)
{
	char lock_path[PATH_MAX + 8];

	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	CLOSES int lock = hold_lock_file(lock_path, err);

	if (lock < 0)
		return lock;
	int r = 0;
	CLOSES int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	HUB_STEP("file.replace.opened");
	if (fd < 0 && errno != ENOENT)
		r = err_set(err, errno == ELOOP ? -EEXIST : -errno,
			    "%s: there is something that cannot be opened as a hub: %m", path);
	else if (fd >= 0 && !(r = prove_dead(path, fd, err)) && same_file(fd, path))
		unlink(path);
	HUB_STEP("file.replace.removed");
	unlink(lock_path); /* while it is held: a waiter finds that its file is gone */
	return r;
}

/* Files that crashed creators left under temporary names: those whose lock can be taken. */
static void remove_leftovers(const char *dir, const char *prefix)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[PATH_MAX + 256];

		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		CLOSES int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		struct stat st;

		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
		    !try_lock(fd))
			unlink(path);
	}
	if (d)
		closedir(d);
}

/* A lock file whose holder was killed. Who waits for it finds that it is gone, and makes another. */
static void remove_old_lock(const char *path)
{
	char lock_path[PATH_MAX + 8];

	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	CLOSES int fd = open(lock_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && !try_lock(fd) && same_file(fd, lock_path))
		unlink(lock_path);
}

/* ---- create ------------------------------------------------------------------------------- */

static int publish(const char *temporary, const char *path, struct err *err)
{
	for (int tries = 0; tries < 100; tries++) {
		if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return err_set(err, -errno, "%s: cannot publish the hub: %m", path);
		const int r = remove_dead(path, err);

		if (r)
			return r;
	}
	return err_set(err, -EBUSY, "%s: others keep creating this hub", path);
}

static int create_memfd(struct hub_layout *l, const char *name, struct hub_map *map,
			char path[PATH_MAX], struct err *err)
{
	CLOSES int fd = memfd_create(name ? name : "hub", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_set(err, -errno, "memfd: %m");
	snprintf(path, PATH_MAX, "/proc/%d/fd/%d", getpid(), fd);
	int r = try_lock(fd);

	if (r)
		return err_set(err, r, "%s: cannot lock: %s", path, strerror(-r));
	if ((r = fill(fd, l, path, map, err)))
		return r;
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	take_fd(&fd);
	return 0;
}

static int split(const char *path, char dir[PATH_MAX], const char **name, struct err *err)
{
	const char *slash = strrchr(path, '/');

	*name = slash ? slash + 1 : path;
	if (!**name || strlen(path) > PATH_MAX - 64)
		return err_set(err, -EINVAL, "%s: not a path for a hub", path);
	snprintf(dir, PATH_MAX, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	if (!dir[0])
		snprintf(dir, PATH_MAX, "/");
	return 0;
}

static int refuse_place(const char *path, int code, struct err *err)
{
	err_set(err, code, "%s: cannot create a file there (%s)", path, strerror(-code));
	return err_next(err, "a directory that this user may write to (config.path); usual is /dev/shm");
}

/* A new file under a name of its own, locked. Until it is, another creator may take it for a
 * leftover; then again. */
static int make_temporary(const char *path, const char *dir, const char *prefix,
			  char temporary[2 * PATH_MAX + 64], struct err *err)
{
	for (;;) {
		snprintf(temporary, 2 * PATH_MAX + 64, "%s/%s%d.%llx", dir, prefix, getpid(),
			 (unsigned long long)hub_now_ns());
		CLOSES int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return refuse_place(path, -errno, err);
		HUB_STEP("file.create.made");
		const int r = try_lock(fd);

		if (!r && same_file(fd, temporary))
			return take_fd(&fd);
		unlink(temporary);
		if (r && r != -EAGAIN && r != -EACCES)
			return err_set(err, r, "%s: cannot lock: %s", path, strerror(-r));
	}
}

static int create_file(struct hub_layout *l, const char *path, struct hub_map *map,
		       struct err *err)
{
	char dir[PATH_MAX], prefix[PATH_MAX], temporary[2 * PATH_MAX + 64];
	const char *name;
	int r = split(path, dir, &name, err);

	if (r)
		return r;
	snprintf(prefix, sizeof(prefix), ".%s.new.", name);
	remove_leftovers(dir, prefix);
	remove_old_lock(path);
	CLOSES int fd = make_temporary(path, dir, prefix, temporary, err);

	if (fd < 0)
		return fd;
	if (!(r = fill(fd, l, path, map, err))) {
		HUB_STEP("file.create.filled");
		if ((r = publish(temporary, path, err))) {
			map->fd = -1; /* still ours to close */
			hub_map_close(map);
		}
	}
	if (r) {
		unlink(temporary);
		return r;
	}
	HUB_STEP("file.create.published");
	take_fd(&fd);
	return 0;
}

int hub_file_create(const struct shmhub_config *config, struct hub_map *map, char path[PATH_MAX],
		    struct err *err)
{
	struct hub_layout layout;
	const int r = hub_layout_make(config, file_size_limit(), &layout, err);

	if (r)
		return r;
	if (config->memfd)
		return create_memfd(&layout, config->name, map, path, err);
	if (config->path)
		snprintf(path, PATH_MAX, "%s", config->path);
	else if (config->name && config->name[0] && !strchr(config->name, '/'))
		snprintf(path, PATH_MAX, "/dev/shm/%s.hub", config->name);
	else
		return err_set(err, -EINVAL, "config: neither a path nor a name without a slash");
	return create_file(&layout, path, map, err);
}

void hub_file_remove(const char *path, const struct hub_map *map)
{
	if (strncmp(path, "/proc/", 6) != 0 && same_file(map->fd, path))
		unlink(path);
}

/* ---- attach -------------------------------------------------------------------------------- */

int hub_file_attach(const char *path, struct hub_map *map, struct err *err)
{
	const bool is_memfd = strncmp(path, "/proc/", 6) == 0; /* a link by its nature */
	CLOSES int fd = open(path, O_RDWR | O_CLOEXEC | (is_memfd ? 0 : O_NOFOLLOW) | O_NONBLOCK);
	uint8_t page[HUB_PAGE], boot[16];
	struct hub_header header;
	struct stat st;
	int r;

	if (fd < 0)
		return err_set(err, -errno, "%s: cannot open the hub: %m", path);
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s: %m", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EBADMSG, "%s: not a hub file (not a regular file)", path);
	if (!hub_file_is_locked(fd))
		return err_set(err, -EAGAIN, "%s: its host is gone (nobody holds the hub's lock)", path);
	const ssize_t n = pread(fd, page, sizeof(page), 0);

	if (n < 0)
		return err_set(err, -errno, "%s: cannot read: %m", path);
	if ((r = hub_check_header(path, page, (size_t)n, (uint64_t)st.st_size, &header, NULL, err)))
		return r;
	if (hub_file_boot_id(boot) && memcmp(boot, header.boot_id, sizeof(boot)) != 0)
		return err_set(err, -EAGAIN, "%s: a hub of another boot", path);
	if ((r = hub_map_open(path, fd, &header, map, err)))
		return r;
	take_fd(&fd);
	return 0;
}
