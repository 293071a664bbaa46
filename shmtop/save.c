#include "shmtop/save.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/cleanup.h"
#include "shmtop/draw.h"

static void write_finding(FILE *out, const struct finding *f, const struct state *st)
{
	char since[UNITS_TEXT], held[UNITS_TEXT];

	fprintf(out, "%s F%u %s   %s   %s   since %s (%s)\n", view_mark(f), f->number,
		f->rule->name, f->place, finding_state_name(f->state),
		text_clock(since, f->since_us, st->real_offset_us, true),
		text_span(held, (int64_t)f->held_us));
	fprintf(out, "     %s\n", f->sentence);
	fprintf(out, "     evidence  %s\n", f->evidence_text ? f->evidence_text : f->brief);
	for (size_t i = 0; i < f->facts; i++) {
		if (f->fact[i].text)
			fprintf(out, "       %s: %s\n", f->fact[i].key, f->fact[i].text);
		else if (f->fact[i].value == FINDING_UNKNOWN)
			fprintf(out, "       %s: -\n", f->fact[i].key);
		else
			fprintf(out, "       %s: %lld\n", f->fact[i].key,
				(long long)f->fact[i].value);
	}
	fprintf(out, "     means     %s\n", f->means ? f->means : f->rule->means);
	for (unsigned i = 0; i < FINDING_NEXT && f->next[i]; i++)
		fprintf(out, "     next      %s\n", f->next[i]);
}

void save_write(struct ui *ui, FILE *out)
{
	const struct view *v = &ui->view;
	struct canvas c;

	if (canvas_init(&c, ui->rows, ui->cols, ui_is_utf8(ui)))
		return;
	ui->message[0] = '\0';
	ui_draw(ui, &c);
	canvas_write(&c, out);
	canvas_fini(&c);
	if (!v->frame)
		return;
	fprintf(out, "\nFINDINGS  %s\n", v->frame->findings.verdict);
	for (size_t i = 0; i < v->frame->findings.n; i++)
		write_finding(out, v->frame->findings.list[i], &v->frame->st);
	for (size_t i = 0; i < v->frame->st.unseens; i++)
		fprintf(out, "NOT SEEN  %s\n", v->frame->st.unseen[i]);
}

/* The first free name in a directory: NAME.txt, NAME-2.txt, ... */
static int create_file(const char *dir, const char *name, char *path, size_t room)
{
	const time_t now = time(NULL);
	char when[40];
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm);
	for (int i = 1; i < 100; i++) {
		if (i == 1)
			snprintf(path, room, "%s/%s-%s.txt", dir, name, when);
		else
			snprintf(path, room, "%s/%s-%s-%d.txt", dir, name, when, i);
		const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
				    0600);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

int save_create(const char *name, char *path, size_t room)
{
	char here[PATH_MAX];
	const char *home = getenv("HOME");
	int fd = -1;

	if (getcwd(here, sizeof(here)))
		fd = create_file(here, name, path, room);
	if (fd < 0 && home)
		fd = create_file(home, name, path, room);
	return fd < 0 ? -errno : fd;
}

void save_screen(struct ui *ui)
{
	char path[PATH_MAX + 64];

	ui->wants_write = false;
	const int fd = save_create("shmtop", path, sizeof(path));
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out) {
		ui_say(ui, "cannot write here, nor in the home directory: %s",
		       strerror(fd < 0 ? -fd : errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	save_write(ui, out);
	const int failed = ferror(out) | fclose(out);
	if (failed)
		ui_say(ui, "%s: could not be written in full: %s", path, strerror(errno));
	else
		ui_say(ui, "written: %s", path);
}
