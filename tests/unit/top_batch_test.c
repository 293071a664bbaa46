#include "shmtop/batch.h"

#include <jansson.h>

#include "tests/top_build.h"

static char *text_of(struct top_test *t, int (*print)(struct ui *ui, FILE *out))
{
	size_t len;

	free(t->text);
	t->text = NULL;
	FILE *out = open_memstream(&t->text, &len);
	T_EQ(print(&t->ui, out), 0);
	fclose(out);
	return t->text;
}

TEST(a_frame_has_all_rows_and_names_in_full)
{
	struct top_test *t = top_test_make(24, 80);
	struct state *st = build_state(0);
	struct state_hub *hub = build_hub(st, 60);

	build_peer(hub, 7)->name = "a-name-of-40-characters-which-goes-on-on";
	top_test_look(t, st);
	text_of(t, batch_frame);
	T_HAS(t->text, "\n  7 a-name-of-40-characters-which-goes-on-on 4007 run ");
	T_HAS(t->text, "\n 60 peer60                                   4060 run ");
	T_OK(strchr(t->text, '\033') == NULL);
	T_OK(strchr(t->text, '>') == strstr(t->text, ">peer")); /* no cursor */
	for (const char *s = t->text; *s; s = strchr(s, '\n') + 1)
		T_OK(strcspn(s, "\n") == 0 || s[strcspn(s, "\n") - 1] != ' ');
	top_test_end(t);
}

TEST(a_frame_tells_every_finding_without_cutting)
{
	struct top_test *t = top_test_trouble(24, 80);

	text_of(t, batch_frame);
	T_HAS(t->text, "12 slots of 64K (768K of 4.0M, 18%): 4 held, 8 in flight, 0 allocated   44 s\n");
	T_OK(strstr(t->text, "press") == NULL);
	top_test_end(t);
}

TEST(an_object_is_one_line_of_the_report)
{
	struct top_test *t = top_test_trouble(24, 80);
	json_error_t error;

	text_of(t, batch_object);
	T_EQ(strchr(t->text, '\n') - t->text, strlen(t->text) - 1);
	json_t *report = json_loads(t->text, 0, &error);
	T_OK(report != NULL);
	T_STR(json_string_value(json_object_get(report, "kind")), "report");
	T_EQ(json_array_size(json_object_get(report, "findings")), 3);
	json_t *first = json_array_get(json_object_get(report, "findings"), 0);
	T_STR(json_string_value(json_object_get(first, "name")), "missed-wakeup");
	T_STR(json_string_value(json_object_get(first, "state")), "confirmed");
	json_decref(report);
	top_test_end(t);
}
