/*
 * session - the samples: takes them from a source, judges them, keeps the last of them, and
 * knows which one is being looked at.
 *
 * Live, some samples are thorough: they look at every thread, so that deadlocks are found that
 * concern no ring. They come as often as they cost no more than a hundredth of the time, but
 * every few seconds as long as that is not more than a twentieth; and soon, when the one before
 * has left a suspicion that only a further one can settle.
 *
 * Live, the newest is shown until somebody steps back (then sampling goes on behind it). A
 * replay is read forward only, because the judge follows findings over time: what has fallen
 * out of the kept frames is read again from the beginning.
 */
#ifndef SHMSCOPE_SHMTOP_SESSION_H
#define SHMSCOPE_SHMTOP_SESSION_H

#include "lib/state/source.h"
#include "shmtop/frame.h"

struct session_moment { /* a change of findings, for the time bar */
	uint64_t now_us;
	enum severity worst; /* that is confirmed from here on; SEVERITIES: none */
};

enum { SESSION_MOMENTS = 1024 };

struct session_options {
	struct source_options source;
	struct judge_options judge;
	const char *const *feeds; /* NULL-terminated: replay of these; NULL: live */
	uint64_t interval_us;     /* live */
	size_t history_bytes;     /* 0: HISTORY_BYTES */
	bool forward_only;        /* replay: samples are wanted in order, one after the other */
};

struct session {
	struct session_options options;
	struct source *src;
	struct source *thorough;  /* live: the same with stacks and locks of all threads */
	bool wants_stacks;        /* live: somebody looks at them, every sample is thorough */
	uint64_t thorough_us;     /* live: when a sample may be thorough again; CLOCK_MONOTONIC */
	struct sym_cache *symbols; /* NULL until names are asked for */
	struct judge *judge;
	struct history history;
	size_t shown;             /* index into history */
	bool follow;              /* the newest is shown */
	bool is_replay;
	bool is_playing;          /* replay: time goes on by itself */
	uint64_t clock_us;        /* replay: the moment looked at; between frames too */
	uint64_t begin_us, end_us;
	uint64_t cost_us;         /* what the last sample took */
	int64_t real_offset_us;
	struct session_moment moment[SESSION_MOMENTS];
	size_t moments;
};

/*
 * session_open / session_close - open the source; a replay is read through once, and its last
 * state is shown (unless it is read forward only).
 * options   copied; what it points to is borrowed until session_close().
 * Returns 0 or negative errno with err set (the errors of source_open_*()).
 * Safety: one-owner (as all below).
 */
int session_open(struct session *s, const struct session_options *options, struct err *err);
void session_close(struct session *s);

/* session_sample - take the next sample. Returns 1; 0 at the end of a replay; negative errno. */
int session_sample(struct session *s, struct err *err);

/*
 * session_take - keep a state that the judge has looked at as the newest frame.
 * st   taken, also when this fails. Returns 0 or -ENOMEM.
 */
int session_take(struct session *s, struct state *st);

/*
 * session_name_stacks - put names to the program counters of the frame that is looked at, as far
 * as that takes no longer than a moment; what is left stays numbers until the next call.
 * Returns false when something is left.
 */
bool session_name_stacks(struct session *s);

/* session_frame / session_before - what is looked at, and the frame before it; NULL: none. */
const struct frame *session_frame(const struct session *s);
const struct frame *session_before(const struct session *s);

/* session_is_past - whether something older than the newest is looked at. */
bool session_is_past(const struct session *s);

/* session_pause - stop following the newest; session_live - follow it again (replay: play). */
void session_pause(struct session *s);
void session_live(struct session *s);

/* session_step - n samples forward or back. Returns false when there were fewer. */
bool session_step(struct session *s, int n);

/* session_event - to the next (1) or previous (-1) change of a finding. False: there is none. */
bool session_event(struct session *s, int direction);

/*
 * session_goto - to a time as people type it: "14:01", "14:01:30", "-5m", "+30s", "start", "end".
 * Returns 0; -EINVAL with err set when it is not a time; -ENOENT when it lies outside (the
 * nearest sample is shown, err says so).
 */
int session_goto(struct session *s, const char *text, struct err *err);

/* session_play - replay: let `us` of time go by. */
void session_play(struct session *s, uint64_t us);

/* session_gap - whether there is no data at the moment looked at; from and to are set. */
bool session_gap(const struct session *s, uint64_t *from_us, uint64_t *to_us);

#endif
