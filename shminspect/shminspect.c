/*
 * shminspect - a report from what is left: hub files and feeds in, a verdict out.
 *
 *	sources -> states -> (names) -> judge -> report
 *
 * States are judged one after the other as they come; only the last one is kept, for the tables.
 */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/cleanup.h"
#include "lib/base/exit_code.h"
#include "lib/base/outfile.h"
#include "lib/base/units.h"
#include "lib/report/report.h"
#include "lib/state/source.h"
#include "lib/state/symbolize.h"
#include "shminspect/options.h"
#include "shminspect/output.h"
#include "shminspect/progress.h"

struct inspection {
	struct options options;
	struct source *source;
	struct sym_cache *symbols;
	struct judge *judge;
	struct state last;
	bool has_state;
	uint64_t from_us, began_us;
	size_t looks;
};

static const char tool[] = "shminspect";

static int usage(const struct err *err)
{
	err_print_usage(stderr, tool, err);
	return EXIT_USAGE;
}

static int fail(const struct err *err)
{
	progress_done();
	err_print(stderr, tool, "error", err);
	return (int)exit_code_of(err);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- --explain ------------------------------------------------------------------------------ */

static void list_rules(FILE *out)
{
	const struct paper p = { .out = out, .columns = 100 };
	size_t n;
	const struct rule *const *rules = rules_all(&n);

	for (enum severity s = SEVERITY_CRITICAL; s < SEVERITIES; s++)
		for (size_t i = 0; i < n; i++)
			if (rules[i]->severity == s)
				paper_label(&p, 2, rules[i]->name, 21, INK_PLAIN, rules[i]->means);
}

static int explain(const struct options *o, struct err *err)
{
	const struct rule *rule = rules_find(o->explain);
	char *text = NULL;
	size_t len;

	if (!rule && strcmp(o->explain, "list") != 0) {
		const struct rule *nearest = rules_nearest(o->explain);

		if (nearest)
			err_set(err, -EINVAL, "--explain: no finding \"%s\" (did you mean %s?)",
				o->explain, nearest->name);
		else
			err_set(err, -EINVAL, "--explain: no finding \"%s\"", o->explain);
		err_next(err, "`shminspect --explain list` names them all");
		return usage(err);
	}
	struct paper p = { .out = open_memstream(&text, &len) };

	if (!p.out) {
		err_set(err, -ENOMEM, "out of memory");
		return fail(err);
	}
	output_paper(o, &p);
	if (rule)
		report_explain(&p, rule);
	else
		list_rules(p.out);
	fclose(p.out);
	const int r = output_write(o, text, len, err);

	free(text);
	return r ? fail(err) : EXIT_DONE;
}

/* ---- reading -------------------------------------------------------------------------------- */

static int begin(struct inspection *in, struct err *err)
{
	const struct options *o = &in->options;
	const struct source_options wanted = { .since_us = o->since_us, .until_us = o->until_us,
					       .messages = o->messages,
					       .slots = o->slots };
	const struct sym_options names = { .sysroot = o->sysroot,
					   .debug_dir = o->debug_dir,
					   .no_symbols = o->no_symbols };
	int r = output_check(o, err);

	if (!r)
		r = sym_create(&names, &in->symbols, err);
	if (!r)
		r = source_open_paths(o->paths, &wanted, &in->source, err);
	if (!r && !(in->judge = judge_create(NULL)))
		r = err_set(err, -ENOMEM, "out of memory");
	return r;
}

static int take_state(struct inspection *in, struct state *st, struct err *err)
{
	const bool names = !in->options.no_symbols && !progress_was_stopped();

	progress_stage("symbols", st->stacks);
	if ((names && state_symbolize(st, in->symbols, progress_tick) < 0) ||
	    judge_look(in->judge, st)) {
		state_fini(st);
		return err_set(err, -ENOMEM, "out of memory (%zu threads, %zu hubs in one look)",
			       st->processes, st->hubs);
	}
	if (in->has_state)
		state_fini(&in->last);
	else
		in->from_us = st->now_us;
	in->last = *st;
	in->has_state = true;
	in->looks++;
	return 0;
}

static int read_all(struct inspection *in, struct err *err)
{
	struct state st;
	int r;

	while (!progress_was_stopped() && (r = source_next(in->source, &st, err)) != 0) {
		if (r < 0)
			return r;
		r = take_state(in, &st, err);
		if (r)
			return r;
		progress_stage("states", 0);
		progress_tick();
	}
	if (in->has_state)
		return 0;
	err_set(err, -ENOENT, "%s: nothing between --since and --until", in->options.paths[0]);
	return -ENOENT;
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool is_complete(const struct state *st)
{
	for (size_t i = 0; i < st->inputs; i++)
		if (!st->input[i].complete)
			return false;
	return true;
}

static void warn(const struct inspection *in)
{
	struct err err;

	if (in->options.quiet)
		return;
	for (size_t i = 0; i < in->last.inputs; i++) {
		const struct state_input *input = &in->last.input[i];

		if (input->complete)
			continue;
		err_set(&err, -EBADMSG, "%s: %s", input->path,
			input->note ? input->note : "not complete");
		err_next(&err, "the report goes on with the rest");
		err_print(stderr, tool, "warning", &err);
	}
	for (size_t i = 0; i < sym_warnings(in->symbols); i++)
		err_print(stderr, tool, "warning", sym_warning(in->symbols, i));
}

static void tell_what_was_read(const struct inspection *in)
{
	char took[UNITS_TEXT];

	if (!in->options.verbose || in->options.quiet)
		return;
	for (size_t i = 0; i < in->last.inputs; i++)
		fprintf(stderr, "%s: note: read %s (%s)\n", tool, in->last.input[i].path,
			in->last.input[i].type);
	fprintf(stderr, "%s: note: %zu state%s in %s\n", tool, in->looks, in->looks == 1 ? "" : "s",
		units_span(took, (now_us() - in->began_us) * 1000));
}

static int write_json(const struct report *r, FILE *out)
{
	json_t *o = report_json(r);
	const int failed = !o || json_dumpf(o, out, JSON_INDENT(1) | JSON_REAL_PRECISION(12));

	json_decref(o);
	fputc('\n', out);
	return failed ? -ENOMEM : 0;
}

static int render(struct inspection *in, char **text, size_t *len)
{
	struct report r = { .st = &in->last,
			    .findings = judge_findings(in->judge),
			    .from_us = in->from_us,
			    .took_us = now_us() - in->began_us,
			    .partial = progress_was_stopped() };
	struct paper p = { .out = open_memstream(text, len) };
	int failed = !p.out || report_begin(&r) ? -ENOMEM : 0;

	output_paper(&in->options, &p);
	if (!failed && in->options.format == FORMAT_JSON)
		failed = write_json(&r, p.out);
	else if (!failed)
		report_text(&p, &r);
	if (p.out && fclose(p.out))
		failed = -ENOMEM;
	report_end(&r);
	return failed;
}

static int status_of(const struct inspection *in)
{
	const struct findings *f = judge_findings(in->judge);

	if (progress_was_stopped())
		return EXIT_INTERRUPTED;
	if (in->options.strict && !is_complete(&in->last))
		return EXIT_UNREADABLE;
	for (enum severity s = SEVERITY_CRITICAL; s <= in->options.fail_on && s < SEVERITIES; s++)
		if (in->options.fail_on != SEVERITIES && f->confirmed[s])
			return EXIT_FINDINGS;
	return EXIT_DONE;
}

static int inspect(struct inspection *in, struct err *err)
{
	char *text = NULL;
	size_t len;
	int r = begin(in, err);

	if (!r)
		r = read_all(in, err);
	if (r)
		return fail(err);
	progress_done();
	warn(in);
	tell_what_was_read(in);
	r = render(in, &text, &len) ? err_set(err, -ENOMEM, "out of memory for the report")
				    : output_write(&in->options, text, len, err);
	free(text);
	return r ? fail(err) : status_of(in);
}

static void end(struct inspection *in)
{
	if (in->has_state)
		state_fini(&in->last);
	judge_destroy(in->judge);
	source_close(in->source);
	sym_destroy(in->symbols); /* last: frames of the state point into it */
}

static int run_tool(int argc, char **argv)
{
	struct inspection in = { .began_us = now_us() };
	struct err err = { 0 };
	int r;

	setlocale(LC_CTYPE, "");
	r = options_parse(&in.options, argc, argv, &err);
	if (r)
		return r > 0 ? EXIT_DONE : usage(&err);
	progress_init(in.options.quiet);
	r = in.options.explain ? explain(&in.options, &err) : inspect(&in, &err);
	end(&in);
	return r;
}

int main(int argc, char **argv)
{
	outfile_std_begin();
	return outfile_std_end("shminspect", run_tool(argc, argv));
}
