/* shmtop: options, then the loop: wait, read keys, take a sample, draw. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/exit_code.h"
#include "lib/base/outfile.h"
#include "shmtop/batch.h"
#include "shmtop/conf.h"
#include "shmtop/dumping.h"
#include "shmtop/options.h"
#include "shmtop/save.h"
#include "shmtop/screen.h"
#include "shmtop/script.h"
#include "shmtop/target.h"
#include "shmtop/ui.h"

static enum exit_code complain(const struct err *err)
{
	err_print(stderr, "shmtop", "error", err);
	return err->code == -ETIMEDOUT ? EXIT_VANISHED : exit_code_of(err);
}

/* What the command line says is wrong, not what it names: that is missing. */
static enum exit_code usage(const struct err *err)
{
	const bool missing = err->code == -ENOENT || err->code == -ESRCH || err->code == -EACCES;

	if (missing)
		return complain(err);
	err_print_usage(stderr, "shmtop", err);
	return EXIT_USAGE;
}

static void note(const struct options *o, const char *kind, const struct err *err)
{
	if (!o->quiet)
		err_print(stderr, "shmtop", kind, err);
}

/* ---- locale and colors ------------------------------------------------------------------- */

/* "UTF-8", "utf8", ...: every spelling there is. */
static bool is_utf8_locale(void)
{
	const char *set = nl_langinfo(CODESET);

	return strcasecmp(set, "UTF-8") == 0 || strcasecmp(set, "UTF8") == 0;
}

static void set_look(struct ui *ui, const struct options *o, bool can_color)
{
	struct conf conf = { .scheme = SCHEME_DEFAULT, .mouse = true };
	char path[4096];
	struct err err;

	if (conf_path(path, sizeof(path)) && conf_read(&conf, path, &err))
		note(o, "warning", &err);
	ui->can_utf8 = is_utf8_locale();
	ui->ascii = o->has_ascii || conf.ascii;
	ui->scheme = can_color && color_is_wanted(o->color, true) ? conf.scheme : SCHEME_MONO;
	ui->mouse = conf.mouse && !o->no_mouse;
	ui->read_only = o->read_only;
	ui->view.order.sort = o->sort;
}

static void save_look(struct ui *ui)
{
	const struct conf conf = { .scheme = ui->scheme, .ascii = ui->ascii, .mouse = ui->mouse };
	char path[4096];
	struct err err;

	ui->wants_save = false;
	if (!conf_path(path, sizeof(path)))
		ui_say(ui, "settings: there is no home directory to keep them in");
	else if (conf_write(&conf, path, &err))
		ui_say(ui, "%s", err.text);
	else
		ui_say(ui, "settings written: %s", path);
}

/* ---- clocks ------------------------------------------------------------------------------ */

static uint64_t clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

struct pace { /* when the next sample is due, and what we cost */
	uint64_t next_us;
	uint64_t cost_wall_us, cost_cpu_us;
};

static void note_cost(struct pace *p, struct ui *ui)
{
	const uint64_t wall_us = clock_us(CLOCK_MONOTONIC);
	const uint64_t cpu_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);

	if (p->cost_wall_us && wall_us > p->cost_wall_us)
		ui->view.own_percent = (double)(cpu_us - p->cost_cpu_us) * 100 /
				       (double)(wall_us - p->cost_wall_us);
	p->cost_wall_us = wall_us;
	p->cost_cpu_us = cpu_us;
}

/* Late samples are not made up for: the next is due a whole interval after now. */
static void plan_next(struct pace *p, uint64_t interval_us)
{
	const uint64_t now_us = clock_us(CLOCK_MONOTONIC);

	p->next_us += interval_us;
	if (p->next_us < now_us)
		p->next_us = now_us + interval_us;
}

/* ---- batch ------------------------------------------------------------------------------- */

static bool is_failing(const struct options *o, const struct frame *f)
{
	const enum severity limit = o->has_fail_on ? o->fail_on : SEVERITY_WARNING;
	bool failing = false;

	for (enum severity s = SEVERITY_CRITICAL; s < SEVERITIES && limit < SEVERITIES; s++)
		failing |= s <= limit && f->findings.confirmed[s];
	return failing;
}

static void sleep_until(uint64_t us)
{
	const struct timespec ts = { .tv_sec = (time_t)(us / 1000000),
				     .tv_nsec = (long)(us % 1000000) * 1000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static void tell_sample(const struct session *s)
{
	const struct frame *f = session_frame(s);

	fprintf(stderr, "shmtop: sample: %zu hubs, %zu processes, %zu stacks, %zu findings, %.1f ms\n",
		f->st.hubs, f->st.processes, f->st.stacks, f->findings.n,
		(double)s->cost_us / 1000);
}

static int print_sample(struct ui *ui, const struct options *o, uint64_t number, FILE *out)
{
	if (o->json)
		return batch_object(ui, out);
	if (number)
		putc('\n', out);
	return batch_frame(ui, out);
}

static int print_samples(struct ui *ui, const struct options *o, FILE *out, bool *failing,
			 struct err *err)
{
	struct session *s = ui->session;
	struct pace pace = { .next_us = clock_us(CLOCK_MONOTONIC) };
	int r = 1;

	for (uint64_t i = 0; r == 1 && (!o->count || i < o->count); i++) {
		if (i && !s->is_replay) {
			plan_next(&pace, s->options.interval_us);
			sleep_until(pace.next_us);
		}
		r = session_sample(s, err);
		if (r <= 0)
			break;
		if (o->verbose)
			tell_sample(s);
		if (print_sample(ui, o, i, out))
			return err_set(err, -ENOMEM, "batch: no memory");
		if (fflush(out))
			return 0; /* outfile_close() says why, if it is worth saying */
		*failing = is_failing(o, session_frame(s));
	}
	return r < 0 ? r : 0;
}

static enum exit_code run_batch(struct ui *ui, const struct options *o)
{
	struct outfile out;
	bool failing = false;
	struct err err;

	if (outfile_open(&out, o->output, o->force, &err))
		return complain(&err);
	int r = print_samples(ui, o, out.stream, &failing, &err);
	struct err closing;
	const int closed = outfile_close(&out, r == 0, &closing);
	if (r || closed)
		return complain(r ? &err : &closing);
	return failing ? EXIT_FINDINGS : EXIT_DONE;
}

/* ---- screen ------------------------------------------------------------------------------ */

static int draw(struct ui *ui)
{
	struct canvas c;

	screen_size(&ui->rows, &ui->cols);
	if (canvas_init(&c, ui->rows, ui->cols, ui_is_utf8(ui)))
		return -ENOMEM;
	ui_draw(ui, &c);
	screen_show(&c, ui->scheme);
	canvas_fini(&c);
	return 0;
}

static void click(struct ui *ui, const struct screen_event *event)
{
	struct canvas c;

	if (canvas_init(&c, ui->rows, ui->cols, ui_is_utf8(ui)))
		return;
	ui_draw(ui, &c);
	ui_click(ui, &c, event->row, event->col);
	canvas_fini(&c);
}

static void read_keys(struct ui *ui, struct dumping *dumping)
{
	struct screen_event event;

	while (!ui->is_over && screen_next(&event)) {
		const bool mouse = ui->mouse;

		if (event.key == K_CLICK)
			click(ui, &event);
		else
			ui_key(ui, event.key);
		if (event.key == K_RESIZED)
			ui_refresh(ui);
		if (ui->mouse != mouse)
			screen_mouse(ui->mouse);
		if (ui->wants_save)
			save_look(ui);
		if (ui->wants_write)
			save_screen(ui);
		if (ui->wants_dump)
			dumping_start(dumping, ui);
	}
}

static int take_sample(struct ui *ui, struct pace *pace, struct err *err)
{
	struct session *s = ui->session;
	const int r = s->is_replay ? 0 : session_sample(s, err);

	if (s->is_replay)
		session_play(s, s->options.interval_us);
	note_cost(pace, ui);
	plan_next(pace, s->options.interval_us);
	if (r < 0)
		return r;
	return ui_refresh(ui) ? err_set(err, -ENOMEM, "sample: no memory") : 0;
}

static int loop(struct ui *ui, const struct options *o, struct err *err)
{
	struct pace pace = { .next_us = clock_us(CLOCK_MONOTONIC) };
	struct dumping dumping = { .child = 0 };
	uint64_t samples = 0;

	while (!ui->is_over && !screen_signal()) {
		const uint64_t now_us = clock_us(CLOCK_MONOTONIC);

		if (now_us >= pace.next_us) {
			const int r = take_sample(ui, &pace, err);

			if (r)
				return r;
			if (o->count && ++samples > o->count)
				return 0;
		}
		if (draw(ui))
			return err_set(err, -ENOMEM, "screen: no memory");
		const uint64_t then_us = clock_us(CLOCK_MONOTONIC);
		screen_wait(pace.next_us > then_us ? (int)((pace.next_us - then_us) / 1000) + 1 : 0);
		read_keys(ui, &dumping);
		dumping_poll(&dumping, ui);
	}
	return 0;
}

static enum exit_code run_screen(struct ui *ui, const struct options *o)
{
	struct err err = { .code = 0 };
	const int r = loop(ui, o, &err);
	const int sig = screen_signal();
	bool failing = false;

	if (session_frame(ui->session) && o->has_fail_on)
		failing = is_failing(o, session_frame(ui->session));
	screen_close();
	if (r < 0)
		return complain(&err);
	if (sig == SIGINT)
		return EXIT_INTERRUPTED;
	if (sig)
		raise(sig); /* the terminal is restored: end as everybody else would */
	return failing ? EXIT_FINDINGS : EXIT_DONE;
}

/* ---- which of them ----------------------------------------------------------------------- */

static enum exit_code no_hub(void)
{
	fprintf(stderr,
		"no hub found for UID %u (looked in /dev/shm and the feed directory). "
		"Try: make demo, or shmtop PATH\n",
		(unsigned)getuid());
	return EXIT_MISSING;
}

static bool wants_batch(const struct options *o)
{
	struct err err = { .code = 0 };

	if (o->batch || o->script)
		return true;
	if (screen_is_possible(&err) == 0)
		return false;
	if (err.code == -ENOTSUP) {
		err_next(&err, "plain frames follow, as with --batch");
		note(o, "note", &err);
	}
	return true;
}

static enum exit_code run(struct ui *ui, const struct options *o, bool is_batch)
{
	struct err err = { .code = 0 };

	if (o->filter && ui_set_filter(ui, o->filter, &err))
		return usage(&err);
	if (o->script) {
		set_look(ui, o, false);
		return script_run(ui, o->script, o->script_rows, o->script_cols, stdout, &err)
			       ? complain(&err)
			       : EXIT_DONE;
	}
	if (is_batch) {
		set_look(ui, o, false);
		return run_batch(ui, o);
	}
	if (screen_open(false, &err))
		return complain(&err);
	set_look(ui, o, screen_has_colors());
	screen_mouse(ui->mouse);
	return run_screen(ui, o);
}

static int run_tool(int argc, char **argv)
{
	struct options o;
	struct target target;
	struct session session;
	struct ui ui;
	struct err err;

	setlocale(LC_ALL, "");
	int r = options_parse(&o, argc, argv, &err);
	if (r)
		return r == 1 ? EXIT_DONE : (int)usage(&err);
	const bool is_batch = wants_batch(&o);
	if (target_make(&target, &o, is_batch && !o.script, &err))
		return usage(&err);
	r = session_open(&session, &target.session, &err);
	if (r == -ENOENT && !target.hubs && !target.files && !o.pids) {
		session_close(&session);
		return no_hub();
	}
	if (r) {
		session_close(&session);
		return complain(&err);
	}
	/* who names a beginning wants to see what came after it */
	if (session.is_replay && o.since_us && !is_batch && session_goto(&session, "start", NULL) == 0)
		session_live(&session);
	ui_init(&ui, &session, 24, 80);
	if (target.why_replay && !is_batch)
		ui_say(&ui, "replay: %s tells of the past (keys: [ ] step, e next change, T time)",
		       target.why_replay);
	const int status = run(&ui, &o, is_batch);
	ui_fini(&ui);
	session_close(&session);
	return status;
}

int main(int argc, char **argv)
{
	outfile_std_begin();
	return outfile_std_end("shmtop", run_tool(argc, argv));
}
