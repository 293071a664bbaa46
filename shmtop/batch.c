#include "shmtop/batch.h"

#include <errno.h>

#include "lib/report/report.h"
#include "shmtop/columns.h"

enum { BATCH_COLS = 512, ROWS_BESIDE = 32 };

int batch_frame(struct ui *ui, FILE *out)
{
	struct view *v = &ui->view;
	struct cursor cursor = { 0 };
	struct canvas c;

	ui->cols = COLUMNS_WIDE;
	const int r = ui_refresh(ui);
	if (r || !v->frame)
		return r;
	/* room for all there is; canvas_write() leaves out what stayed blank */
	const size_t rows = ROWS_BESIDE + v->rows + v->findings + HUB_CLASSES_MAX;
	const int made = canvas_init(&c, (int)rows, BATCH_COLS, ui_is_utf8(ui));
	if (made)
		return made;
	v->batch = true;
	c.plain = true; /* what scripts read looks the same in every locale */
	v->cursor = &cursor;
	view_overview.draw(v, &c, (int)rows);
	canvas_write(&c, out);
	canvas_fini(&c);
	return 0;
}

int batch_object(struct ui *ui, FILE *out)
{
	struct session *s = ui->session;
	const struct frame *f = session_frame(s);

	if (!f)
		return 0;
	while (!session_name_stacks(s))
		;
	struct report report = { .st = &f->st,
				 .findings = &f->findings,
				 .from_us = s->begin_us,
				 .took_us = s->cost_us };
	if (report_begin(&report))
		return -ENOMEM;
	json_t *object = report_json(&report);
	const int r = object ? json_dumpf(object, out, JSON_COMPACT) : -1;
	json_decref(object);
	report_end(&report);
	putc('\n', out);
	return r ? -ENOMEM : 0;
}
