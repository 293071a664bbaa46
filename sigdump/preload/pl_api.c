#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/as/as_fmt.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dumper.h"
#include "sigdump/preload/pl_priv.h"

/* sigdump.h, the library's end of it. */

enum { HUB_WAIT_NS = 1000000000 };

PL_EXPORT int sigdump_api_name(const char *name)
{
	struct as_fmt f;

	if (!name || !*name)
		return -EINVAL;
	if (!dump_state_adopt())
		return -ENOSYS;
	as_fmt_init(&f, dump_state.name, sizeof(dump_state.name));
	as_fmt_str(&f, name);
	as_fmt_init(&f, dump_state.page->name, sizeof(dump_state.page->name));
	as_fmt_str(&f, name);
	return 0;
}

static struct dump_hub *claim_hub(void)
{
	for (size_t i = 0; i < SIGDUMP_HUBS; i++) {
		uint32_t none = DUMP_HUB_FREE;

		/* acquire L7: whoever had the entry is through with it */
		if (atomic_compare_exchange_strong_explicit(&dump_state.hub[i].state, &none,
							    DUMP_HUB_FILLING, memory_order_acquire,
							    memory_order_relaxed))
			return &dump_state.hub[i];
	}
	return NULL;
}

/* Makes the dumper look at the registrations, and waits until it has. */
static void settle(void)
{
	/* relaxed: the poke orders it */
	const uint32_t ticket =
		atomic_fetch_add_explicit(&dump_live->hubs_asked, 1, memory_order_relaxed) + 1;
	const uint64_t until = as_sys_clock_ns(CLOCK_MONOTONIC) + HUB_WAIT_NS;
	uint64_t now;

	dumper_poke();
	while ((now = as_sys_clock_ns(CLOCK_MONOTONIC)) < until) {
		/* acquire L7: the entry is settled */
		const uint32_t done =
			atomic_load_explicit(&dump_live->hubs_done, memory_order_acquire);
		const struct timespec left = { (time_t)((until - now) / 1000000000u),
					       (long)((until - now) % 1000000000u) };

		/* a dumper in the middle of a dump opens the file a little later */
		if ((int32_t)(done - ticket) >= 0)
			return;
		as_sys_futex(&dump_live->hubs_done, FUTEX_WAIT_PRIVATE, done, &left, NULL, 0);
	}
}

PL_EXPORT int sigdump_api_hub_add(const struct sigdump_hub *hub)
{
	struct stat st;
	struct as_fmt f;

	if (!hub || hub->size < sizeof(*hub) ||
	    (hub->role != SIGDUMP_HOST && hub->role != SIGDUMP_PEER) ||
	    as_sys_fstat(hub->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	const int err = dumper_start();
	if (err)
		return err;
	struct dump_hub *entry = claim_hub();
	if (!entry)
		return -ENOSPC;
	entry->role = hub->role;
	entry->peer = hub->peer;
	entry->their_fd = hub->fd;
	entry->bell_fd = hub->bell_fd;
	entry->from_tid = as_sys_gettid();
	entry->fd = -1;
	entry->dev = st.st_dev;
	entry->ino = st.st_ino;
	as_fmt_init(&f, entry->path, sizeof(entry->path));
	as_fmt_str(&f, hub->path ? hub->path : "");
	/* release L7: the entry is complete */
	atomic_store_explicit(&entry->state, DUMP_HUB_WANTED, memory_order_release);
	settle();
	return 0;
}

static bool is_open_with(const struct dump_hub *hub, int32_t fd)
{
	/* acquire L7: their_fd is that of this registration */
	return atomic_load_explicit(&hub->state, memory_order_acquire) == DUMP_HUB_OPEN &&
	       hub->their_fd == fd;
}

PL_EXPORT int sigdump_api_hub_remove(int32_t fd)
{
	if (!dump_state_is_ours())
		return -ENOENT;
	for (size_t i = 0; i < SIGDUMP_HUBS; i++) {
		struct dump_hub *hub = &dump_state.hub[i];
		uint32_t open = DUMP_HUB_OPEN;

		if (!is_open_with(hub, fd))
			continue;
		/* release L7: the dumper closes it and frees the entry */
		if (atomic_compare_exchange_strong_explicit(&hub->state, &open, DUMP_HUB_UNWANTED,
							    memory_order_release,
							    memory_order_relaxed)) {
			settle();
			return 0;
		}
	}
	return -ENOENT;
}

/* Replaces the first `from` in the table by `to`. */
static bool replace_child(int32_t from, int32_t to)
{
	for (size_t i = 0; i < SIGDUMP_CHILDREN; i++) {
		int32_t was = from;

		/* relaxed: a number on its own */
		if (atomic_compare_exchange_strong_explicit(&dump_state.child[i], &was, to,
							    memory_order_relaxed,
							    memory_order_relaxed))
			return true;
	}
	return false;
}

PL_EXPORT int sigdump_api_child_add(pid_t pid)
{
	if (pid <= 0)
		return -EINVAL;
	if (!dump_state_adopt())
		return -ENOSYS;
	if (!replace_child(0, pid))
		return -ENOSPC;
	/* relaxed: for display */
	atomic_fetch_add_explicit(&dump_state.page->children, 1, memory_order_relaxed);
	return 0;
}

PL_EXPORT int sigdump_api_child_remove(pid_t pid)
{
	if (pid <= 0 || !dump_state_is_ours() || !replace_child(pid, 0))
		return -ENOENT;
	/* relaxed: for display */
	atomic_fetch_sub_explicit(&dump_state.page->children, 1, memory_order_relaxed);
	return 0;
}
