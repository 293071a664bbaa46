#include "shmtop/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/complete.h"
#include "lib/base/units.h"
#include "lib/base/when.h"
#include "lib/proc/proc_target.h"

static const struct opt table[] = {
	{ 'p', "pid", "LIST", "Target", "these processes too (pids or names, separated by commas)",
	  'p' },
	{ 'H', "hub", "PATH", "Target", "this hub (default: all hubs of this user)", 'H' },
	{ 'r', "replay", NULL, "Target", "the arguments are feeds: time travel instead of live",
	  'r' },
	{ 'i', "interval", "DUR", "Time", "between samples, 0.1s to 1h (default 1s)", 'i' },
	{ 'n', "count", "N", "Time", "stop after N samples", 'n' },
	{ 't', "since", "TIME", "Time", "replay from here: 14:02, 5m (ago), RFC 3339", 't' },
	{ 0, "until", "TIME", "Time", "replay up to here", 'u' },
	{ 0, "growth-min", "DUR", "Time", "least history for a verdict on growth (default 10min)",
	  'g' },
	{ 'b', "batch", NULL, "Output", "plain frames, no terminal (default when stdout is none)",
	  'b' },
	{ 'j', "json", NULL, "Output", "with -b: one JSON object per sample", 'j' },
	{ 'o', "output", "FILE", "Output", "with -b: into FILE (- is stdout)", 'o' },
	{ 0, "force", NULL, "Output", "write over an existing FILE", 'f' },
	{ 'F', "filter", "EXPR", "Output", "only these rows: peer=3 name~cache slots>=10", 'F' },
	{ 's', "sort", "KEY", "Output", "order of the rows (--sort help lists the keys)", 's' },
	{ 'C', "color", "WHEN", "Output", "auto, always or never", 'C' },
	{ 'A', "ascii", NULL, "Output", "no character beyond ASCII", 'A' },
	{ 0, "no-mouse", NULL, "Output", "leave the mouse to the terminal", 'm' },
	{ 0, "fail-on", "LEVEL", "Output",
	  "critical, warning, info or never: which findings give exit 1", 'x' },
	{ 'q', "quiet", NULL, "Output", "only errors on stderr", 'q' },
	{ 'v', "verbose", NULL, "Output", "what is read and how long it took", 'v' },
	{ 'R', "read-only", NULL, "Safety", "nothing that perturbs: blocked threads are only read",
	  'R' },
	{ 0, "passive", NULL, "Safety", "the same as --read-only", 'R' },
	{ 0, "completion", "SHELL", NULL, NULL, 'c' },
	{ 0, "script", "KEYS", NULL, NULL, 'S' },
	{ 0, "script-size", "COLSxROWS", NULL, NULL, 'Z' },
	{ 0, NULL, NULL, NULL, NULL, 0 },
};

static const struct opt_values values[] = {
	{ "KEY", "id name pid state beat recv send rate calls slots rss" },
	{ NULL, NULL },
};

const struct opt_page options_page = {
	.tool = "shmtop",
	.does = "why does it hang, why does it grow: hubs and processes, live",
	.usage = "[OPTIONS] [HUB|FEED...]",
	.examples = "  shmtop                         all hubs of this user, live\n"
		    "  shmtop -b -n 1 demo.hub        one frame as text, for a ticket\n"
		    "  shmtop -r feeds/ -t 14:00      what was seen since two o'clock\n",
	.options = table,
	.operands = COMPLETE_HUB,
	.values = values,
};

static int wrong(struct err *err, const char *option, const char *value, const char *expected)
{
	err_set(err, -EINVAL, "%s: \"%s\" is none of %s", option, value, expected);
	err_next(err, "`shmtop --help` lists the options");
	return -EINVAL;
}

static int add_text(const char **list, size_t *n, const char *text, const char *what,
		    struct err *err)
{
	if (*n == OPTIONS_TARGETS)
		return err_set(err, -E2BIG, "%s: more than %d", what, OPTIONS_TARGETS);
	list[(*n)++] = text;
	return 0;
}

static int set_color(struct options *o, const char *text, struct err *err)
{
	static const char *const words[] = { "auto", "always", "never" };

	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(text, words[i]) == 0) {
			o->color = (enum color)i;
			o->has_color = true;
			return 0;
		}
	}
	return wrong(err, "--color", text, "auto, always, never");
}

static int set_fail_on(struct options *o, const char *text, struct err *err)
{
	o->has_fail_on = true;
	o->fail_on = SEVERITIES;
	if (strcmp(text, "never") == 0)
		return 0;
	for (enum severity s = SEVERITY_CRITICAL; s < SEVERITIES; s++) {
		if (strcmp(text, severity_name(s)) == 0) {
			o->fail_on = s;
			return 0;
		}
	}
	return wrong(err, "--fail-on", text, "critical, warning, info, never");
}

static int set_sort(struct options *o, const char *text, struct err *err)
{
	char keys[120] = "";
	const int sort = top_sort_find(text);

	if (sort >= 0) {
		o->sort = (enum top_sort)sort;
		return 0;
	}
	for (int s = 0; s < TOP_SORTS; s++) {
		const size_t used = strlen(keys);

		snprintf(keys + used, sizeof(keys) - used, "%s%s", used ? ", " : "",
			 top_sort_name((enum top_sort)s));
	}
	if (strcmp(text, "help") != 0)
		return wrong(err, "--sort", text, keys);
	printf("sort keys: %s\n", keys);
	return 1;
}

static int set_moment(uint64_t *us, const char *what, const char *text, struct err *err)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return when_parse(text, what, (uint64_t)now.tv_sec * 1000000, us, err);
}

static int set_script_size(struct options *o, const char *text, struct err *err)
{
	if (sscanf(text, "%4dx%4d", &o->script_cols, &o->script_rows) != 2 || o->script_cols < 1 ||
	    o->script_rows < 1)
		return wrong(err, "--script-size", text, "80x24, 120x40, ...");
	return 0;
}

static int set_span(uint64_t *us, const char *what, const char *text, struct err *err)
{
	uint64_t ns = 0;
	const int r = units_parse_span(text, what, 0, UINT64_C(86400000000000), &ns, err);

	*us = ns / 1000;
	return r;
}

static int put_completion(const char *shell, struct err *err)
{
	const struct opt_page *page = &options_page;
	const int r = complete_write(stdout, shell, &page, 1, err);

	return r ? r : 1;
}

static int set_option(struct options *o, int id, const char *arg, struct err *err)
{
	switch (id) {
	case 'p':
		return proc_target(arg, o->pid, OPTIONS_TARGETS, &o->pids, err);
	case 'H':
		return add_text(o->hub, &o->hubs, arg, "--hub", err);
	case 'i':
		return units_parse_span(arg, "--interval", 100000000, UINT64_C(3600000000000),
					&o->interval_ns, err);
	case 'n':
		return units_parse_u64(arg, "--count", 1, UINT64_MAX, &o->count, err);
	case 't':
		return set_moment(&o->since_us, "--since", arg, err);
	case 'u':
		return set_moment(&o->until_us, "--until", arg, err);
	case 'g':
		return set_span(&o->growth_min_us, "--growth-min", arg, err);
	case 's':
		return set_sort(o, arg, err);
	case 'C':
		return set_color(o, arg, err);
	case 'x':
		return set_fail_on(o, arg, err);
	case 'c':
		return put_completion(arg, err);
	case 'Z':
		return set_script_size(o, arg, err);
	case 'r':
		o->replay = true;
		break;
	case 'b':
		o->batch = true;
		break;
	case 'j':
		o->json = true;
		break;
	case 'o':
		o->output = arg;
		break;
	case 'f':
		o->force = true;
		break;
	case 'F':
		o->filter = arg;
		break;
	case 'A':
		o->ascii = o->has_ascii = true;
		break;
	case 'm':
		o->no_mouse = true;
		break;
	case 'q':
		o->quiet = true;
		break;
	case 'v':
		o->verbose = true;
		break;
	case 'R':
		o->read_only = true;
		break;
	case 'S':
		o->script = arg;
		break;
	}
	return 0;
}

/* Options that mean nothing together are mistakes, and told so. */
static int check_together(const struct options *o, struct err *err)
{
	if (o->json && !o->batch)
		return err_set(err, -EINVAL, "--json: only with --batch");
	if (o->output && !o->batch)
		return err_set(err, -EINVAL, "--output: only with --batch (the w key writes a screen)");
	if (o->replay && !o->operands)
		return err_set(err, -EINVAL, "--replay: needs a feed, or a directory of feeds");
	if (o->replay && (o->hubs || o->pids))
		return err_set(err, -EINVAL, "--replay: the past has no --hub and no --pid");
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct err *err)
{
	struct opt_walk w;
	int id, r = 0;

	*o = (struct options){ .interval_ns = 1000000000, .fail_on = SEVERITIES, .script_rows = 24,
			       .script_cols = 80 };
	opt_begin(&w, &options_page, argc, argv);
	while (r == 0 && (id = opt_next(&w, err)) != OPT_END) {
		if (id == OPT_WRONG)
			return -EINVAL;
		if (id == OPT_HELP || id == OPT_HELP_SHORT)
			opt_help(stdout, &options_page, id == OPT_HELP_SHORT);
		else if (id == OPT_VERSION)
			opt_version(stdout, &options_page);
		if (id == OPT_HELP || id == OPT_HELP_SHORT || id == OPT_VERSION)
			return 1;
		r = set_option(o, id, w.arg, err);
	}
	for (int i = 1; r == 0 && i <= w.operands; i++)
		r = add_text(o->operand, &o->operands, argv[i], "arguments", err);
	return r ? r : check_together(o, err);
}
