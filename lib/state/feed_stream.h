/*
 * feed_stream - a feed as a sequence of whole dumps, with the dictionaries they refer to.
 */
#ifndef SHMSCOPE_STATE_FEED_STREAM_H
#define SHMSCOPE_STATE_FEED_STREAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/feed/feed_chain.h"
#include "lib/proc/proc_outer.h"

enum {
	FEED_DUMP_RECORDS = 1 << 18, /* records of a dump that are kept; the rest is counted */
	FEED_IDS = 1 << 20,          /* modules and stacks numbered below this are kept */
};

struct feed_dump {
	json_t *begin;      /* its "dump" record; NULL: no dump */
	json_t **rec;       /* what followed, without "dump" and "done" */
	size_t n, room;
	json_t *done;       /* NULL: cut off */
	uint64_t lost;      /* records beyond FEED_DUMP_RECORDS */
	uint64_t family;    /* 0: asked alone */
	uint64_t mono_us;   /* when it began, on the clock of feed_stream.shift_us */
	unsigned looks;     /* 0, 1 or 2 */
	uint64_t look_us[3]; /* by number of the look */
};

struct feed_rest { /* a thread of the last dump, and since when it has not run */
	int32_t tid;
	uint64_t mark;
	uint64_t since_us;
};

struct feed_words { /* dictionary records by their number */
	json_t **rec;
	size_t room;
};

struct feed_stream {
	struct feed_chain *chain;
	json_t *head;             /* the newest "feed" record */
	json_t *end;              /* the "end" record, NULL */
	struct feed_words module, stack;
	struct feed_dump next;    /* the next one, whole (or the file ends in it) */
	struct feed_dump last;    /* the one before: handed out last */
	struct feed_rest *rest;   /* of its threads, sorted by tid */
	size_t rests;
	json_t *pending;          /* a "dump" record that was read already */
	uint64_t dumps;           /* found so far */
	uint64_t from_us, to_us;  /* times seen in its records, on the common clock */
	int64_t real_offset_us;   /* CLOCK_REALTIME - CLOCK_MONOTONIC, told by its first line */
	int64_t shift_us;         /* added to its times: 0, or from the clock of another boot */
	bool is_over;
	bool is_inner;            /* its numbers are those of a pid namespace that is not ours, here */
	struct proc_outer outer;  /* of that one */
};

/*
 * feed_stream_open - open a feed and read its first line.
 * Returns 0 or the error of feed_chain_open(). Safety: one-owner, as everything here.
 */
int feed_stream_open(const char *path, struct feed_stream *s, struct err *err);
void feed_stream_close(struct feed_stream *s);

/*
 * feed_stream_advance - read on until `next` is the next whole dump; the one before goes to
 * `last`. At the end of the feed, next.begin is NULL.
 * Returns 0 or a negative errno.
 */
int feed_stream_advance(struct feed_stream *s);

/* feed_words_find - the record with that number; NULL. Borrowed. */
const json_t *feed_words_find(const struct feed_words *words, uint64_t number);

/*
 * feed_stream_rest - since when the thread of a record of s->last is known not to have run: two
 * dumps in a row found the same mark. Returns 0 when that is not known.
 */
uint64_t feed_stream_rest(const struct feed_stream *s, const json_t *thread);

/*
 * feed_stream_number - of a process or thread that its records name. Who writes its feed in a pid
 * namespace of its own knows the numbers there; as long as the process lives, and on this machine,
 * they become those that we see. Else they stay as they are.
 */
int32_t feed_stream_number(struct feed_stream *s, int32_t number);

/* feed_stream_inner - the number of the process in its namespace, where that is not feed_stream_pid();
 * 0: it is. */
int32_t feed_stream_inner(struct feed_stream *s);

/* feed_stream_name, _pid, _start - of the process that the feed is about; "?" and 0 unknown. */
const char *feed_stream_name(const struct feed_stream *s);
int32_t feed_stream_pid(struct feed_stream *s);
uint64_t feed_stream_start(const struct feed_stream *s);

#endif
