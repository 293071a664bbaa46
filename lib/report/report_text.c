#include <stdlib.h>
#include <string.h>

#include "lib/report/report_priv.h"

static void put_verdict(const struct paper *p, const struct report *r)
{
	const struct findings *f = r->findings;
	const enum ink ink = f->confirmed[SEVERITY_CRITICAL]  ? INK_RED
			     : f->confirmed[SEVERITY_WARNING] ? INK_YELLOW
							      : INK_BOLD;

	paper_label(p, 0, "VERDICT", 9, ink, f->verdict);
}

/* ---- INPUT ---------------------------------------------------------------------------------- */

static bool is_type(const struct state_input *in, const char *type)
{
	return in->type && strcmp(in->type, type) == 0;
}

static const struct state_hub *hub_at(const struct state *st, const char *path)
{
	for (size_t i = 0; i < st->hubs; i++)
		if (st->hub[i].path && path && strcmp(st->hub[i].path, path) == 0)
			return &st->hub[i];
	return NULL;
}

static void describe_hub(FILE *out, const struct state *st, const struct state_input *in)
{
	const struct state_hub *h = hub_at(st, in->path);
	char size[UNITS_TEXT];

	fputs(report_base_name(in->path), out);
	if (h && h->file_bytes)
		fprintf(out, " (%s, layout %u, written by %s)", units_bytes(size, h->file_bytes),
			h->file_version, h->writer ? h->writer : "-");
}

static void describe_inputs(FILE *out, const struct state *st)
{
	size_t feeds = 0, named = 0;

	for (size_t i = 0; i < st->inputs; i++) {
		const struct state_input *in = &st->input[i];

		if (is_type(in, "feed")) {
			feeds++;
			continue;
		}
		fputs(named++ ? " + " : "", out);
		if (is_type(in, "hub"))
			describe_hub(out, st, in);
		else
			fprintf(out, "%s (%s)", report_base_name(in->path),
				in->type ? in->type : "-");
	}
	if (feeds)
		fprintf(out, "%s%zu feed%s", named ? " + " : "", feeds, feeds == 1 ? "" : "s");
	else if (!named)
		fputs("the running system", out);
}

static bool is_complete(const struct report *r)
{
	for (size_t i = 0; i < r->st->inputs; i++)
		if (!r->st->input[i].complete)
			return false;
	return !r->partial;
}

static void put_input(const struct paper *p, const struct report *r)
{
	char from[REPORT_TIME], to[REPORT_TIME], took[UNITS_TEXT];
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	describe_inputs(out, r->st);
	fputs("   ", out);
	if (r->from_us && r->from_us < r->st->now_us)
		fprintf(out, "%s to ", report_clock(from, r->st, r->from_us, false));
	fputs(report_clock(to, r->st, r->st->now_us, false), out);
	fputs(is_complete(r) ? "   complete"
	      : r->partial   ? "   partial (stopped)"
			     : "   partial",
	      out);
	if (r->took_us)
		fprintf(out, "   %s", units_span(took, r->took_us * 1000));
	fclose(out);
	paper_label(p, 0, "INPUT", 9, INK_PLAIN, text);
	free(text);
}

/* ---- FINDINGS ------------------------------------------------------------------------------- */

static void put_counts(const struct paper *p, const struct findings *f)
{
	size_t suspected = 0, cleared = 0;
	const char *sep = "";

	paper_ink(p, INK_BOLD, "FINDINGS");
	paper_put(p, "  ");
	for (size_t i = 0; i < f->n; i++) {
		suspected += f->list[i]->state == FINDING_SUSPECTED;
		cleared += f->list[i]->state == FINDING_CLEARED;
	}
	for (int s = SEVERITY_CRITICAL; s < SEVERITIES; s++) {
		if (!f->confirmed[s])
			continue;
		paper_put(p, "%s%zu %s", sep, f->confirmed[s], severity_name((enum severity)s));
		sep = ", ";
	}
	if (suspected)
		paper_put(p, "%s%zu suspected", sep, suspected);
	if (cleared)
		paper_put(p, "%s%zu cleared", suspected ? ", " : sep, cleared);
	paper_put(p, f->n ? "\n" : "none\n");
}

static void put_dwell(const struct paper *p, const struct report *r, const struct finding *f)
{
	char buf[UNITS_TEXT], text[160] = "";

	units_age(buf, f->dwell_us * 1000);
	if (f->unproven)
		snprintf(text, sizeof(text), "not checked: this source can only suspect it");
	else if (f->dwell_from_ages)
		snprintf(text, sizeof(text),
			 "%s, by the ages in the file: one moment, no second look", buf);
	else if (!f->dwell_us && r->st->single_moment && f->rule->severity != SEVERITY_INFO)
		snprintf(text, sizeof(text), "none needed; one moment, no second look");
	else if (f->state == FINDING_SUSPECTED)
		snprintf(text, sizeof(text), "not over: %s in two looks are needed", buf);
	else if (p->verbose)
		snprintf(text, sizeof(text), "%s, in %u samples", buf, f->samples);
	if (*text)
		paper_label(p, 5, "dwell", 15, INK_DIM, text);
}

static void put_next(const struct paper *p, const struct finding *f)
{
	char explain[96];
	const char *label = "next";

	for (size_t i = 0; i < FINDING_NEXT && f->next[i]; i++) {
		paper_label(p, 5, label, 15, INK_PLAIN, f->next[i]);
		label = "";
	}
	snprintf(explain, sizeof(explain), "shminspect --explain %s", f->rule->name);
	paper_label(p, 5, label, 15, INK_PLAIN, explain);
}

void report_finding(const struct paper *p, const struct report *r, const struct finding *f)
{
	char because[128];

	paper_label(p, 5, "evidence", 15, INK_PLAIN, f->evidence_text);
	if (f->consequence_of) {
		snprintf(because, sizeof(because), "F%u %s %.80s", f->consequence_of->number,
			 f->consequence_of->rule->name, f->consequence_of->place);
		paper_label(p, 5, "because", 15, INK_PLAIN, because);
	}
	paper_label(p, 5, "means", 15, INK_PLAIN, f->means);
	put_dwell(p, r, f);
	put_next(p, f);
}

static void put_heading(const struct paper *p, const struct report *r, const struct finding *f,
			int name_width, int place_width)
{
	char since[REPORT_TIME], held[UNITS_TEXT], age[UNITS_TEXT + 2];

	snprintf(age, sizeof(age), "(%s)", units_age(held, f->held_us * 1000));

	paper_ink(p, report_ink(f), "%s", report_mark(f));
	paper_ink(p, INK_BOLD, " F%u %-*s", f->number, name_width, f->rule->name);
	paper_put(p, "  %-*s  since %s %-9s %s", place_width, f->place,
		  report_clock(since, r->st, f->since_us, false), age,
		  finding_state_name(f->state));
	if (f->state == FINDING_CLEARED)
		paper_put(p, " %s, %u time%s, longest %s",
			  report_clock(since, r->st, f->cleared_us, false), f->times,
			  f->times == 1 ? "" : "s", units_age(held, f->longest_us * 1000));
	paper_put(p, "\n");
}

enum { FINDINGS_SHOWN = 40 };

static void put_findings(const struct paper *p, const struct report *r)
{
	const struct findings *f = r->findings;
	const size_t shown = p->verbose || f->n < FINDINGS_SHOWN ? f->n : FINDINGS_SHOWN;
	int name = 0, place = 0;

	put_counts(p, f);
	for (size_t i = 0; i < shown; i++) {
		const int n = (int)strlen(f->list[i]->rule->name),
			  w = (int)paper_width(f->list[i]->place);

		name = n > name ? n : name;
		place = w > place ? w : place;
	}
	for (size_t i = 0; i < shown; i++) {
		put_heading(p, r, f->list[i], name, place > 40 ? 40 : place);
		if (f->list[i]->state != FINDING_CLEARED || p->verbose)
			report_finding(p, r, f->list[i]);
	}
	if (shown < f->n)
		paper_put(p, "   (%zu more: -v, or --json)\n", f->n - shown);
}

/* ---- NOT SEEN ------------------------------------------------------------------------------- */

static void put_unseen(const struct paper *p, const struct report *r)
{
	const char *label = "NOT SEEN";

	for (size_t i = 0; i < r->st->unseens; i++, label = "")
		paper_label(p, 0, label, REPORT_COLUMN, INK_PLAIN, r->st->unseen[i]);
}

void report_text(const struct paper *p, const struct report *r)
{
	put_verdict(p, r);
	put_input(p, r);
	paper_put(p, "\n");
	put_findings(p, r);
	paper_put(p, "\n");
	for (size_t i = 0; i < r->st->hubs; i++) {
		const struct state_hub *hub = &r->st->hub[i];

		if (r->st->hubs > 1)
			paper_label(p, 0, "HUB", REPORT_COLUMN, INK_BOLD,
				    hub->path ? hub->path : "-");
		report_rings(p, r, hub);
		report_slots(p, r, hub);
		report_calls(p, hub);
		if (i + 1 < r->st->hubs)
			paper_put(p, "\n");
	}
	report_processes(p, r);
	for (size_t i = 0; i < r->st->hubs; i++) {
		if (p->verbose)
			report_methods(p, &r->st->hub[i]);
		report_messages(p, r, &r->st->hub[i]);
		report_slot_list(p, &r->st->hub[i]);
	}
	report_stacks(p, r);
	put_unseen(p, r);
}
