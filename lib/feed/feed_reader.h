/*
 * feed_reader - the records of one feed file, one at a time.
 *
 *	struct feed_reader *r;
 *	json_t *rec;
 *
 *	feed_reader_open("thumbs-4111-9f3c.ndjson", &r, &err);
 *	while (feed_reader_next(r, &rec) == 1) { ...; json_decref(rec); }
 *	if (feed_reader_has_problem(r, &err)) say so
 *	feed_reader_close(r);
 *
 * The file may still be growing: 0 means "nothing more for now", and a later call goes on from
 * there. A last line without its line feed is not a record yet; in a file whose writer is dead
 * it never will be. A line that is not JSON, longer than FEED_LINE_MAX or no record of ours is
 * skipped and counted: one bad line never costs the others.
 *
 * Memory is bounded by the longest line, never by the file.
 */
#ifndef SHMSCOPE_FEED_READER_H
#define SHMSCOPE_FEED_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "lib/base/err.h"

enum { FEED_LINE_MAX = 4 << 20 };

struct feed_stats {
	uint64_t lines;      /* whole lines so far, empty ones included */
	uint64_t used;       /* records handed out */
	uint64_t skipped;    /* lines that were no record */
	uint64_t bad_line;   /* number of the first of them, from 1 */
	int bad_column;      /* where in it; 0: the line as a whole */
	char bad_why[64];    /* "not JSON", "not a feed record", "longer than any record" */
	uint64_t cut_bytes;  /* after the last line feed */
};

struct feed_reader;

/*
 * feed_reader_open - open a feed; nothing is read yet.
 * r   returned; feed_reader_close().
 * Returns 0; -ENOENT, -EACCES, ... of open(2); -EINVAL when it is no regular file. A fifo or
 * device is not waited for.
 * Safety: one-owner, as everything below.
 */
int feed_reader_open(const char *path, struct feed_reader **r, struct err *err);

/*
 * feed_reader_next - the next record.
 * rec   set to a reference of the caller's: json_decref().
 * Returns 1; 0 at the present end of the file; -ENOMEM; or the errno of a failed read.
 */
int feed_reader_next(struct feed_reader *r, json_t **rec);

/*
 * feed_reader_skim - of the first n bytes of the file hand out only what later records refer to: first lines,
 * dictionaries and ends. The other lines are counted as used, and cost no parsing.
 * Returns how much of what was asked before lies behind the place that was read up to.
 */
uint64_t feed_reader_skim(struct feed_reader *r, uint64_t n);

/* feed_reader_stats - what was read so far. Borrowed. */
const struct feed_stats *feed_reader_stats(const struct feed_reader *r);

/* feed_reader_path - as given to feed_reader_open(). Borrowed. */
const char *feed_reader_path(const struct feed_reader *r);

/* feed_reader_stat - fstat(2) of the file that is open. Returns 0 or a negative errno. */
int feed_reader_stat(const struct feed_reader *r, struct stat *st);

/*
 * feed_stats_add - take the numbers of a part into those of the whole; bad_line stays the one
 * of the first part that has one.
 * feed_stats_problem - put what was skipped or cut off into err ("PATH: line 88 102: not JSON
 * (column 411); 1 line skipped, 88 101 used"). Returns false when there is nothing to say.
 */
void feed_stats_add(struct feed_stats *whole, const struct feed_stats *part);
bool feed_stats_problem(const struct feed_stats *stats, const char *path, struct err *err);

/* feed_reader_close - NULL is fine. */
void feed_reader_close(struct feed_reader *r);

#endif
