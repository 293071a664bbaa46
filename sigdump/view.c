#include "sigdump/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/report/report.h"
#include "lib/state/source.h"
#include "lib/state/symbolize.h"

enum { COLUMNS = 100, HISTORY_DUMPS = 4, HISTORY_LEAST = 1 << 15, HISTORY_MOST = 1 << 20 };

/* ---- records ----------------------------------------------------------------------------------- */

/* Lines before the part are wanted if they are the first one, or dictionary. */
static bool stands_before(const char *line, uint64_t at)
{
	static const char module[] = "{\"v\":1,\"t\":\"module\"", stack[] = "{\"v\":1,\"t\":\"stack\"";

	return at == 0 || strncmp(line, module, sizeof(module) - 1) == 0 ||
	       strncmp(line, stack, sizeof(stack) - 1) == 0;
}

static int copy_part(FILE *out, const struct view_part *part, struct err *err)
{
	FREES char *line = NULL;
	size_t room = 0;
	uint64_t at = 0;
	ssize_t n;
	FCLOSES FILE *f = fopen(part->path, "re");

	if (!f)
		return err_set(err, -errno, "%s: cannot be read (%m)", part->path);
	while (at < part->to && (n = getline(&line, &room, f)) > 0) {
		if (at >= part->from || stands_before(line, at))
			fwrite(line, 1, (size_t)n, out);
		at += (uint64_t)n;
	}
	return 0;
}

int view_records(FILE *out, const struct view_part *parts, size_t n, struct err *err)
{
	int code = 0;

	for (size_t i = 0; !code && i < n; i++)
		code = copy_part(out, &parts[i], err);
	return code;
}

/* ---- text and JSON ----------------------------------------------------------------------------- */

static struct paper paper_for(FILE *out, const struct dump_options *o)
{
	struct paper p = { .out = out,
			   .columns = COLUMNS,
			   .color = color_is_wanted(o->color, isatty(fileno(out))),
			   .ascii = o->ascii,
			   .verbose = o->verbose };
	struct winsize size;

	if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col)
		p.columns = size.ws_col;
	return p;
}

static int look(struct judge *judge, const struct state *st, struct err *err)
{
	return judge_look(judge, st) ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static size_t dumps_of(const struct state *st, uint64_t family)
{
	size_t n = 0;

	for (size_t i = 0; i < st->processes; i++)
		n += st->process[i].family == family;
	return n;
}

/*
 * All states of the feeds go before the judge, but for the last one, which is what is shown:
 * it is to have its names first, and names cost too much to give them to every one. What somebody
 * else has asked for since is behind it.
 */
static int read_states(struct source *src, struct judge *judge, uint64_t family,
		       struct living *living, bool stacks, struct state *last, struct err *err)
{
	struct state st;
	bool is_first = true;
	int more;

	state_init(last);
	while ((more = source_next(src, &st, err)) == 1) {
		if (!is_first && dumps_of(&st, family) < dumps_of(last, family)) {
			state_fini(&st);
			return 0;
		}
		int code = is_first ? 0 : look(judge, last, err);

		is_first = false;
		state_fini(last);
		*last = st;
		if (!code && living_look(living, last, family, stacks))
			code = err_set(err, -ENOMEM, "out of memory");
		if (code)
			return code;
	}
	return more;
}

static int print_json(FILE *out, const struct report *r, struct err *err)
{
	json_t *o = report_json(r);
	const int failed = !o || json_dumpf(o, out, JSON_COMPACT) || putc('\n', out) < 0;

	json_decref(o);
	return failed ? err_set(err, -EIO, "the report cannot be written (%m)") : 0;
}

/* Returns how many processes were told. */
static size_t print_text(FILE *out, const struct report *r, uint64_t family,
			 const struct dump_options *o)
{
	const struct paper p = paper_for(out, o);
	size_t shown = 0;

	for (size_t i = 0; i < r->st->processes; i++) {
		if (r->st->process[i].family != family)
			continue;
		if (shown++)
			putc('\n', out);
		report_dump(&p, r, &r->st->process[i]);
	}
	return shown;
}

static int print(FILE *out, struct state *st, struct judge *judge, uint64_t family,
		 const struct dump_options *o, struct err *err)
{
	struct report r = { .st = st, .findings = judge_findings(judge) };

	if (report_begin(&r))
		return err_set(err, -ENOMEM, "out of memory");
	int code = 0;
	if (o->format == DUMP_JSON)
		code = print_json(out, &r, err);
	else if (!print_text(out, &r, family, o))
		code = err_set(err, -ENODATA, "the dump is not in its feed: somebody has changed the file");
	report_end(&r);
	return code;
}

static void warn_of_symbols(const struct sym_cache *cache, const struct dump_options *o)
{
	for (size_t i = 0; !o->quiet && i < sym_warnings(cache); i++)
		err_print(stderr, "sigdump", "warning", sym_warning(cache, i));
}

static int judge_and_print(FILE *out, struct source *src, struct sym_cache *cache, uint64_t family,
			   struct living *living, bool may_wait, const struct dump_options *o,
			   struct err *err)
{
	struct state last;
	struct judge *judge = judge_create(NULL);

	if (!judge)
		return err_set(err, -ENOMEM, "out of memory");
	int code = read_states(src, judge, family, living, !may_wait, &last, err);
	if (!code && state_symbolize(&last, cache, NULL))
		code = err_set(err, -ENOMEM, "out of memory");
	if (!code)
		code = look(judge, &last, err);
	if (!code && may_wait && judge_findings(judge)->wants_threads)
		code = 1;
	if (!code)
		warn_of_symbols(cache, o);
	if (!code)
		code = print(out, &last, judge, family, o, err);
	state_fini(&last);
	judge_destroy(judge);
	return code;
}

/*
 * How much of the feeds to read: the dumps, and the few before them, which tell since when threads
 * have not moved. A feed may have grown for days, and to read a MiB takes longer than all the rest.
 */
static uint64_t recent_bytes(const struct view_part *parts, size_t n)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < n; i++)
		if (parts[i].to - parts[i].from > longest)
			longest = parts[i].to - parts[i].from;
	uint64_t history = HISTORY_DUMPS * longest;

	history = history > HISTORY_LEAST ? history : HISTORY_LEAST;
	return longest + (history < HISTORY_MOST ? history : HISTORY_MOST);
}

int view_processes(FILE *out, const struct view_part *parts, size_t n, uint64_t family,
		   struct living *living, bool may_wait, const struct dump_options *o,
		   struct err *err)
{
	const struct sym_options symbols = { .sysroot = o->sysroot,
					     .debug_dir = o->debug_dir,
					     .no_symbols = o->no_symbols,
					     .libc_by_symbols = !o->lines };
	const struct source_options options = { .stacks = true,
						.recent_bytes = recent_bytes(parts, n) };
	FREES const char **paths = calloc(n + 1, sizeof(*paths));
	struct sym_cache *cache = NULL;
	struct source *src = NULL;

	if (!paths)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		paths[i] = parts[i].path;
	int code = sym_create(&symbols, &cache, err);
	if (!code)
		code = source_open_paths(paths, &options, &src, err);
	if (!code)
		code = judge_and_print(out, src, cache, family, living, may_wait, o, err);
	source_close(src);
	sym_destroy(cache);
	return code;
}
