#include "shmtop/script.h"

#include <errno.h>
#include <string.h>

#include "shmtop/save.h"

static int show(struct ui *ui, FILE *out)
{
	struct canvas c;

	/* a person would see the last names with the next sample */
	while (ui->session->wants_stacks && !session_name_stacks(ui->session))
		;
	if (canvas_init(&c, ui->rows, ui->cols, ui_is_utf8(ui)))
		return -ENOMEM;
	ui_draw(ui, &c);
	for (int row = 0; row < c.rows; row++)
		canvas_put(&c, row, out);
	canvas_fini(&c);
	return 0;
}

static bool starts_with(const char **keys, const char *word)
{
	const size_t len = strlen(word);

	if (strncmp(*keys, word, len) != 0)
		return false;
	*keys += len;
	return true;
}

static int sample(struct ui *ui, struct err *err)
{
	const int r = session_sample(ui->session, err);

	return r < 0 ? r : ui_refresh(ui);
}

static int press(struct ui *ui, const char **keys, struct err *err)
{
	const int key = keys_parse(keys);

	if (key < 0)
		return err_set(err, -EINVAL, "--script: no such key before \"%s\"", *keys);
	ui_key(ui, key);
	if (ui->wants_write)
		save_screen(ui);
	return 0;
}

int script_run(struct ui *ui, const char *keys, int rows, int cols, FILE *out, struct err *err)
{
	ui->rows = rows;
	ui->cols = cols;
	int r = ui->session->is_replay ? ui_refresh(ui) : sample(ui, err);

	while (r == 0 && *keys && !ui->is_over) {
		if (starts_with(&keys, "<Sample>"))
			r = sample(ui, err);
		else if (starts_with(&keys, "<Show>"))
			r = show(ui, out);
		else
			r = press(ui, &keys, err);
	}
	return r ? r : show(ui, out);
}
