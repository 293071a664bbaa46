#include "sigdump/dump_options.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/as/as_ring.h"
#include "lib/base/cleanup.h"
#include "lib/base/outfile.h"
#include "lib/base/units.h"
#include "lib/proc/proc_stat.h"
#include "lib/proc/proc_target.h"
#include "sigdump/cmd.h"
#include "sigdump/target.h"

enum {
	OPT_PID = 1, OPT_HUB, OPT_ALL, OPT_TIMEOUT, OPT_FORMAT, OPT_JSON, OPT_OUTPUT, OPT_FORCE,
	OPT_COLOR, OPT_ASCII, OPT_RECORD, OPT_FEED, OPT_QUIET, OPT_VERBOSE, OPT_SYSROOT, OPT_DEBUG_DIR,
	OPT_NO_SYMBOLS, OPT_LINES, OPT_READ_ONLY,
};

static const struct opt options[] = {
	{ 'p', "pid", "LIST", "Target", "processes, by pid or name, separated by commas", OPT_PID },
	{ 'H', "hub", "PATH", "Target", "the host of a hub and all its peers", OPT_HUB },
	{ 'a', "all", NULL, "Target", "all processes that have the library", OPT_ALL },
	{ 0, "timeout", "DUR", "Time", "how long to wait for answers (default 5 s)", OPT_TIMEOUT },
	{ 'f', "format", "FORM", "Output", "text, json, or ndjson: the records of the feeds", OPT_FORMAT },
	{ 'j', "json", NULL, "Output", "the same as --format json", OPT_JSON },
	{ 'o', "output", "FILE", "Output", "write there; an existing file needs --force", OPT_OUTPUT },
	{ 0, "force", NULL, "Output", "replace an existing file", OPT_FORCE },
	{ 'C', "color", "WHEN", "Output", "auto, always or never", OPT_COLOR },
	{ 'A', "ascii", NULL, "Output", "no character beyond ASCII", OPT_ASCII },
	{ 0, "record", NULL, "Output", "write a look from outside into a feed of its own", OPT_RECORD },
	{ 0, "feed", "DIR", "Output", "directory of that feed (default: SHMSCOPE_FEED, else here)", OPT_FEED },
	{ 'q', "quiet", NULL, "Output", "no notes and warnings", OPT_QUIET },
	{ 'v', "verbose", NULL, "Output", "where each feed is, and how long it took", OPT_VERBOSE },
	{ 0, "sysroot", "DIR", "Symbols", "take program files from below DIR only", OPT_SYSROOT },
	{ 0, "debug-dir", "DIR", "Symbols", "look for debug files here first", OPT_DEBUG_DIR },
	{ 0, "no-symbols", NULL, "Symbols", "addresses only", OPT_NO_SYMBOLS },
	{ 0, "lines", NULL, "Symbols", "lines and inlined calls of the C library too", OPT_LINES },
	{ 'R', "read-only", NULL, "Safety", "stop no thread, not for a microsecond", OPT_READ_ONLY },
	{ 0, NULL, NULL, NULL, NULL, 0 },
};

static const struct opt_values values[] = { { "FORM", "text json ndjson" }, { NULL, NULL } };

const struct opt_page cmd_dump_page = {
	.tool = "sigdump dump",
	.does = "ask processes for a dump, wait for it, print it",
	.usage = "[-p PID... | -H HUB | -a] [OPTIONS]",
	.examples = "  sigdump dump -p 4112                what is each of its threads doing?\n"
		    "  sigdump dump -H /dev/shm/app.hub    the host of a hub and all its peers, as one\n"
		    "  sigdump dump -p nginx --read-only   touch nothing, not even threads that run\n",
	.options = options,
	.values = values,
};

static int add_pid(struct dump_options *o, pid_t pid, struct err *err)
{
	if (o->pids == DUMP_PIDS)
		return err_set(err, -E2BIG, "more than %d processes", DUMP_PIDS);
	o->pid[o->pids++] = pid;
	return 0;
}

/* Every process that the hub file names and that is still the one it names. */
static int add_hub(struct dump_options *o, const char *path, struct err *err)
{
	struct as_hub hub;
	struct hub_peer peer;
	CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		err_set(err, -errno, "%s: cannot be opened (%m)", path);
		return err_next(err, "`shmtop` without arguments lists the hubs it finds");
	}
	int code = as_hub_open(&hub, fd);
	if (code) {
		if (code != -EPROTO) /* a directory, a fifo, ...: content that is none, as well */
			code = -EBADMSG;
		err_set(err, code, code == -EPROTO ? "%s: a hub file, but not of this version" :
						     "%s: not a hub file", path);
		return err_next(err, code == -EPROTO ? "use the sigdump of the release that its host has" :
						       "`shmtop` without arguments lists the hubs it finds");
	}
	const size_t before = o->pids;
	if (proc_is_same(hub.header.host_pid, hub.header.host_start))
		code = add_pid(o, hub.header.host_pid, err);
	for (unsigned id = 1; !code && id < as_hub_peers(&hub); id++)
		if (as_hub_peer(&hub, id, &peer) == 0 && peer.pid > 0 &&
		    proc_is_same(peer.pid, peer.start))
			code = add_pid(o, peer.pid, err);
	if (code || o->pids > before)
		return code;
	err_set(err, -ESRCH, "%s: neither its host nor any peer is running", path);
	return err_next(err, "shminspect %s", path);
}

static int add_all(struct dump_options *o, struct err *err)
{
	FREES pid_t *pids = NULL;
	size_t n = 0;
	const size_t before = o->pids;

	int code = proc_list(getuid() ? getuid() : (uid_t)-1, &pids, &n, err);
	for (size_t i = 0; !code && i < n; i++) {
		struct target t;

		if (target_init(&t, pids[i], NULL))
			continue;
		if (t.found.library)
			code = add_pid(o, pids[i], err);
		target_fini(&t);
	}
	if (code || o->pids > before)
		return code;
	err_set(err, -ESRCH, "no process with the library");
	return err_next(err, "sigdump run -- COMMAND   starts one");
}

/* One of three words; -EINVAL for any other. */
static int choose(const char *option, const char *word, const char *const words[3], int *choice,
		  struct err *err)
{
	for (int i = 0; i < 3; i++)
		if (strcmp(word, words[i]) == 0) {
			*choice = i;
			return 0;
		}
	err_set(err, -EINVAL, "%s %s: none of %s, %s, %s", option, word, words[0], words[1], words[2]);
	return err_next(err, "`sigdump dump --help` lists the options");
}

static int set_choice(struct dump_options *o, int id, const char *arg, struct err *err)
{
	static const char *const formats[] = { "text", "json", "ndjson" };
	static const char *const colors[] = { "auto", "always", "never" };
	int choice = 0;
	const int code = id == OPT_FORMAT ? choose("--format", arg, formats, &choice, err) :
					    choose("--color", arg, colors, &choice, err);

	if (!code && id == OPT_FORMAT)
		o->format = (enum dump_format)choice;
	else if (!code)
		o->color = (enum color)choice;
	return code;
}

/* Options that only set a flag, or keep their argument. */
static void set_plain(struct dump_options *o, int id, const char *arg)
{
	switch (id) {
	case OPT_JSON:
		o->format = DUMP_JSON;
		break;
	case OPT_OUTPUT:
		o->output = arg;
		break;
	case OPT_FORCE:
		o->force = true;
		break;
	case OPT_ASCII:
		o->ascii = true;
		break;
	case OPT_RECORD:
		o->record = true;
		break;
	case OPT_FEED:
		o->feed = arg;
		break;
	case OPT_QUIET:
		o->quiet = true;
		break;
	case OPT_VERBOSE:
		o->verbose = true;
		break;
	case OPT_SYSROOT:
		o->sysroot = arg;
		break;
	case OPT_DEBUG_DIR:
		o->debug_dir = arg;
		break;
	case OPT_NO_SYMBOLS:
		o->no_symbols = true;
		break;
	case OPT_LINES:
		o->lines = true;
		break;
	default:
		o->read_only = true;
		break;
	}
}

static int set_option(struct dump_options *o, int id, const char *arg, struct err *err)
{
	switch (id) {
	case OPT_PID:
		return proc_target(arg, o->pid, DUMP_PIDS, &o->pids, err);
	case OPT_HUB:
		return add_hub(o, arg, err);
	case OPT_ALL:
		return add_all(o, err);
	case OPT_TIMEOUT:
		return units_parse_span(arg, "--timeout", 1000000, UINT64_C(3600000000000),
					&o->timeout_ns, err);
	case OPT_FORMAT:
	case OPT_COLOR:
		return set_choice(o, id, arg, err);
	default:
		set_plain(o, id, arg);
		return 0;
	}
}

/* A target that is not there is 3; a word that cannot be understood is 2. */
static int code_of(int err)
{
	switch (err) {
	case -EINVAL:
	case -E2BIG:
	case -EEXIST:
		return CMD_USAGE;
	case -EBADMSG:
	case -EPROTO:
		return CMD_BAD_INPUT;
	default:
		return CMD_NO_TARGET;
	}
}

bool dump_options_read(struct dump_options *o, int argc, char **argv, int *code)
{
	struct opt_walk w;
	struct err err;
	int id, bad = 0;

	*o = (struct dump_options){ .timeout_ns = UINT64_C(5000000000) };
	opt_begin(&w, &cmd_dump_page, argc, argv);
	while (!bad && (id = opt_next(&w, &err)) != OPT_END) {
		if (cmd_common(id, &cmd_dump_page, &err, code))
			return false;
		bad = set_option(o, id, w.arg, &err);
	}
	for (int i = 1; !bad && i <= w.operands; i++)
		bad = proc_target(argv[i], o->pid, DUMP_PIDS, &o->pids, &err);
	if (!bad && !o->pids) {
		bad = err_set(&err, -EINVAL, "no target given");
		err_next(&err, "-p PID, -H HUB or -a; `sigdump list` shows who has the library");
	}
	if (!bad) /* said before anybody is asked for a dump that could not be kept */
		bad = outfile_check(o->output, o->force, &err);
	if (bad)
		*code = cmd_fail(&err, code_of(bad));
	return !bad;
}
