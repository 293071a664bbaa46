/* symbols-missing: frames that have no name, by object. */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

#include <stdlib.h>
#include <string.h>

struct object { /* frames of one object */
	const char *module, *build_id;
	uint32_t frames, unnamed;
};

struct objects {
	struct object *list;
	size_t n, room;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct object *)a)->module, ((const struct object *)b)->module);
}

static void count_frame(struct candidates *out, struct objects *all, const struct state_frame *f)
{
	struct object *o = all->list;

	while (o < all->list + all->n && strcmp(o->module, f->module) != 0)
		o++;
	if (o == all->list + all->n) {
		if (ARENA_GROW(&out->arena, all->list, all->n, all->room)) {
			out->failed = true;
			return;
		}
		o = &all->list[all->n++];
		o->module = f->module;
	}
	o->build_id = o->build_id ? o->build_id : f->build_id;
	o->frames++;
	o->unnamed += !f->function;
}

static void report(const struct objects *all, uint32_t unnamed, struct candidates *out)
{
	struct candidate *c = candidate_add(out, place_of_state(0));
	const char *names = "";
	unsigned n = 0;

	for (size_t i = 0; i < all->n; i++) {
		if (!all->list[i].unnamed)
			continue;
		if (++n <= 5)
			names = text(out, "%s%s%s (%u)", names, *names ? ", " : "",
				     all->list[i].module, all->list[i].unnamed);
	}
	if (n > 5)
		names = text(out, "%s and %u more", names, n - 5);
	c->proof = PROOF_AT_ONCE;
	c->place_text = "stacks";
	c->sentence = text(out, "%s without names in %s", plural(out, unnamed, "frame", "frames"),
			   names);
	c->also = text(out, "%s without names", plural(out, unnamed, "frame", "frames"));
	c->brief = names;
	c->evidence = text(out, "frames without names by object: %s", names);
	fact_number(c, "frames", unnamed);
	fact_text(c, "objects", names);
	candidate_next(
		c, "--debug-dir DIR or --sysroot DIR with the objects of the machine looked at; "
		   "Debian: the -dbgsym packages, or DEBUGINFOD_URLS");
}

/* Every named frame is the work of the symbolizer; without one nobody has asked for names. */
static void look(const struct scene *scene, struct candidates *out)
{
	const struct state *st = scene->st;
	struct objects all = { 0 };
	uint32_t named = 0, unnamed = 0;

	for (size_t i = 0; i < st->stacks; i++) {
		for (size_t k = 0; k < st->stack[i].frames; k++) {
			const struct state_frame *f = &st->stack[i].frame[k];

			named += f->function != NULL;
			unnamed += f->module && !f->function;
		}
	}
	if (!named || !unnamed)
		return;
	for (size_t i = 0; i < st->stacks; i++)
		for (size_t k = 0; k < st->stack[i].frames; k++)
			if (st->stack[i].frame[k].module)
				count_frame(out, &all, &st->stack[i].frame[k]);
	qsort(all.list, all.n, sizeof(*all.list), by_name);
	report(&all, unnamed, out);
}

const struct rule rule_symbols_missing = {
	.name = "symbols-missing",
	.severity = SEVERITY_INFO,
	.dwell_us = 0,
	.sources = STATE_LIVE | STATE_FEED | STATE_CORE,
	.look = look,
	.means = "Some frames have no names: their object was not found, or holds no symbols.",
	.summary =
		"Feeds and cores hold numbers only; names are made by the reader from the "
		"objects on its own machine. For some frames there is no object with the right "
		"build id here, or it is stripped. They are shown as OBJECT+OFFSET.",
	.detection = "Frames inside an object that the symbolizer found no name for.",
	.causes = "A stripped program; another machine or an updated package; a deleted file.",
	.fix = "Give the objects by --sysroot or --debug-dir, or install the debug symbols.",
	.confused_with = "code without any object (JIT), which is shown as such.",
};
