#include "sigdump/outside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/as/as_peek.h"
#include "lib/as/as_sys.h"
#include "lib/proc/proc_stop.h"

enum { TIDS = 65536, OUT = 65536, STACK = 65536 };

struct outside {
	struct as_peek peek;
	struct as_record record;
	struct as_thread thread;
	struct as_record_done done;
	bool read_only;
	bool keeps; /* the records, for later */
	pid_t dumper; /* the library's own thread there; 0 */
	size_t tids;
	pid_t tid[TIDS]; /* negative: was running */
	char out[OUT];
	uint8_t stack[STACK];
};

static void tell(struct outside *l, const char *captured, bool disturbed, const char *reason)
{
	const bool own = l->thread.tid == l->dumper;

	l->done.threads += !own;
	l->done.captured += l->thread.frames != 0;
	l->done.disturbed += disturbed;
	as_record_thread(&l->record, &l->peek, &l->thread,
			 &(struct as_record_how){ .own = own,
						  .captured = captured,
						  .disturbed = disturbed,
						  .reason = reason });
}

static const char *reason_of(const struct as_thread *t)
{
	switch (t->error) {
	case -ENODATA:
		return "no user stack (it is ending, or works for the kernel)";
	case -EACCES:
	case -EPERM:
		return "not allowed to read its registers";
	default:
		return "its registers could not be read";
	}
}

static void tell_peeked(struct outside *l)
{
	const bool has = l->thread.frames != 0;

	tell(l, has ? "peek" : "proc", false, has ? NULL : reason_of(&l->thread));
}

/* ---- threads that run ------------------------------------------------------------------------ */

static void look_at_running(struct outside *l, pid_t tid)
{
	struct as_thread *t = &l->thread;
	struct proc_stopped stopped;
	struct as_regs regs;

	/* a last look may find it blocked after all; then nobody needs to be stopped */
	as_peek_thread(&l->peek, tid, t);
	if (t->captured == AS_CAPTURED_GONE)
		return;
	if (t->captured != AS_CAPTURED_RUNNING) {
		tell_peeked(l);
		return;
	}
	t->frames = 0;
	if (l->read_only) {
		tell(l, "proc", false, "running; --read-only stops nobody");
		return;
	}
	const char *reason = proc_stop_copy(tid, l->stack, STACK, &stopped);
	if (!reason) {
		as_regs_of_ptrace(&regs, &stopped.regs);
		as_peek_copy(&l->peek, &regs, stopped.addr, l->stack, stopped.n, t);
		t->nr = -1;
		t->moved = false;
	}
	tell(l, reason ? "proc" : "ptrace", !reason, reason);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void look_at_threads(struct outside *l)
{
	if (as_proc_tids(l->peek.proc_fd, l->tid, TIDS, &l->tids) == 1)
		l->done.left_out = as_proc_more(l->peek.proc_fd, TIDS);
	for (size_t i = 0; i < l->tids; i++) {
		as_peek_thread(&l->peek, l->tid[i], &l->thread);
		if (l->thread.captured == AS_CAPTURED_RUNNING)
			l->tid[i] = -l->tid[i];
		else if (l->thread.captured != AS_CAPTURED_GONE)
			tell_peeked(l);
	}
	for (size_t i = 0; i < l->tids; i++)
		if (l->tid[i] < 0)
			look_at_running(l, -l->tid[i]);
}

static uint64_t random_id(void)
{
	uint64_t v = 0;

	as_sys_getrandom(&v, sizeof(v), 0);
	return v ? v : 1;
}

static void write_head(struct outside *l, const struct target *t)
{
	const char *const caps[] = { "peek", l->read_only ? NULL : "ptrace", NULL };

	as_record_feed(&l->record, &(struct as_record_about){
					   .proc_fd = l->peek.proc_fd,
					   .pid = t->pid,
					   .image = t->found.has_page ? t->found.page.image : random_id(),
					   .outside = true,
					   .caps = caps });
}

static int refused(const struct target *t, int code, struct err *err)
{
	if (code == -EPERM || code == -EACCES)
		return target_refused(t, code, err);
	errno = -code;
	return err_set(err, code, "pid %d (%s): cannot be looked at (%m)", (int)t->pid, t->name);
}

int outside_open(const struct target *t, bool read_only, bool keeps, int fd,
		 struct outside **out, struct err *err)
{
	struct outside *l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (l == MAP_FAILED)
		return err_set(err, -ENOMEM, "pid %d (%s): out of memory", (int)t->pid, t->name);
	l->dumper = t->found.dumper;
	l->read_only = read_only;
	l->keeps = keeps;
	as_record_init(&l->record, l->out, OUT, fd);
	const int code = as_peek_init(&l->peek, t->pid);

	if (code) {
		outside_close(l);
		return refused(t, code, err);
	}
	write_head(l, t);
	*out = l;
	return 0;
}

void outside_close(struct outside *l)
{
	if (!l)
		return;
	as_peek_fini(&l->peek);
	munmap(l, sizeof(*l));
}

int outside_look(struct outside *l, uint64_t family, struct err *err)
{
	l->done = (struct as_record_done){ .began_us = as_record_now_us() };
	as_record_dump(&l->record, &l->peek, family, "outside", as_sys_getpid(), NULL);
	as_peek_refresh(&l->peek);
	look_at_threads(l);
	as_record_waits(&l->record, &l->peek, UINT64_MAX);
	as_record_open(&l->record, &l->peek, UINT64_MAX);
	/* who is there to print them asks the living */
	if (l->keeps)
		as_record_others(&l->record, &l->peek, as_sys_getpid(), UINT64_MAX);
	const int code = as_record_done(&l->record, &l->done);

	errno = -code;
	return code ? err_set(err, code, "the records cannot be written (%m)") : 0;
}
