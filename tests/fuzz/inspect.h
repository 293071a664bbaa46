/*
 * What shminspect does with a file, in this process: read it, judge every state, write the report
 * as text and as JSON. Static, because each fuzzer is one program.
 */
#ifndef SHMSCOPE_TESTS_FUZZ_INSPECT_H
#define SHMSCOPE_TESTS_FUZZ_INSPECT_H

#include <stdlib.h>

#include "lib/findings/findings.h"
#include "lib/report/report.h"
#include "lib/state/source.h"
#include "tests/fuzz/fuzz.h"

enum { INSPECT_STATES = 2000 };

/* A page that cannot be written, or JSON that cannot be made, is a finding. */
static void inspect_report(const struct state *st, const struct judge *judge)
{
	struct report r = { .st = st, .findings = judge_findings(judge) };
	FILE *out = fopen("/dev/null", "we");
	const struct paper paper = { .out = out, .columns = 80, .verbose = true };

	if (!out || report_begin(&r))
		abort();
	report_text(&paper, &r);
	json_t *json = report_json(&r);
	char *text = json ? json_dumps(json, 0) : NULL;

	if (!text)
		fuzz_found("the report cannot be written as JSON");
	free(text);
	json_decref(json);
	report_end(&r);
	fclose(out);
}

static void inspect(const char *path)
{
	const char *const paths[] = { path, NULL };
	struct state states[2];
	struct source *src;
	struct err err;
	unsigned n = 0;

	if (source_open_paths(paths, NULL, &src, &err))
		return;
	struct judge *judge = judge_create(NULL);

	while (n < INSPECT_STATES && source_next(src, &states[n % 2], &err) == 1) {
		judge_look(judge, &states[n % 2]);
		n++;
		if (n > 1)
			state_fini(&states[n % 2]);
	}
	if (n) {
		inspect_report(&states[(n - 1) % 2], judge);
		state_fini(&states[(n - 1) % 2]);
	}
	judge_destroy(judge);
	source_close(src);
}

#endif
