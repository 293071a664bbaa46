/* input-partial, feed-gap: what was read is not all there is. The report says so, and why. */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

#include <string.h>

static uint64_t hash_text(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; s && *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return h;
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : "input";
}

static void report(const struct state_input *in, struct candidates *out)
{
	struct candidate *c = candidate_add(out, place_of_state(hash_text(in->path)));
	const char *note = in->note ? in->note : "not complete";

	c->proof = PROOF_AT_ONCE;
	c->where.file = base_name(in->path);
	c->place_text = c->where.file;
	c->sentence = text(out, "%s is not complete: %s", c->where.file, note);
	c->also = text(out, "%s is not complete", c->where.file);
	c->brief = note;
	c->evidence = note;
	fact_text(c, "note", note);
}

static void look_at_inputs(const struct scene *scene, bool feeds, struct candidates *out)
{
	for (size_t i = 0; i < scene->st->inputs; i++) {
		const struct state_input *in = &scene->st->input[i];
		const bool is_feed = in->type && strcmp(in->type, "feed") == 0;

		if (!in->complete && is_feed == feeds)
			report(in, out);
	}
}

static void look_at_feeds(const struct scene *scene, struct candidates *out)
{
	look_at_inputs(scene, true, out);
}

static void look_at_others(const struct scene *scene, struct candidates *out)
{
	look_at_inputs(scene, false, out);
}

const struct rule rule_feed_gap = {
	.name = "feed-gap",
	.severity = SEVERITY_INFO,
	.dwell_us = 0,
	.sources = STATE_FEED,
	.look = look_at_feeds,
	.means = "Part of a feed is missing: what happened there is not known.",
	.summary = "A feed has lines that could not be used, a part that is missing, or ends in "
		   "the middle of a dump. Everything else of it was used.",
	.detection =
		"The reader counts what it skips: cut or foreign lines, dumps without their end.",
	.causes = "The process was killed while it wrote; the filesystem was full; a rotated part "
		  "was removed; two writers on one file.",
	.fix = "Nothing, if the process was killed; else give the directory with all parts.",
	.confused_with = "input-partial (the same for hub and core files).",
};

const struct rule rule_input_partial = {
	.name = "input-partial",
	.severity = SEVERITY_INFO,
	.dwell_us = 0,
	.sources = STATE_LIVE | STATE_HUB_FILE | STATE_CORE,
	.look = look_at_others,
	.means = "The file is damaged or cut off; the report tells what could be read.",
	.summary =
		"A hub or core file is shorter than it should be, or parts of it could not be "
		"read. The report goes on with the rest.",
	.detection = "Sizes and offsets in the file are checked against what is there.",
	.causes = "A copy that was interrupted; a limit on core sizes; a full disk.",
	.fix = "Copy again (cp --sparse=always); raise the limits for core files.",
	.confused_with = "hub-corrupted (wrong bytes, not missing ones); feed-gap.",
};
