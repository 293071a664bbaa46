#include "lib/report/report_priv.h"

static void put_block(const struct paper *p, const char *heading, const char *text)
{
	paper_label(p, 0, heading, 15, INK_PLAIN, text);
}

const char *report_seen_in(char text[REPORT_SEEN_IN], const struct rule *rule)
{
	static const struct {
		enum state_source source;
		const char *name;
	} all[] = { { STATE_LIVE, "the running system" },
		    { STATE_FEED, "feeds" },
		    { STATE_HUB_FILE, "a hub file" },
		    { STATE_CORE, "a core with its hub file" } };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (rule->sources & all[i].source)
			n += (size_t)snprintf(text + n, REPORT_SEEN_IN - n, "%s%s", n ? ", " : "",
					      all[i].name);
	return text;
}

const char *report_dwell(char text[UNITS_TEXT], const struct rule *rule)
{
	return rule->dwell_us ? units_age(text, rule->dwell_us * 1000) : "at once, or in two looks";
}

void report_explain(const struct paper *p, const struct rule *rule)
{
	char dwell[UNITS_TEXT], seen_in[REPORT_SEEN_IN];

	paper_ink(p, INK_BOLD, "%s", rule->name);
	paper_put(p, "  (%s)\n", severity_name(rule->severity));
	put_block(p, "what it is", rule->summary);
	put_block(p, "detected by", rule->detection);
	put_block(p, "usual causes", rule->causes);
	put_block(p, "how to fix", rule->fix);
	put_block(p, "mistaken for", rule->confused_with);
	put_block(p, "confirmed", report_dwell(dwell, rule));
	put_block(p, "seen in", report_seen_in(seen_in, rule));
}
