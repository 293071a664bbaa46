#include "lib/as/as_avoid.h"

#include <string.h>

#include "lib/as/as_dir.h"
#include "lib/as/as_mounts.h"
#include "lib/as/as_proc.h"

static bool has_served(struct as_modules *t, int proc_fd)
{
	bool found = false;

	for (unsigned i = 0; i < t->devices; i++) {
		struct as_device *d = &t->device[i];

		if (!d->is_known)
			d->is_served = as_mounts_has_served(proc_fd, d->dev_major, d->dev_minor);
		d->is_known = true;
		found |= d->is_served;
	}
	return found;
}

/* It sleeps where one waits for such a filesystem, or cannot be interrupted. */
static bool is_stalled(int proc_fd, pid_t tid)
{
	static const char *const waits[] = { "request_wait_answer", "fuse_", "rpc_", "nfs", "p9_",
					     "wait_for_response", "smb", "cifs", "ceph", "folio_wait",
					     "__folio_lock" };
	struct as_proc_stat st;
	char where[64];

	if (as_proc_stat(proc_fd, tid, &st) || st.state == 'R')
		return false;
	if (st.state == 'D')
		return true;
	if (as_proc_wchan(proc_fd, tid, where, sizeof(where)) < 0)
		return false;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		if (strlen(where) >= strlen(waits[i]) && memcmp(where, waits[i], strlen(waits[i])) == 0)
			return true;
	return false;
}

static bool has_stalled(int proc_fd)
{
	struct as_dir tasks;
	bool found = false;

	if (as_dir_open(&tasks, proc_fd, "task"))
		return false;
	for (const char *name; !found && (name = as_dir_next(&tasks));)
		found = as_dir_number(name) > 0 && is_stalled(proc_fd, as_dir_number(name));
	as_dir_close(&tasks);
	return found;
}

static bool is_served(const struct as_modules *t, const struct as_module *module)
{
	for (unsigned i = 0; i < t->devices; i++)
		if (t->device[i].dev_major == module->dev_major &&
		    t->device[i].dev_minor == module->dev_minor)
			return t->device[i].is_served;
	return false;
}

void as_avoid(struct as_modules *t, struct as_mem *m, int proc_fd)
{
	m->only_present = has_served(t, proc_fd) && has_stalled(proc_fd);
	for (size_t i = 0; m->only_present && i < t->count; i++)
		if (is_served(t, &t->module[i]))
			as_mem_avoid(m, t->module[i].start, t->module[i].end);
}
