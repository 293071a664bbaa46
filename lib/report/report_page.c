/*
 * report_page - shmscope-findings(7), in mdoc: the same texts as --explain, for somebody who
 * reads all of them, or looks for a symptom in them.
 */
#include <string.h>

#include "lib/report/report_priv.h"

/* A text line: nothing in it is a request, a hyphen before an option stays one. */
static void put_text(FILE *out, const char *text)
{
	char before = ' ';

	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; before = *text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-' && (before == ' ' || before == '-' || before == '`'))
			fputs("\\-", out);
		else
			putc(*text, out);
	}
	putc('\n', out);
}

static void put_item(FILE *out, const char *tag, const char *text)
{
	fprintf(out, ".It %s\n", tag);
	put_text(out, text);
}

static void put_rule(FILE *out, const struct rule *rule)
{
	char dwell[UNITS_TEXT], seen_in[REPORT_SEEN_IN];

	fprintf(out, ".Ss %s\n", rule->name);
	put_text(out, rule->means);
	fprintf(out, ".Pp\n");
	put_text(out, rule->summary);
	fprintf(out, ".Bl -tag -width \"usual causes\"\n");
	put_item(out, "detected by", rule->detection);
	put_item(out, "usual causes", rule->causes);
	put_item(out, "how to fix", rule->fix);
	put_item(out, "mistaken for", rule->confused_with);
	put_item(out, "confirmed", report_dwell(dwell, rule));
	put_item(out, "seen in", report_seen_in(seen_in, rule));
	fprintf(out, ".El\n");
}

static const char begin[] =
	".Dd November 29, 2026\n"
	".Dt SHMSCOPE-FINDINGS 7\n"
	".Os\n"
	".Sh NAME\n"
	".Nm shmscope-findings\n"
	".Nd what a finding means, what causes it, how to fix it\n"
	".Sh DESCRIPTION\n"
	"A finding is a problem that\n"
	".Xr shmtop 1 ,\n"
	".Xr shminspect 1\n"
	"or\n"
	".Xr sigdump 1\n"
	"has detected: its name, where it is, since when, the numbers that it rests on, and what to do\n"
	"next.\n"
	"It is\n"
	".Em suspected\n"
	"at first, and\n"
	".Em confirmed\n"
	"when it has held for its time in at least two looks with nothing moving; only then is it in the\n"
	"verdict and in the exit status.\n"
	"What is over is\n"
	".Em cleared .\n"
	"Where one finding explains another, the other is told as its consequence: the cause is what to\n"
	"look at.\n"
	".Pp\n"
	"The same texts, one at a time:\n"
	".Ql shminspect --explain NAME .\n";

static const char end[] =
	".Sh SEE ALSO\n"
	".Xr shminspect 1 ,\n"
	".Xr shmtop 1 ,\n"
	".Xr sigdump 1 ,\n"
	".Xr feed 5\n";

void report_findings_page(FILE *out)
{
	static const char *const headings[] = { "CRITICAL", "WARNINGS", "INFORMATION" };
	size_t n;
	const struct rule *const *rules = rules_all(&n);

	fputs(begin, out);
	for (enum severity s = SEVERITY_CRITICAL; s < SEVERITIES; s++) {
		fprintf(out, ".Sh %s\n", headings[s]);
		for (size_t i = 0; i < n; i++)
			if (rules[i]->severity == s)
				put_rule(out, rules[i]);
	}
	fputs(end, out);
}
