#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "lib/as/as_fmt.h"
#include "lib/as/as_record_hub.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump_hub.h"
#include "sigdump/preload/as/dump_state.h"

/*
 * The file anew, from the table of the thread that registered it: neither its lock nor its life
 * hangs on our descriptor then. Where that is no longer possible, by its path, if that is still
 * the same file.
 */
static int open_hub(const struct dump_hub *hub)
{
	char path[64];
	struct as_fmt f;
	struct stat st;

	as_fmt_init(&f, path, sizeof(path));
	as_fmt_str(&f, "/proc/self/task/");
	as_fmt_u64(&f, (uint64_t)hub->from_tid);
	as_fmt_str(&f, "/fd/");
	as_fmt_u64(&f, (uint64_t)hub->their_fd);
	int fd = as_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0 && hub->path[0] == '/')
		fd = as_sys_openat(AT_FDCWD, hub->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	if (as_sys_fstat(fd, &st) == 0 && st.st_dev == hub->dev && st.st_ino == hub->ino)
		return fd;
	as_sys_close(fd);
	return -ESTALE;
}

static void set_state(struct dump_hub *hub, uint32_t state)
{
	/* release L7: fd is what the state says */
	atomic_store_explicit(&hub->state, state, memory_order_release);
}

void dump_hub_open_wanted(void)
{
	/* relaxed: a later registration is seen at the next poke */
	const uint32_t asked = atomic_load_explicit(&dump_live->hubs_asked, memory_order_relaxed);
	uint32_t open = 0;

	/* relaxed: only the dumper writes it */
	if (asked == atomic_load_explicit(&dump_live->hubs_done, memory_order_relaxed))
		return;
	for (size_t i = 0; i < SIGDUMP_HUBS; i++) {
		struct dump_hub *hub = &dump_state.hub[i];
		/* acquire L7: the entry is complete */
		const uint32_t state = atomic_load_explicit(&hub->state, memory_order_acquire);

		if (state == DUMP_HUB_UNWANTED) {
			if (hub->fd >= 0)
				as_sys_close(hub->fd);
			set_state(hub, DUMP_HUB_FREE);
		} else if (state == DUMP_HUB_WANTED) {
			hub->fd = open_hub(hub);
			set_state(hub, DUMP_HUB_OPEN);
		}
		open += state == DUMP_HUB_WANTED || state == DUMP_HUB_OPEN;
	}
	/* relaxed: for display */
	atomic_store_explicit(&dump_state.page->hubs, open, memory_order_relaxed);
	/* release L7: whoever waits sees its entry settled */
	atomic_store_explicit(&dump_live->hubs_done, asked, memory_order_release);
	as_sys_futex(&dump_live->hubs_done, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

void dump_hub_reopen_all(void)
{
	for (size_t i = 0; i < SIGDUMP_HUBS; i++) {
		struct dump_hub *hub = &dump_state.hub[i];

		/* acquire L7: as above */
		if (atomic_load_explicit(&hub->state, memory_order_acquire) == DUMP_HUB_OPEN)
			set_state(hub, DUMP_HUB_WANTED);
	}
	/* relaxed: read by the same thread, next */
	atomic_fetch_add_explicit(&dump_live->hubs_asked, 1, memory_order_relaxed);
	dump_hub_open_wanted();
}

/* Room for one look; the dumper's alone. */
static struct {
	struct as_hub hub;
	union as_ring_space space;
	struct as_ring ring;
	struct as_class klass;
	struct as_record_old old[AS_RECORD_SLOTS];
	uint32_t oldest_to[AS_RECORD_OLDEST_TO];
} room;

static void look_at(struct as_record *r, struct as_record_hub_view *v, const struct dump_hub *hub)
{
	v->path = hub->path;
	v->ino = hub->ino;
	v->host = hub->role == SIGDUMP_HOST;
	v->peer = hub->peer;
	const int err = hub->fd < 0 ? hub->fd : as_hub_open(&room.hub, hub->fd);
	if (err < 0)
		as_record_hub_error(r, v, err);
	else
		as_record_hub(r, v);
}

void dump_hub_look(struct as_record *r, unsigned look, uint64_t until_ns)
{
	struct as_record_bells bells = { .pidfd = -1, .diag = -1, .own_fd = -1 };
	struct as_record_hub_view v = { .hub = &room.hub,
					.look = look,
					.bells = &bells,
					.until_ns = until_ns,
					.space = &room.space,
					.ring = &room.ring,
					.klass = &room.klass,
					.old = room.old,
					.oldest_to = room.oldest_to };

	as_record_look(r, look);
	for (size_t i = 0; i < SIGDUMP_HUBS; i++) {
		const struct dump_hub *hub = &dump_state.hub[i];

		/* acquire L7: fd is open, or an error */
		if (atomic_load_explicit(&hub->state, memory_order_acquire) != DUMP_HUB_OPEN)
			continue;
		if (bells.pidfd < 0) {
			bells.pidfd = as_sys_pidfd_open(dump_state.pid, 0);
			bells.diag = as_sys_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
						   NETLINK_SOCK_DIAG);
		}
		bells.host = hub->role == SIGDUMP_HOST;
		bells.own_fd = hub->bell_fd;
		look_at(r, &v, hub);
		v.h++;
	}
	if (bells.pidfd >= 0)
		as_sys_close(bells.pidfd);
	if (bells.diag >= 0)
		as_sys_close(bells.diag);
}
