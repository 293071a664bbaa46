#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/as/as_sys.h"
#include "lib/base/cleanup.h"
#include "lib/base/grow.h"
#include "lib/base/outfile.h"
#include "lib/proc/proc_outer.h"
#include "lib/proc/proc_status.h"
#include "sigdump/cmd.h"
#include "sigdump/dump_options.h"
#include "sigdump/living.h"
#include "sigdump/outside.h"
#include "sigdump/target.h"
#include "sigdump/view.h"

/* A dump that is to be printed. The path is ours. Of a look from outside: who is looked at, and
 * where its records go, which if that is memory keeps it alive. */
struct answer {
	char *path;
	uint64_t from, to;
	int fd;
	pid_t pid;
	struct outside *outside;
};

struct asking {
	const struct dump_options *o;
	uint64_t family;
	uint64_t began_ns;
	struct targets all;
	struct answer *answer;
	size_t answers, room;
	struct living *living;
	const struct asking *before; /* the first time, when this is the second; NULL */
	int code; /* exit code so far */
};

static void fail(struct asking *a, const struct err *err, int code)
{
	err_print(stderr, "sigdump", "error", err);
	if (!a->code)
		a->code = code;
}

static void note(const struct asking *a, const struct err *err)
{
	if (!a->o->quiet)
		err_print(stderr, "sigdump", "note", err);
}

static struct answer *add_answer(struct asking *a, const char *path, uint64_t from, uint64_t to)
{
	char *copy = strdup(path);

	if (!copy || !GROW(a->answer, a->answers, a->room)) {
		free(copy);
		return NULL;
	}
	a->answer[a->answers] = (struct answer){ .path = copy, .from = from, .to = to, .fd = -1 };
	return &a->answer[a->answers++];
}

/* ---- from outside ------------------------------------------------------------------------------ */

/* Why this one is not asked. */
static void note_outside(const struct asking *a, const struct target *t)
{
	struct proc_status status;
	struct err err;

	/* whether it has the library is not known: why will be said in a moment */
	if (t->find_error == -EACCES || t->find_error == -EPERM)
		return;
	if (t->found.library && target_is_stopped(t)) {
		err_set(&err, 0, "pid %d (%s): stopped, its dumper cannot run: looked at from outside",
			(int)t->pid, t->name);
	} else if (t->found.library && t->hidden) {
		err_set(&err, 0, "pid %d (%s): it is hidden from its own dumper, which would have to "
			"interrupt its threads: looked at from outside", (int)t->pid, t->name);
	} else if (t->found.library) {
		err_set(&err, 0, "pid %d (%s): one thread and no dumper: looked at from outside",
			(int)t->pid, t->name);
	} else {
		const bool deadly = proc_status(t->pid, t->pid, &status, NULL) == 0 &&
				    !proc_mask_has(status.signals.caught, SIGUSR1) &&
				    !proc_mask_has(status.signals.ignored, SIGUSR1);
		err_set(&err, 0, "pid %d (%s): the library is not loaded, SIGUSR1 would %s; not sent, "
			"looked at from outside", (int)t->pid, t->name,
			deadly ? "kill it" : "be the program's own");
		err_next(&err, "to be asked by kill -USR1, start it with `sigdump run -- %s ...`", t->name);
	}
	note(a, &err);
}

/* Where the records of a look from outside go: memory, or a feed beside those of the library. */
static int open_record(const struct asking *a, const struct target *t, char *path, size_t room,
		       struct err *err)
{
	const char *dir = a->o->feed ? a->o->feed : getenv("SHMSCOPE_FEED");

	if (!a->o->record) {
		const int fd = memfd_create("sigdump", MFD_CLOEXEC);

		snprintf(path, room, "/proc/self/fd/%d", fd);
		return fd < 0 ? err_set(err, -errno, "no memory for the records (%m)") : fd;
	}
	snprintf(path, room, "%s/%s-%d-%08x.ndjson", dir && *dir ? dir : ".", t->stat.comm,
		 (int)t->pid, (unsigned)(a->family & 0xffffffff));
	const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? err_set(err, -errno, "%s: cannot be created (%m)", path) : fd;
}

/* What the first time has begun goes on: only so is it known whether a thread ran in between. */
static bool look_again(struct asking *a, const struct target *t)
{
	struct err err;

	for (size_t i = 0; a->before && i < a->before->answers; i++) {
		const struct answer *old = &a->before->answer[i];

		if (!old->outside || old->pid != t->pid)
			continue;
		if (outside_look(old->outside, a->family, &err))
			fail(a, &err, CMD_NO_TARGET);
		else
			add_answer(a, old->path, old->to, (uint64_t)lseek(old->fd, 0, SEEK_END));
		return true;
	}
	return false;
}

static void begin_outside(struct asking *a, const struct target *t)
{
	char path[512];
	struct err err;
	struct outside *o = NULL;
	CLOSES int fd = open_record(a, t, path, sizeof(path), &err);
	int code = fd < 0 ? fd : outside_open(t, a->o->read_only, a->o->record, fd, &o, &err);

	if (!code)
		code = outside_look(o, a->family, &err);
	if (code && (!t->child || err.code != -ESRCH))
		fail(a, &err, CMD_NO_TARGET);
	struct answer *new = code ? NULL : add_answer(a, path, 0, (uint64_t)lseek(fd, 0, SEEK_END));

	if (!new) {
		outside_close(o);
		return;
	}
	new->pid = t->pid;
	new->outside = o;
	new->fd = take_fd(&fd);
}

static void look_from_outside(struct asking *a, const struct target *t)
{
	struct err err;

	if (look_again(a, t))
		return;

	if (!target_has_stacks(t, &err)) {
		fail(a, &err, CMD_NO_TARGET);
		return;
	}
	/* what its family brought in is not worth a note each: the page itself says how it was seen */
	if (!t->child)
		note_outside(a, t);
	begin_outside(a, t);
}

/* ---- asking ------------------------------------------------------------------------------------ */

static bool shall_ask(const struct target *t)
{
	/* relaxed: a private copy */
	const bool has_dumper = atomic_load_explicit(&t->found.page.dumper, memory_order_relaxed);
	/* relaxed: a private copy */
	const bool has_hub = atomic_load_explicit(&t->found.page.hubs, memory_order_relaxed);

	/* only its dumper knows the state of its hubs; its threads root can read without it */
	return t->found.has_page && has_dumper && !target_is_stopped(t) && !(t->hidden && !has_hub);
}

static void add_and_ask(struct asking *a, pid_t pid)
{
	struct err err;
	struct target *t = targets_add(&a->all, pid, &err);

	if (!t) {
		if (err.code)
			fail(a, &err, CMD_NO_TARGET);
		return;
	}
	if (!shall_ask(t)) {
		t->outside = true;
		return;
	}
	const int code = target_ask(t, a->family, &err);

	/* a dumper that has ended, or was left behind in a fork, answers nobody */
	t->outside = code == -ENOENT || code == -ESTALE;
	if (code && !t->outside)
		fail(a, &err, CMD_NO_TARGET);
}

/*
 * Those whom its dumper has told answer by themselves, and are waited for as well. The others have
 * nobody who could: they are looked at from here. Who ended meanwhile is not missed.
 */
static void add_child(struct asking *a, pid_t parent, const char *line)
{
	json_t *rec = json_loads(line, 0, NULL);
	const bool told = json_is_true(json_object_get(rec, "told"));
	/* in a pid namespace of its own it knows its children by other numbers than we do */
	const pid_t pid = proc_outer_pid(parent,
					 (pid_t)json_integer_value(json_object_get(rec, "pid")));
	struct err err;
	struct target *t = pid > 0 ? targets_add(&a->all, pid, &err) : NULL;

	json_decref(rec);
	if (!t)
		return;
	t->told = told;
	t->child = true;
	if (!told && t->stat.state != 'Z' && t->stat.state != 'X')
		look_from_outside(a, t);
}

static int add_children(struct asking *a, pid_t parent, const char *path,
			const struct as_control *page, struct err *err)
{
	static const char child[] = "{\"v\":1,\"t\":\"child\"";
	FREES char *line = NULL;
	size_t room = 0;
	uint64_t at = page->dump_from;
	ssize_t n;
	FCLOSES FILE *f = fopen(path, "re");

	if (!f || fseeko(f, (off_t)at, SEEK_SET) != 0)
		return err_set(err, -errno, "%s: cannot be read (%m)", path);
	while (at < page->dump_to && (n = getline(&line, &room, f)) > 0) {
		at += (uint64_t)n;
		if (strncmp(line, child, sizeof(child) - 1) == 0)
			add_child(a, parent, line);
	}
	return 0;
}

/* A full disk is no reason to see nothing: who wants to know now would have to restart it first. */
static void look_in_spite(struct asking *a, const struct target *t)
{
	const int error = -t->answer.dump_error;
	const char *feed = t->answer.feed;
	/* relaxed: a private copy */
	const bool has_hub = atomic_load_explicit(&t->answer.hubs, memory_order_relaxed);
	struct err err;

	errno = error;
	err_set(&err, -error, "pid %d (%s): could not write its feed%s%s (%m): looked at from outside",
		(int)t->pid, t->name, *feed ? " " : "", feed);
	err_next(&err, "%s%s", has_hub ? "its rings and bells are missing here; " : "",
		 error == ENOSPC || error == EDQUOT ? "make room there" :
						      "sigdump run --feed DIR, which it may write to");
	if (!a->o->quiet && !a->before)
		err_print(stderr, "sigdump", "warning", &err);
	if (!look_again(a, t))
		begin_outside(a, t);
}

static void take_answer(struct asking *a, size_t i)
{
	struct err err;
	struct target *t = &a->all.list[i];
	int code = target_wait(t, a->family, a->began_ns + a->o->timeout_ns, a->began_ns, &err);

	if (code == -EAGAIN) {
		look_from_outside(a, t);
		return;
	}
	if (!code && t->answer.dump_error) {
		look_in_spite(a, t);
		return;
	}
	if (!code) {
		const struct as_control page = t->answer; /* the list may move */

		const pid_t parent = t->pid;
		char path[sizeof(page.feed) + 32];

		target_feed(t, path, sizeof(path));
		add_answer(a, path, page.dump_from, page.dump_to);
		code = add_children(a, parent, path, &page, &err);
	}
	if (code)
		fail(a, &err, CMD_NO_ANSWER);
}

static void ask_all(struct asking *a)
{
	a->began_ns = as_sys_clock_ns(CLOCK_MONOTONIC);
	for (size_t i = 0; i < a->o->pids; i++)
		add_and_ask(a, a->o->pid[i]);
	/* while the dumpers work */
	for (size_t i = 0; i < a->all.n; i++)
		if (a->all.list[i].outside)
			look_from_outside(a, &a->all.list[i]);
	/* grows while answers come in */
	for (size_t i = 0; i < a->all.n; i++)
		if (a->all.list[i].asked || a->all.list[i].told)
			take_answer(a, i);
}

/* ---- printing ---------------------------------------------------------------------------------- */

static bool is_listed(const struct view_part *part, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(part[i].path, path) == 0)
			return true;
	return false;
}

/* The dumps of this time, and of the one before: a feed that has both is read once. */
static size_t list_parts(const struct asking *a, struct view_part *part, size_t n)
{
	for (size_t i = 0; i < a->answers; i++) {
		const struct answer *from = &a->answer[i];

		if (!is_listed(part, n, from->path))
			part[n++] = (struct view_part){ from->path, from->from, from->to };
	}
	return a->before ? list_parts(a->before, part, n) : n;
}

/* Returns as view_processes(). */
static int print_to(FILE *out, const struct asking *a, struct view_part *part, struct err *err)
{
	const size_t n = list_parts(a, part, 0);

	if (a->o->format == DUMP_NDJSON)
		return view_records(out, part, n, err);
	return view_processes(out, part, n, a->family, a->living, !a->before, a->o, err);
}

/* Returns true when nothing was printed, for another look is wanted first. */
static bool print_answers(struct asking *a)
{
	struct outfile out;
	struct err err;
	const size_t room = a->answers + (a->before ? a->before->answers : 0);
	FREES struct view_part *part = calloc(room + 1, sizeof(*part));

	if (!part)
		err_set(&err, -ENOMEM, "out of memory");
	if (!part || outfile_open(&out, a->o->output, a->o->force, &err)) {
		fail(a, &err, CMD_NO_TARGET);
		return false;
	}
	const int code = print_to(out.stream, a, part, &err);

	if (code < 0)
		fail(a, &err, CMD_BAD_INPUT);
	if (outfile_close(&out, !code, &err))
		fail(a, &err, CMD_NO_TARGET);
	return code > 0;
}

static void release(struct asking *a)
{
	for (size_t i = 0; i < a->answers; i++) {
		free(a->answer[i].path);
		outside_close(a->answer[i].outside);
		if (a->answer[i].fd >= 0)
			close(a->answer[i].fd);
	}
	free(a->answer);
	targets_fini(&a->all);
}

/* ---- a second time ----------------------------------------------------------------------------- */

enum { AGAIN_NS = 2100000000 }; /* what has to hold for a while has to hold for 2 s */

static void ask_again(struct asking *a)
{
	struct asking again = { .o = a->o, .living = a->living, .before = a };
	struct err err;

	err_set(&err, 0, "something is suspected that only a second look can settle: it follows in 2 s");
	note(a, &err);
	nanosleep(&(struct timespec){ AGAIN_NS / 1000000000, AGAIN_NS % 1000000000 }, NULL);
	while (!again.family || again.family == a->family)
		as_sys_getrandom(&again.family, sizeof(again.family), 0);
	ask_all(&again);
	/* who has ended meanwhile is told as it was */
	if (!again.answers)
		again.family = a->family;
	print_answers(&again);
	a->code = a->code ? a->code : again.code;
	release(&again);
}

static void note_feeds(const struct asking *a)
{
	struct err err;

	for (size_t i = 0; a->o->verbose && i < a->answers; i++)
		if (a->answer[i].fd < 0) {
			err_set(&err, 0, "%s: bytes %ju to %ju", a->answer[i].path,
				(uintmax_t)a->answer[i].from, (uintmax_t)a->answer[i].to);
			note(a, &err);
		}
}

int cmd_dump(int argc, char **argv)
{
	static struct dump_options options;
	struct asking a = { .o = &options };
	int code;

	if (!dump_options_read(&options, argc, argv, &code))
		return code;
	a.living = living_create();
	if (!a.living) {
		struct err err;

		err_set(&err, -ENOMEM, "out of memory");
		err_print(stderr, "sigdump", "error", &err);
		return CMD_NO_TARGET;
	}
	while (!a.family)
		as_sys_getrandom(&a.family, sizeof(a.family), 0);
	ask_all(&a);
	note_feeds(&a);
	if (a.answers && print_answers(&a))
		ask_again(&a);
	release(&a);
	living_destroy(a.living);
	return a.code;
}
