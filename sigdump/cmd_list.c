#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/as/as_signal.h"
#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "lib/base/units.h"
#include "lib/proc/proc_stat.h"
#include "lib/proc/proc_target.h"
#include "sigdump/cmd.h"
#include "sigdump/target.h"

enum { OPT_JSON = 1, OPT_PID };

static const struct opt list_options[] = {
	{ 'j', "json", NULL, "Output", "one JSON object", OPT_JSON },
	{ 0, NULL, NULL, NULL, NULL, 0 },
};

const struct opt_page cmd_list_page = {
	.tool = "sigdump list",
	.does = "the processes that have the library (root: everybody's)",
	.usage = "[OPTIONS]",
	.examples = "  sigdump list            who can be asked for a dump?\n"
		    "  sigdump list --json     the same for a script\n"
		    "  sigdump status -p 4112  more about one of them\n",
	.options = list_options,
};

static const struct opt status_options[] = {
	{ 'p', "pid", "LIST", "Target", "processes, by pid or name, separated by commas", OPT_PID },
	{ 'j', "json", NULL, "Output", "one JSON object", OPT_JSON },
	{ 0, NULL, NULL, NULL, NULL, 0 },
};

const struct opt_page cmd_status_page = {
	.tool = "sigdump status",
	.does = "what the library does in a process: signal, feed, own cost",
	.usage = "-p PID [OPTIONS]",
	.examples = "  sigdump status -p 4112          signal, feed path, last dump, own cost\n"
		    "  sigdump status -p thumbs        by name, if there is only one\n"
		    "  sigdump status -p 4112 --json   the same for a script\n",
	.options = status_options,
};

/* ---- what is told of a process ------------------------------------------------------------------ */

static pid_t dumper_of(const struct target *t)
{
	/* relaxed: a private copy */
	return t->found.has_page ? atomic_load_explicit(&t->found.page.dumper, memory_order_relaxed) :
				   0;
}

/* relaxed: all of these are words of a private copy */
static uint32_t word(const _Atomic uint32_t *w)
{
	/* relaxed: a private copy */
	return atomic_load_explicit(w, memory_order_relaxed);
}

/* Who answers a request, in a word. */
static const char *mode_of(const struct target *t)
{
	if (!t->found.has_page)
		return "forked";
	return dumper_of(t) ? "dumper" : "plain";
}

static const char *owner_of(const struct as_control *page)
{
	if (!page->signal)
		return "off";
	return word(&page->signal_owner) == AS_CONTROL_SIGNAL_OURS ? "library" : "program";
}

static json_t *json_of(const struct target *t)
{
	const struct as_control *p = &t->found.page;
	char signal[AS_SIGNAL_NAME];
	json_t *o = json_pack("{s:i, s:s, s:s, s:I}", "pid", (int)t->pid, "name", t->name, "mode",
			      mode_of(t), "start", (json_int_t)t->stat.start);

	if (!o || !t->found.has_page)
		return o;
	json_object_set_new(o, "dumper", dumper_of(t) ? json_integer(dumper_of(t)) : json_null());
	json_object_set_new(o, "signal",
			    p->signal ? json_string(as_signal_name(signal, (int)p->signal)) :
					json_null());
	json_object_set_new(o, "signal_owner", json_string(owner_of(p)));
	json_object_set_new(o, "writer", json_string(p->writer));
	json_object_set_new(o, "feed", p->feed[0] ? json_string(p->feed) : json_null());
	json_object_set_new(o, "hubs", json_integer(word(&p->hubs)));
	json_object_set_new(o, "children", json_integer(word(&p->children)));
	json_object_set_new(o, "watchdog_ms", json_integer(p->watchdog_ms));
	json_object_set_new(o, "dumps", json_integer(word(&p->dumps)));
	json_object_set_new(o, "step", json_string(as_control_step_name(word(&p->step))));
	json_object_set_new(o, "cpu_us", json_integer((json_int_t)p->cpu_us));
	if (word(&p->dumps))
		json_object_set_new(o, "last",
				    json_pack("{s:i, s:i, s:i, s:i, s:b, s:i}", "threads",
					      (int)p->dump_threads, "captured", (int)p->dump_captured,
					      "disturbed", (int)p->dump_disturbed, "us",
					      (int)p->dump_us, "timeout", (int)p->dump_timeout, "error",
					      p->dump_error));
	return o;
}

static int print_json(const char *kind, json_t *processes)
{
	json_t *o = json_pack("{s:i, s:s, s:o}", "v", 1, "kind", kind, "processes", processes);
	const int failed = !o || json_dumpf(o, stdout, JSON_COMPACT) || putchar('\n') < 0;

	json_decref(o);
	return failed || fflush(stdout) ? CMD_NO_ANSWER : CMD_DONE;
}

/* ---- list ---------------------------------------------------------------------------------------- */

static void print_line(const struct target *t)
{
	const struct as_control *p = &t->found.page;
	char signal[AS_SIGNAL_NAME] = "-";

	if (t->found.has_page && p->signal)
		as_signal_name(signal, (int)p->signal);
	printf("%7d  %-16.16s  %-7s  %-11s  %-8s  %5u  %s\n", (int)t->pid, t->name, mode_of(t), signal,
	       t->found.has_page ? owner_of(p) : "-", t->found.has_page ? word(&p->dumps) : 0,
	       t->found.has_page && p->feed[0] ? p->feed : "-");
}

static int list_all(bool json, struct err *err)
{
	FREES pid_t *pids = NULL;
	size_t n, shown = 0;
	json_t *array = json_array();

	if (proc_list(getuid() ? getuid() : (uid_t)-1, &pids, &n, err))
		return cmd_fail(err, CMD_NO_TARGET);
	for (size_t i = 0; i < n; i++) {
		struct target t;

		if (target_init(&t, pids[i], NULL))
			continue;
		if (t.found.library && json)
			json_array_append_new(array, json_of(&t));
		else if (t.found.library) {
			if (!shown)
				printf("    PID  NAME              MODE     SIGNAL       OWNER     DUMPS  FEED\n");
			print_line(&t);
		}
		shown += t.found.library;
		target_fini(&t);
	}
	if (json)
		return print_json("processes", array);
	json_decref(array);
	if (!shown && getuid())
		printf("no process of UID %u with the library (root sees those of everybody). "
		       "Try: sigdump run -- COMMAND\n", (unsigned)getuid());
	else if (!shown)
		printf("no process with the library. Try: sigdump run -- COMMAND\n");
	return CMD_DONE;
}

int cmd_list(int argc, char **argv)
{
	struct opt_walk w;
	struct err err;
	bool json = false;
	int id, code;

	opt_begin(&w, &cmd_list_page, argc, argv);
	while ((id = opt_next(&w, &err)) != OPT_END) {
		if (cmd_common(id, &cmd_list_page, &err, &code))
			return code;
		json = true;
	}
	if (w.operands) {
		err_set(&err, -EINVAL, "%s: list takes no operands", argv[1]);
		err_next(&err, "sigdump status -p %s", argv[1]);
		return cmd_fail(&err, CMD_USAGE);
	}
	return list_all(json, &err);
}

/* ---- status ------------------------------------------------------------------------------------- */

static void print_dumps(const struct as_control *p)
{
	printf("  dumps     %u", word(&p->dumps));
	if (word(&p->dumps))
		printf("; the last: %u threads, %u with a stack, %u disturbed, %.1f ms%s",
		       p->dump_threads, p->dump_captured, p->dump_disturbed, p->dump_us / 1000.0,
		       p->dump_timeout ? ", cut off by its deadline" : "");
	printf("\n");
	if (p->dump_error) {
		errno = -p->dump_error;
		printf("  error     the last dump could not be written: %m\n");
	}
}

static void print_page(const struct target *t)
{
	const struct as_control *p = &t->found.page;
	char signal[AS_SIGNAL_NAME], span[UNITS_TEXT];

	printf("  dumper    ");
	if (dumper_of(t))
		printf("thread %d, %s\n", (int)dumper_of(t), as_control_step_name(word(&p->step)));
	else
		printf("none: one thread, nothing registered; `sigdump dump` looks from outside\n");
	if (p->signal)
		printf("  signal    %s, %s\n", as_signal_name(signal, (int)p->signal),
		       word(&p->signal_owner) == AS_CONTROL_SIGNAL_OURS ?
			       "makes a dump" :
			       "the program's own: ask by `sigdump dump`");
	else
		printf("  signal    off\n");
	printf("  feed      %s\n", p->feed[0] ? p->feed : "none yet: made at the first dump");
	print_dumps(p);
	printf("  told      %u hubs, %u children\n", word(&p->hubs), word(&p->children));
	if (p->watchdog_ms)
		printf("  watchdog  dumps after %s without progress\n",
		       units_span(span, (uint64_t)p->watchdog_ms * 1000000));
	else
		printf("  watchdog  off\n");
	printf("  own cost  %.1f ms of CPU time in all dumps\n", (double)p->cpu_us / 1000.0);
}

static void print_status(const struct target *t)
{
	if (t->found.has_page)
		printf("%s pid %d: has the library, version %s\n", t->name, (int)t->pid,
		       t->found.page.writer);
	else
		printf("%s pid %d: has the library (a fork child that has started no thread)\n", t->name,
		       (int)t->pid);
	if (t->found.has_page)
		print_page(t);
}

static int no_library(const struct target *t, struct err *err)
{
	if (t->find_error == -EACCES || t->find_error == -EPERM)
		return target_refused(t, t->find_error, err);
	if (t->find_error) {
		err_set(err, t->find_error, "pid %d (%s): its control page is of another version",
			(int)t->pid, t->name);
		return err_next(err, "use the sigdump of the release it was started with");
	}
	err_set(err, -ENOENT, "pid %d (%s): the library is not loaded", (int)t->pid, t->name);
	return err_next(err, "sigdump run -- %s ...", t->name);
}

static int status_of(pid_t pid, json_t *array, struct err *err)
{
	struct target t;

	int code = target_init(&t, pid, err);
	if (code)
		return code;
	if (!t.found.library || t.find_error)
		code = no_library(&t, err);
	else if (array)
		json_array_append_new(array, json_of(&t));
	else
		print_status(&t);
	target_fini(&t);
	return code;
}

int cmd_status(int argc, char **argv)
{
	enum { PIDS = 256 };
	pid_t pid[PIDS];
	size_t n = 0;
	struct opt_walk w;
	struct err err;
	bool json = false;
	int id, code;

	opt_begin(&w, &cmd_status_page, argc, argv);
	while ((id = opt_next(&w, &err)) != OPT_END) {
		if (cmd_common(id, &cmd_status_page, &err, &code))
			return code;
		json = json || id == OPT_JSON;
		if (id == OPT_PID && proc_target(w.arg, pid, PIDS, &n, &err))
			return cmd_fail(&err, err.code == -EINVAL ? CMD_USAGE : CMD_NO_TARGET);
	}
	for (int i = 1; i <= w.operands; i++)
		if (proc_target(argv[i], pid, PIDS, &n, &err))
			return cmd_fail(&err, err.code == -EINVAL ? CMD_USAGE : CMD_NO_TARGET);
	if (!n) {
		err_set(&err, -EINVAL, "no process given");
		err_next(&err, "sigdump status -p PID; `sigdump list` shows who has the library");
		return cmd_fail(&err, CMD_USAGE);
	}
	json_t *array = json ? json_array() : NULL;
	code = CMD_DONE;
	for (size_t i = 0; i < n; i++)
		if (status_of(pid[i], array, &err))
			code = cmd_fail(&err, CMD_NO_TARGET);
	if (json && print_json("status", array))
		return CMD_NO_ANSWER;
	return code;
}
