#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/as/as_ring.h"
#include "lib/as/as_sys.h"
#include "lib/base/cleanup.h"
#include "lib/base/units.h"
#include "lib/proc/proc_stat.h"
#include "lib/proc/proc_status.h"
#include "lib/proc/proc_target.h"
#include "sigdump/cmd.h"
#include "sigdump/outside.h"
#include "sigdump/target.h"

enum { OPT_PID = 1, OPT_HUB, OPT_ALL, OPT_TIMEOUT, OPT_READ_ONLY, OPT_RECORD, OPT_FORMAT, OPT_QUIET };

static const struct opt options[] = {
	{ 'p', "pid", "LIST", "Target", "processes, by pid or name, separated by commas", OPT_PID },
	{ 'H', "hub", "PATH", "Target", "the host of a hub and all its peers", OPT_HUB },
	{ 'a', "all", NULL, "Target", "all processes of this user that have the library", OPT_ALL },
	{ 0, "timeout", "DUR", "Time", "how long to wait for answers (default 5 s)", OPT_TIMEOUT },
	{ 'f', "format", "FORMAT", "Output", "text, or ndjson: the records of the feeds", OPT_FORMAT },
	{ 0, "record", NULL, "Output", "write a look from outside into a feed of its own", OPT_RECORD },
	{ 'q', "quiet", NULL, "Output", "no notes", OPT_QUIET },
	{ 'R', "read-only", NULL, "Safety", "stop no thread, not for a microsecond", OPT_READ_ONLY },
	{ 0, NULL, NULL, NULL, NULL, 0 },
};

const struct opt_page cmd_dump_page = {
	.tool = "sigdump dump",
	.does = "ask processes for a dump, wait for it, print it",
	.usage = "[-p PID... | -H HUB | -a] [OPTIONS]",
	.examples = "sigdump dump -p 4112                what is each of its threads doing?\n"
		    "sigdump dump -H /dev/shm/app.hub    the host of a hub and all its peers, as one\n"
		    "sigdump dump -p nginx --read-only   touch nothing, not even threads that run\n",
	.options = options,
};

enum { PIDS = 4096 };

struct ask {
	pid_t pid[PIDS];
	size_t pids;
	uint64_t timeout_ns;
	bool read_only, record, ndjson, quiet;
	uint64_t family;
	uint64_t began_ns;
	struct targets all;
	int code; /* exit code so far */
};

static void fail(struct ask *a, const struct err *err, int code)
{
	err_print(stderr, "sigdump", "error", err);
	if (!a->code)
		a->code = code;
}

/* ---- whom ------------------------------------------------------------------------------------ */

static int add_pid(struct ask *a, pid_t pid, struct err *err)
{
	if (a->pids == PIDS)
		return err_set(err, -E2BIG, "more than %d processes", PIDS);
	a->pid[a->pids++] = pid;
	return 0;
}

/* Every process that the hub file names and that is still the one it names. */
static int add_hub(struct ask *a, const char *path, struct err *err)
{
	struct as_hub hub;
	struct hub_peer peer;
	CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "%s: cannot be opened (%m)", path);
	int code = as_hub_open(&hub, fd);
	if (code)
		return err_set(err, code, "%s: not a hub file of this version", path);
	const size_t before = a->pids;
	if (proc_is_same(hub.header.host_pid, hub.header.host_start))
		code = add_pid(a, hub.header.host_pid, err);
	for (unsigned id = 1; !code && id < as_hub_peers(&hub); id++)
		if (as_hub_peer(&hub, id, &peer) == 0 && peer.pid > 0 &&
		    proc_is_same(peer.pid, peer.start))
			code = add_pid(a, peer.pid, err);
	if (code || a->pids > before)
		return code;
	err_set(err, -ESRCH, "%s: neither its host nor any peer is running", path);
	return err_next(err, "shminspect %s", path);
}

static int add_all(struct ask *a, struct err *err)
{
	FREES pid_t *pids = NULL;
	size_t n;
	const size_t before = a->pids;

	int code = proc_list(getuid() ? getuid() : (uid_t)-1, &pids, &n, err);
	for (size_t i = 0; !code && i < n; i++) {
		struct target t;

		if (target_init(&t, pids[i], NULL))
			continue;
		if (t.found.library)
			code = add_pid(a, pids[i], err);
		target_fini(&t);
	}
	if (code || a->pids > before)
		return code;
	err_set(err, -ESRCH, "no process with the library");
	return err_next(err, "sigdump run -- COMMAND   starts one");
}

/* ---- from outside ------------------------------------------------------------------------------ */

/* Why this one is not asked, for people. */
static void note_outside(const struct ask *a, const struct target *t)
{
	struct proc_status status;
	struct err note;

	if (a->quiet)
		return;
	if (t->found.library && target_is_stopped(t)) {
		err_set(&note, 0, "pid %d (%s): stopped, its dumper cannot run: looked at from outside",
			(int)t->pid, t->name);
	} else if (t->found.library) {
		err_set(&note, 0, "pid %d (%s): one thread and no dumper: looked at from outside",
			(int)t->pid, t->name);
	} else {
		const bool deadly = proc_status(t->pid, t->pid, &status, NULL) == 0 &&
				    !proc_mask_has(status.signals.caught, 10) &&
				    !proc_mask_has(status.signals.ignored, 10);
		err_set(&note, 0, "pid %d (%s): the library is not loaded, SIGUSR1 would %s; not sent, "
			"looked at from outside", (int)t->pid, t->name,
			deadly ? "kill it" : "be the program's own");
		err_next(&note, "for heap sites and automatic dumps: `sigdump attach -p %d`, or restart "
			 "it with `sigdump run -- %s ...`", (int)t->pid, t->name);
	}
	err_print(stderr, "sigdump", "note", &note);
}

/* A feed of its own beside those of the library, or memory. */
static int open_record(const struct ask *a, const struct target *t, char *path, size_t room,
		       struct err *err)
{
	const char *dir = getenv("SHMSCOPE_FEED");

	if (!a->record) {
		snprintf(path, room, "memory");
		return memfd_create("sigdump", MFD_CLOEXEC);
	}
	if (!dir || !*dir)
		dir = ".";
	snprintf(path, room, "%s/%s-%d-%08x.ndjson", dir, t->stat.comm, (int)t->pid,
		 (unsigned)(a->family & 0xffffffff));
	const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		err_set(err, -errno, "%s: cannot be created (%m)", path);
	return fd;
}

static void copy_out(int fd)
{
	char buf[65536];
	ssize_t n;
	off_t at = 0;

	while ((n = pread(fd, buf, sizeof(buf), at)) > 0) {
		fwrite(buf, 1, (size_t)n, stdout);
		at += n;
	}
}

static void look_from_outside(struct ask *a, const struct target *t)
{
	struct outside_result r;
	char path[512];
	struct err err;

	note_outside(a, t);
	CLOSES int fd = open_record(a, t, path, sizeof(path), &err);
	if (fd < 0) {
		fail(a, &err, CMD_NO_TARGET);
		return;
	}
	if (outside_look(t, a->family, a->read_only, fd, &r, &err)) {
		fail(a, &err, CMD_NO_TARGET);
		return;
	}
	if (a->ndjson)
		copy_out(fd);
	else
		printf("sigdump " SHMSCOPE_VERSION "   %s pid %d   %u threads   %u of %u disturbed   "
		       "from outside\nFEED      %s\n",
		       t->name, (int)t->pid, r.threads, r.disturbed, r.threads, path);
}

/* ---- asking ------------------------------------------------------------------------------------ */

static bool shall_ask(const struct target *t)
{
	/* relaxed: a private copy */
	return t->found.has_page && !target_is_stopped(t) &&
	       atomic_load_explicit(&t->found.page.dumper, memory_order_relaxed);
}

static void add_and_ask(struct ask *a, pid_t pid)
{
	struct err err;
	struct target *t = targets_add(&a->all, pid, &err);

	if (!t) {
		if (err.code)
			fail(a, &err, CMD_NO_TARGET);
		return;
	}
	if (!shall_ask(t))
		return;
	const int code = target_ask(t, a->family, &err);
	if (code && code != -ENOENT)
		fail(a, &err, code == -ESTALE ? CMD_NO_ANSWER : CMD_NO_TARGET);
}

/* Those whom its dumper has told: they answer by themselves, and are waited for as well. */
static void add_children(struct ask *a, const char *line)
{
	json_t *rec = json_loads(line, 0, NULL);
	struct err err;

	if (json_is_true(json_object_get(rec, "told"))) {
		const pid_t pid = (pid_t)json_integer_value(json_object_get(rec, "pid"));
		struct target *t = targets_add(&a->all, pid, &err);
		if (t)
			t->told = true;
	}
	json_decref(rec);
}

/* The lines of one answer: printed as they are, or only looked through for children. */
static int read_answer(struct ask *a, const struct target *t, struct err *err)
{
	FREES char *line = NULL;
	size_t room = 0;
	uint64_t at = t->answer.dump_from;
	ssize_t n;
	FCLOSES FILE *f = fopen(t->answer.feed, "re");

	if (!f || fseeko(f, (off_t)at, SEEK_SET) != 0)
		return err_set(err, -errno, "%s: cannot be read (%m)", t->answer.feed);
	while (at < t->answer.dump_to && (n = getline(&line, &room, f)) > 0) {
		at += (uint64_t)n;
		if (strncmp(line, "{\"v\":1,\"t\":\"child\"", 18) == 0)
			add_children(a, line);
		if (a->ndjson)
			fputs(line, stdout);
	}
	return 0;
}

static void print_answer(const struct target *t)
{
	const struct as_control *p = &t->answer;

	printf("sigdump " SHMSCOPE_VERSION "   %s pid %d   %u threads, %u with a stack   "
	       "%u of %u disturbed   %.1f ms%s\nFEED      %s\n",
	       t->name, (int)t->pid, p->dump_threads, p->dump_captured, p->dump_disturbed,
	       p->dump_threads, p->dump_us / 1000.0, p->dump_timeout ? "   cut off by its deadline" : "",
	       p->feed);
}

static void wait_for(struct ask *a, size_t i)
{
	struct err err;
	struct target *t = &a->all.list[i];
	const int code = target_wait(t, a->family, a->began_ns + a->timeout_ns, a->began_ns, &err);

	if (code == -EAGAIN) {
		look_from_outside(a, t);
		return;
	}
	if (code) {
		fail(a, &err, CMD_NO_ANSWER);
		return;
	}
	if (t->answer.dump_error) {
		errno = -t->answer.dump_error;
		err_set(&err, t->answer.dump_error, "pid %d (%s): could not write its feed %s (%m)",
			(int)t->pid, t->name, t->answer.feed);
		err_next(&err, "sigdump run --feed DIR, with a directory that it may write to");
		fail(a, &err, CMD_NO_ANSWER);
		return;
	}
	if (!a->ndjson)
		print_answer(t);
	/* the list may move: t is not to be used from here on */
	const struct target copy = *t;
	if (read_answer(a, &copy, &err))
		fail(a, &err, CMD_NO_ANSWER);
}

static void dump_all(struct ask *a)
{
	a->began_ns = as_sys_clock_ns(CLOCK_MONOTONIC);
	for (size_t i = 0; i < a->pids; i++)
		add_and_ask(a, a->pid[i]);
	/* while the dumpers work */
	for (size_t i = 0; i < a->all.n; i++)
		if (!a->all.list[i].asked && !shall_ask(&a->all.list[i]))
			look_from_outside(a, &a->all.list[i]);
	/* grows while answers come in */
	for (size_t i = 0; i < a->all.n; i++)
		if (a->all.list[i].asked || a->all.list[i].told)
			wait_for(a, i);
}

/* ---- options ----------------------------------------------------------------------------------- */

static int set_format(struct ask *a, const char *name, struct err *err)
{
	a->ndjson = strcmp(name, "ndjson") == 0;
	if (a->ndjson || strcmp(name, "text") == 0)
		return 0;
	err_set(err, -EINVAL, "--format %s: not a format of sigdump dump", name);
	return err_next(err, "text or ndjson");
}

static int set_option(struct ask *a, int id, const char *arg, struct err *err)
{
	switch (id) {
	case OPT_PID:
		return proc_target(arg, a->pid, PIDS, &a->pids, err);
	case OPT_HUB:
		return add_hub(a, arg, err);
	case OPT_ALL:
		return add_all(a, err);
	case OPT_TIMEOUT:
		return units_parse_span(arg, "--timeout", 1000000, UINT64_C(3600000000000),
					&a->timeout_ns, err);
	case OPT_FORMAT:
		return set_format(a, arg, err);
	case OPT_READ_ONLY:
		a->read_only = true;
		return 0;
	case OPT_RECORD:
		a->record = true;
		return 0;
	default:
		a->quiet = true;
		return 0;
	}
}

/* A target that is not there is 3; a word that cannot be understood is 2. */
static int code_of(int err)
{
	switch (err) {
	case -EINVAL:
	case -E2BIG:
		return CMD_USAGE;
	case -EBADMSG:
	case -EPROTO:
		return CMD_BAD_INPUT;
	default:
		return CMD_NO_TARGET;
	}
}

int cmd_dump(int argc, char **argv)
{
	struct ask a = { .timeout_ns = UINT64_C(5000000000) };
	struct opt_walk w;
	struct err err;
	int id, code;

	opt_begin(&w, &cmd_dump_page, argc, argv);
	while ((id = opt_next(&w, &err)) != OPT_END) {
		if (cmd_common(id, &cmd_dump_page, &err, &code))
			return code;
		if (set_option(&a, id, w.arg, &err))
			return cmd_fail(&err, code_of(err.code));
	}
	for (int i = 1; i <= w.operands; i++)
		if (proc_target(argv[i], a.pid, PIDS, &a.pids, &err))
			return cmd_fail(&err, code_of(err.code));
	if (!a.pids) {
		err_set(&err, -EINVAL, "no target given");
		err_next(&err, "-p PID, -H HUB or -a; `sigdump list` shows who has the library");
		return cmd_fail(&err, CMD_USAGE);
	}
	while (!a.family)
		as_sys_getrandom(&a.family, sizeof(a.family), 0);
	dump_all(&a);
	targets_fini(&a.all);
	return fflush(stdout) == 0 ? a.code : CMD_NO_ANSWER;
}
