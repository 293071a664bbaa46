#include "shmtop/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/units.h"
#include "lib/base/when.h"
#include "lib/state/symbolize.h"

enum { SECOND_US = 1000000, GAP_US = 5 * SECOND_US, NAMES_US = 300000 };

/* Thorough samples: parts of the time, seldom and at most; the longest rest where that is little;
 * and when a suspicion wants another look: dwell times are 2 s. */
enum { DUTY = 100, DUTY_MOST = 20, THOROUGH_US = 5 * SECOND_US, AGAIN_US = 2100000 };

static int open_source(struct session *s, struct err *err)
{
	source_close(s->src);
	judge_destroy(s->judge);
	s->src = NULL;
	s->judge = judge_create(&s->options.judge);
	if (!s->judge)
		return err_set(err, -ENOMEM, "judge: no memory");
	if (s->is_replay)
		return source_open_paths(s->options.feeds, &s->options.source, &s->src, err);
	return source_open_live(&s->options.source, &s->src, err);
}

static enum severity worst_of(const struct frame *f)
{
	enum severity worst = SEVERITY_CRITICAL;

	while (worst < SEVERITIES && !f->findings.confirmed[worst])
		worst++;
	return worst;
}

static void note_moment(struct session *s, const struct frame *f)
{
	const bool is_known = s->moments && s->moment[s->moments - 1].now_us >= f->st.now_us;

	if (!f->changed || is_known)
		return;
	if (s->moments == SESSION_MOMENTS) {
		memmove(&s->moment[0], &s->moment[1], sizeof(s->moment) - sizeof(s->moment[0]));
		s->moments--;
	}
	s->moment[s->moments++] = (struct session_moment){ f->st.now_us, worst_of(f) };
}

static const struct frame *newest(const struct session *s)
{
	return s->history.n ? s->history.frame[s->history.n - 1] : NULL;
}

static int keep_frame(struct session *s, struct frame *f)
{
	if (!s->begin_us || (!s->is_replay && s->history.n == 0))
		s->begin_us = f->st.now_us;
	if (f->st.now_us > s->end_us)
		s->end_us = f->st.now_us;
	s->real_offset_us = f->st.real_offset_us;
	note_moment(s, f);
	const int dropped = history_add(&s->history, f);
	if (dropped < 0)
		return dropped;
	/* the one that is looked at may have been among the oldest */
	s->shown = s->shown > (size_t)dropped ? s->shown - (size_t)dropped : 0;
	if (!s->is_replay)
		s->begin_us = s->history.frame[0]->st.now_us;
	if (s->follow)
		s->shown = s->history.n - 1;
	return 0;
}

static uint64_t time_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t clock_us(void)
{
	return time_us(CLOCK_MONOTONIC);
}

/* What this process has cost so far: on a busy machine the clock tells what others do. */
static uint64_t cpu_us(void)
{
	return time_us(CLOCK_PROCESS_CPUTIME_ID);
}

int session_take(struct session *s, struct state *st)
{
	struct frame *f = frame_make(st, judge_findings(s->judge), newest(s));

	return f ? keep_frame(s, f) : -ENOMEM;
}

/* ---- names ------------------------------------------------------------------------------- */

/* Safety: state_symbolize() asks through a pointer to a function that takes nothing. One thread
 * has sessions. */
static uint64_t names_end_us;

static bool is_enough(void)
{
	return clock_us() >= names_end_us;
}

/* Returns whether there is nothing left to do. */
static bool name_stacks(struct session *s, struct state *st)
{
	const struct sym_options plain = { 0 };

	if (!s->symbols && sym_create(&plain, &s->symbols, NULL))
		return true;
	names_end_us = clock_us() + NAMES_US;
	return state_symbolize(st, s->symbols, is_enough) != 1;
}

/* What kind of lock somebody sleeps on is told by names: the judge wants them before it looks. */
static bool wants_names(const struct state *st)
{
	for (size_t i = 0; i < st->processes; i++) {
		const struct state_process *p = &st->process[i];

		for (size_t k = 0; k < p->threads && !p->carried; k++)
			if (p->thread[k].lock && p->thread[k].lock->looks == 2)
				return true;
	}
	return false;
}

bool session_name_stacks(struct session *s)
{
	if (!s->history.n || !s->history.frame[s->shown]->st.stacks)
		return true;
	struct frame *f = s->history.frame[s->shown];
	const size_t before = frame_bytes(f);
	const bool done = name_stacks(s, &f->st);

	s->history.bytes += frame_bytes(f) - before;
	return done;
}

/* ---- samples ---------------------------------------------------------------------------- */

/* Stacks of all threads cost more than all the rest: seldom, unless somebody looks at them. */
static struct source *choose_source(struct session *s, uint64_t now_us)
{
	struct source_options with = s->options.source;

	if (s->is_replay || (!s->wants_stacks && now_us < s->thorough_us))
		return s->src;
	with.stacks = true;
	if (!s->thorough && source_open_live(&with, &s->thorough, NULL))
		s->thorough = NULL;
	return s->thorough ? s->thorough : s->src;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* When the next thorough one may come; names are looked up once and are not counted. */
static uint64_t thorough_after(const struct session *s, uint64_t cost_us)
{
	if (judge_findings(s->judge)->wants_threads)
		return most(AGAIN_US, DUTY_MOST * cost_us);
	return least(DUTY * cost_us, most(THOROUGH_US, DUTY_MOST * cost_us));
}

int session_sample(struct session *s, struct err *err)
{
	const uint64_t begin_us = clock_us(), begin_cpu_us = cpu_us();
	uint64_t names_us = 0;
	struct state st;
	struct source *const src = choose_source(s, begin_us);
	int r = source_next(src, &st, err);

	if (r <= 0)
		return r;
	if (wants_names(&st)) {
		names_us = cpu_us();
		name_stacks(s, &st);
		names_us = cpu_us() - names_us;
	}
	r = judge_look(s->judge, &st);
	if (r == 0)
		r = session_take(s, &st);
	else
		state_fini(&st);
	if (r)
		return err_set(err, r, "sample: no memory");
	s->cost_us = clock_us() - begin_us;
	if (src == s->thorough)
		s->thorough_us = begin_us + thorough_after(s, cpu_us() - begin_cpu_us - names_us);
	return 1;
}

static void empty_history(struct session *s)
{
	history_init(&s->history);
	if (s->options.history_bytes)
		s->history.bytes_max = s->options.history_bytes;
}

/* Read a replay from its beginning up to the first frame after `until_us`. */
static int read_again(struct session *s, uint64_t until_us, struct err *err)
{
	history_fini(&s->history);
	empty_history(s);
	s->history.span_max_us = UINT64_MAX / 2; /* a replay has no age, only a size */
	s->shown = 0;
	int r = open_source(s, err);
	if (r)
		return r;
	do
		r = session_sample(s, err);
	while (r == 1 && newest(s)->st.now_us <= until_us);
	return r < 0 ? r : 0;
}

int session_open(struct session *s, const struct session_options *options, struct err *err)
{
	*s = (struct session){ .options = *options, .is_replay = options->feeds != NULL,
			       .follow = true };
	empty_history(s);
	if (!s->is_replay || options->forward_only)
		return open_source(s, err);
	int r = read_again(s, UINT64_MAX, err);
	if (r == 0 && !s->history.n)
		r = err_set(err, -ENODATA, "%s: holds no sample", options->feeds[0]);
	s->follow = false;
	s->clock_us = s->end_us;
	return r;
}

void session_close(struct session *s)
{
	source_close(s->src);
	source_close(s->thorough);
	judge_destroy(s->judge);
	history_fini(&s->history);
	sym_destroy(s->symbols);
	s->thorough = NULL;
	s->symbols = NULL;
	s->src = NULL;
	s->judge = NULL;
}

/* ---- looking ----------------------------------------------------------------------------- */

const struct frame *session_frame(const struct session *s)
{
	return s->history.n ? s->history.frame[s->shown] : NULL;
}

const struct frame *session_before(const struct session *s)
{
	return s->history.n && s->shown ? s->history.frame[s->shown - 1] : NULL;
}

bool session_is_past(const struct session *s)
{
	return s->is_replay || !s->follow;
}

void session_pause(struct session *s)
{
	s->follow = false;
	s->is_playing = false;
	if (s->history.n)
		s->clock_us = session_frame(s)->st.now_us;
}

void session_live(struct session *s)
{
	if (s->is_replay) {
		s->is_playing = s->clock_us < s->end_us;
		return;
	}
	s->follow = true;
	if (s->history.n)
		s->shown = s->history.n - 1;
}

/* Show the last frame not after now_us, reading the replay on or anew where it must be. */
static void look_at(struct session *s, uint64_t now_us)
{
	if (!s->history.n)
		return;
	if (now_us < s->begin_us)
		now_us = s->begin_us;
	if (now_us > s->end_us)
		now_us = s->end_us;
	if (s->is_replay && now_us < s->history.frame[0]->st.now_us)
		read_again(s, now_us, NULL);
	while (s->is_replay && s->history.n && newest(s)->st.now_us <= now_us &&
	       session_sample(s, NULL) == 1)
		;
	if (!s->history.n)
		return;
	s->clock_us = now_us;
	s->shown = history_find(&s->history, now_us);
}

static bool step_forward(struct session *s)
{
	if (s->shown + 1 == s->history.n && (!s->is_replay || session_sample(s, NULL) != 1))
		return false;
	s->shown++;
	return true;
}

static bool step_back(struct session *s)
{
	const uint64_t now_us = session_frame(s)->st.now_us;

	if (s->shown == 0) {
		if (!s->is_replay || now_us <= s->begin_us)
			return false;
		look_at(s, now_us - 1);
		return s->history.n && session_frame(s)->st.now_us < now_us;
	}
	s->shown--;
	return true;
}

bool session_step(struct session *s, int n)
{
	bool moved = true;

	if (!s->history.n)
		return false;
	session_pause(s);
	for (int i = 0; moved && i < (n < 0 ? -n : n); i++)
		moved = n < 0 ? step_back(s) : step_forward(s);
	if (s->history.n)
		s->clock_us = session_frame(s)->st.now_us;
	return moved;
}

bool session_event(struct session *s, int direction)
{
	if (!s->history.n)
		return false;
	session_pause(s);
	const uint64_t now_us = session_frame(s)->st.now_us;
	for (size_t i = 0; i < s->moments; i++) {
		const size_t at = direction > 0 ? i : s->moments - 1 - i;
		const uint64_t then_us = s->moment[at].now_us;

		if (direction > 0 ? then_us > now_us : then_us < now_us && then_us >= s->begin_us) {
			look_at(s, then_us);
			return true;
		}
	}
	return false;
}

static int parse_moment(const struct session *s, const char *text, uint64_t *now_us,
			struct err *err)
{
	const uint64_t here_us = s->clock_us ? s->clock_us : s->end_us;
	uint64_t ns;

	if (strcmp(text, "start") == 0) {
		*now_us = s->begin_us;
		return 0;
	}
	if (strcmp(text, "end") == 0) {
		*now_us = s->end_us;
		return 0;
	}
	if (*text == '-' || *text == '+') {
		if (units_parse_span(text + 1, "time", 0, UINT64_C(864000000000000), &ns, err))
			return -EINVAL;
		const uint64_t us = ns / 1000;
		*now_us = *text == '+' ? here_us + us : here_us - (us < here_us ? us : here_us - 1);
		return 0;
	}
	const uint64_t end_us = s->end_us + (uint64_t)s->real_offset_us;
	uint64_t real_us;
	if (when_parse(text, "time", end_us, &real_us, NULL))
		return err_set(err, -EINVAL,
			       "time: \"%s\" is none of 14:01, -5m, +30s, start, end", text);
	/* who says 14:01:30 means that second, to its end */
	if (real_us % SECOND_US == 0)
		real_us += SECOND_US - 1;
	*now_us = real_us > (uint64_t)s->real_offset_us ? real_us - (uint64_t)s->real_offset_us : 1;
	return 0;
}

int session_goto(struct session *s, const char *text, struct err *err)
{
	uint64_t now_us = 0;

	if (!s->history.n)
		return err_set(err, -ENOENT, "time: there is no sample yet");
	session_pause(s);
	const int r = parse_moment(s, text, &now_us, err);
	if (r)
		return r;
	look_at(s, now_us);
	if (now_us < s->begin_us || now_us > s->end_us)
		return err_set(err, -ENOENT, "time: \"%s\" is outside what is kept", text);
	return 0;
}

void session_play(struct session *s, uint64_t us)
{
	if (!s->is_playing)
		return;
	look_at(s, s->clock_us + us);
	s->is_playing = s->clock_us < s->end_us;
}

bool session_gap(const struct session *s, uint64_t *from_us, uint64_t *to_us)
{
	if (!s->is_replay || s->shown + 1 >= s->history.n)
		return false;
	*from_us = s->history.frame[s->shown]->st.now_us;
	*to_us = s->history.frame[s->shown + 1]->st.now_us;
	return *to_us - *from_us > GAP_US && s->clock_us > *from_us + GAP_US;
}
