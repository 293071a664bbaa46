#include "shminspect/options.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/base/complete.h"
#include "lib/base/when.h"
#include "lib/report/report.h"

enum {
	OPT_EXPLAIN = 1,
	OPT_SINCE,
	OPT_UNTIL,
	OPT_FORMAT,
	OPT_JSON,
	OPT_OUTPUT,
	OPT_FORCE,
	OPT_COLOR,
	OPT_ASCII,
	OPT_NO_PAGER,
	OPT_FAIL_ON,
	OPT_STRICT,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_SYSROOT,
	OPT_DEBUG_DIR,
	OPT_NO_SYMBOLS,
	OPT_COMPLETION,
	OPT_FINDINGS_PAGE,
	OPT_MESSAGES,
	OPT_SLOTS,
};

static const struct opt table[] = {
	{ 't', "since", "TIME", "Time", "only from here on: 14:02, 5m (ago), RFC 3339", OPT_SINCE },
	{ 0, "until", "TIME", "Time", "only up to here", OPT_UNTIL },
	{ 'f', "format", "FORM", "Output", "text or json (default text)", OPT_FORMAT },
	{ 'j', "json", NULL, "Output", "the same as --format json", OPT_JSON },
	{ 'o', "output", "FILE", "Output", "into FILE (- is stdout)", OPT_OUTPUT },
	{ 0, "force", NULL, "Output", "write over an existing FILE", OPT_FORCE },
	{ 'C', "color", "WHEN", "Output", "auto, always or never", OPT_COLOR },
	{ 'A', "ascii", NULL, "Output", "no character beyond ASCII", OPT_ASCII },
	{ 0, "no-pager", NULL, "Output", "never through a pager", OPT_NO_PAGER },
	{ 'q', "quiet", NULL, "Output", "only errors on stderr", OPT_QUIET },
	{ 'v', "verbose", NULL, "Output",
	  "every ring, class and stack; what is read, how long it took", OPT_VERBOSE },
	{ 0, "messages", NULL, "Output", "the last messages of each ring of a hub file", OPT_MESSAGES },
	{ 0, "slots", NULL, "Output", "every slot of a hub file that is not free", OPT_SLOTS },
	{ 0, "fail-on", "LEVEL", "Result",
	  "findings that give exit 1: critical, warning, info or never", OPT_FAIL_ON },
	{ 0, "strict", NULL, "Result", "exit 4 when an input is damaged or cut off", OPT_STRICT },
	{ 0, "sysroot", "DIR", "Symbols", "programs and libraries of the machine looked at",
	  OPT_SYSROOT },
	{ 0, "debug-dir", "DIR", "Symbols", "separate debug files", OPT_DEBUG_DIR },
	{ 0, "no-symbols", NULL, "Symbols", "numbers only", OPT_NO_SYMBOLS },
	{ 0, "explain", "NAME", "Other", "what a finding means (list: all of them)", OPT_EXPLAIN },
	{ 0, "completion", "SHELL", NULL, NULL, OPT_COMPLETION },
	{ 0, "findings-page", NULL, NULL, NULL, OPT_FINDINGS_PAGE },
	{ 0, NULL, NULL, NULL, NULL, 0 },
};

static char finding_names[2048]; /* filled when a completion is made */
static const struct opt_values values[] = {
	{ "FORM", "text json" },
	{ "NAME", finding_names },
	{ NULL, NULL },
};

const struct opt_page options_page = {
	.tool = "shminspect",
	.does = "why did it hang: a report from hub files and feeds",
	.usage = "[OPTIONS] FILE...\n--explain NAME",
	.examples =
		"  shminspect /dev/shm/demo.hub feeds/    a hub file and the feeds beside it\n"
		"  shminspect --json feeds/ | jq .verdict   for scripts\n"
		"  shminspect --explain missed-wakeup       what that means, and how to fix it\n",
	.options = table,
	.operands = COMPLETE_HUB,
	.values = values,
};

/* The word's place in a list ending in NULL; what was wrong goes to err. */
static int choose(const char *option, const char *word, const char *const *words, struct err *err)
{
	char list[120] = "";

	for (int i = 0; words[i]; i++) {
		const size_t used = strlen(list);

		if (strcmp(word, words[i]) == 0)
			return i;
		snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", words[i]);
	}
	err_set(err, -EINVAL, "%s: \"%s\" is none of %s", option, word, list);
	err_next(err, "`shminspect --help` lists the options");
	return -EINVAL;
}

static int set_format(struct options *o, const char *word, struct err *err)
{
	static const char *const words[] = { "text", "json", NULL };
	const int i = choose("--format", word, words, err);

	o->format = i < 0 ? o->format : (enum format)i;
	return i < 0 ? i : 0;
}

static int set_color(struct options *o, const char *word, struct err *err)
{
	static const char *const words[] = { "auto", "always", "never", NULL };
	const int i = choose("--color", word, words, err);

	o->color = i < 0 ? o->color : (enum color)i;
	return i < 0 ? i : 0;
}

static int set_fail_on(struct options *o, const char *word, struct err *err)
{
	static const char *const words[] = { "critical", "warning", "info", "never", NULL };
	const int i = choose("--fail-on", word, words, err);

	o->fail_on = i < 0 ? o->fail_on : (enum severity)i;
	return i < 0 ? i : 0;
}

static int set_time(uint64_t *us, const char *option, const char *text, struct err *err)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return when_parse(text, option,
			  (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000, us, err);
}

static int put_completion(const char *shell, struct err *err)
{
	const struct opt_page *page = &options_page;
	size_t n, used = 0;
	const struct rule *const *rules = rules_all(&n);

	for (size_t i = 0; i < n && used < sizeof(finding_names); i++)
		used += (size_t)snprintf(finding_names + used, sizeof(finding_names) - used, "%s ",
					 rules[i]->name);
	const int r = complete_write(stdout, shell, &page, 1, err);

	return r ? r : 1;
}

static int set_option(struct options *o, int id, const char *arg, struct err *err)
{
	switch (id) {
	case OPT_SINCE:
		return set_time(&o->since_us, "--since", arg, err);
	case OPT_UNTIL:
		return set_time(&o->until_us, "--until", arg, err);
	case OPT_FORMAT:
		return set_format(o, arg, err);
	case OPT_COLOR:
		return set_color(o, arg, err);
	case OPT_FAIL_ON:
		return set_fail_on(o, arg, err);
	case OPT_COMPLETION:
		return put_completion(arg, err);
	case OPT_FINDINGS_PAGE:
		report_findings_page(stdout);
		return 1;
	case OPT_JSON:
		o->format = FORMAT_JSON;
		break;
	case OPT_OUTPUT:
		o->output = strcmp(arg, "-") == 0 ? NULL : arg;
		break;
	case OPT_EXPLAIN:
		o->explain = arg;
		break;
	case OPT_SYSROOT:
		o->sysroot = arg;
		break;
	case OPT_DEBUG_DIR:
		o->debug_dir = arg;
		break;
	case OPT_FORCE:
		o->force = true;
		break;
	case OPT_ASCII:
		o->ascii = true;
		break;
	case OPT_NO_PAGER:
		o->no_pager = true;
		break;
	case OPT_QUIET:
		o->quiet = true;
		break;
	case OPT_VERBOSE:
		o->verbose = true;
		break;
	case OPT_STRICT:
		o->strict = true;
		break;
	case OPT_MESSAGES:
		o->messages = true;
		break;
	case OPT_SLOTS:
		o->slots = true;
		break;
	case OPT_NO_SYMBOLS:
		o->no_symbols = true;
		break;
	}
	return 0;
}

static int check(struct options *o, int operands, struct err *err)
{
	if (o->since_us && o->until_us && o->since_us > o->until_us)
		return err_set(err, -EINVAL, "--since: lies after --until");
	if (o->explain && operands) {
		err_set(err, -EINVAL, "--explain: takes a name and no files");
		err_next(err, "shminspect --explain %s", o->explain);
		return -EINVAL;
	}
	if (!o->explain && !operands) {
		err_set(err, -EINVAL,
			"FILE: missing (a hub file, a feed, or a directory of feeds)");
		err_next(err, "shminspect /dev/shm/NAME.hub; `shmtop` finds the hubs of this user");
		return -EINVAL;
	}
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct err *err)
{
	struct opt_walk walk;
	int id, r;

	*o = (struct options){ .fail_on = SEVERITY_WARNING };
	opt_begin(&walk, &options_page, argc, argv);
	while ((id = opt_next(&walk, err)) != OPT_END) {
		if (id == OPT_WRONG)
			return -EINVAL;
		if (id == OPT_HELP || id == OPT_HELP_SHORT) {
			opt_help(stdout, &options_page, id == OPT_HELP_SHORT);
			return 1;
		}
		if (id == OPT_VERSION) {
			opt_version(stdout, &options_page);
			return 1;
		}
		r = set_option(o, id, walk.arg, err);
		if (r)
			return r;
	}
	argv[walk.operands + 1] = NULL;
	o->paths = (const char *const *)argv + 1;
	return check(o, walk.operands, err);
}
