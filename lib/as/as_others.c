#include "lib/as/as_others.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/as/as_dir.h"
#include "lib/as/as_sys.h"

enum { OF_THE_KERNEL = 0x00200000 }; /* PF_KTHREAD: has no files */

void as_others_begin(struct as_others *o)
{
	o->files = 0;
	o->all = false;
}

static struct as_others_file *find(struct as_others *o, const char *is, size_t n)
{
	for (unsigned i = 0; i < o->files; i++)
		if (o->file[i].len == n && memcmp(o->file[i].is, is, n) == 0)
			return &o->file[i];
	return NULL;
}

bool as_others_want(struct as_others *o, const char *is, size_t n, bool reads)
{
	struct as_others_file *f = find(o, is, n);

	if (!f) {
		/* a link that fills all the room may be longer */
		if (o->files == AS_OTHERS_FILES || !n || n >= AS_OTHERS_LINK)
			return false;
		f = &o->file[o->files++];
		memcpy(f->is, is, n);
		f->len = n;
		f->n = 0;
		f->reads = false;
	}
	f->reads |= reads;
	return true;
}

/* ---- one process --------------------------------------------------------------------------- */

struct asking {
	struct as_others *o;
	pid_t session; /* of whom it is about */
	pid_t pid;     /* of who is asked */
	int proc_fd;
	struct as_dir fds;
};

/* One of each process, with all the ways that it has it open. */
static void add(struct asking *a, struct as_others_file *f, int fd, bool reads, bool writes)
{
	struct as_proc_stat st;
	struct as_other *last = f->n && f->n <= AS_OTHERS_WHO ? &f->who[f->n - 1] : NULL;

	if (last && last->pid == a->pid) {
		last->reads |= reads;
		last->writes |= writes;
		return;
	}
	if (f->n++ >= AS_OTHERS_WHO)
		return;
	struct as_other *w = &f->who[f->n - 1];

	*w = (struct as_other){ .pid = a->pid, .fd = fd, .reads = reads, .writes = writes };
	if (!as_proc_stat(a->proc_fd, 0, &st))
		memcpy(w->comm, st.comm, sizeof(w->comm) - 1);
}

/* Returns false when it may not be seen where the descriptor leads. */
static bool look_at_fd(struct asking *a, const char *name)
{
	char link[AS_OTHERS_LINK];
	struct stat st;
	const ssize_t n = as_sys_readlinkat(a->fds.fd, name, link, sizeof(link));
	struct as_others_file *f = n > 0 ? find(a->o, link, (size_t)n) : NULL;

	/* the link's own mode says how it was opened */
	if (f && as_sys_fstatat(a->fds.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		add(a, f, as_dir_number(name), st.st_mode & S_IRUSR, st.st_mode & S_IWUSR);
	return n != -EACCES && n != -EPERM;
}

/* It may have one of the files. */
static bool is_near(const struct asking *a)
{
	struct as_proc_stat st;
	const int e = as_proc_stat(a->proc_fd, 0, &st);

	if (e)
		return e != -ESRCH;
	return !(st.flags & OF_THE_KERNEL) && st.session == a->session;
}

/* Returns false when it had to be left out although it may have one. */
static bool ask(struct asking *a)
{
	bool shown = true;

	a->proc_fd = as_proc_open(a->pid);
	if (a->proc_fd < 0)
		return a->proc_fd == -ESRCH;
	const int e = as_dir_open(&a->fds, a->proc_fd, "fd");

	if (e) {
		shown = e == -ENOENT || e == -ESRCH;
	} else {
		for (const char *name; (name = as_dir_next(&a->fds));)
			if (as_dir_number(name) >= 0)
				shown &= look_at_fd(a, name);
		as_dir_close(&a->fds);
	}
	shown = shown || !is_near(a);
	as_sys_close(a->proc_fd);
	return shown;
}

/* ---- all of them --------------------------------------------------------------------------- */

static pid_t session_of(pid_t pid)
{
	struct as_proc_stat st;
	const int fd = as_proc_open(pid);
	const int e = fd < 0 ? fd : as_proc_stat(fd, 0, &st);

	if (fd >= 0)
		as_sys_close(fd);
	return e ? 0 : st.session;
}

/* /proc may be mounted so that it has only one's own processes. */
static bool is_first_seen(void)
{
	const int fd = as_proc_open(1);

	if (fd >= 0)
		as_sys_close(fd);
	return fd >= 0;
}

void as_others_ask(struct as_others *o, pid_t of, pid_t but, uint64_t until_ns)
{
	struct asking a = { .o = o, .session = session_of(of) };
	struct as_dir all;

	for (unsigned i = 0; i < o->files; i++)
		o->file[i].n = 0;
	o->all = a.session && is_first_seen();
	if (as_dir_open(&all, AT_FDCWD, "/proc")) {
		o->all = false;
		return;
	}
	for (const char *name; (name = as_dir_next(&all));) {
		a.pid = as_dir_number(name);
		if (a.pid <= 0 || a.pid == but)
			continue;
		if (as_sys_clock_ns(CLOCK_MONOTONIC) >= until_ns) {
			o->all = false;
			break;
		}
		if (!ask(&a))
			o->all = false;
	}
	o->all &= !all.error;
	as_dir_close(&all);
}
