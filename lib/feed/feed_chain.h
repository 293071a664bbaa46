/*
 * feed_chain - one feed with its rotated parts, from the oldest record to the newest, and on as
 * it grows.
 *
 * A writer that has filled NAME.ndjson renames it to NAME.ndjson.1 (and an older .1 to .2, ...)
 * and begins a new NAME.ndjson, whose first line says the next segment number and the same
 * image. The order is taken from those lines, never from the names alone: between two calls any
 * number of rotations may have happened. Segments that are gone by then are counted as missed.
 */
#ifndef SHMSCOPE_FEED_CHAIN_H
#define SHMSCOPE_FEED_CHAIN_H

#include "lib/feed/feed_reader.h"

enum { FEED_PARTS_MAX = 64 }; /* .1 to .64 are looked for */

struct feed_chain;

/*
 * feed_chain_open - begin with the oldest part that is there.
 *
 * path   NAME.ndjson; it may be absent as long as a part of it is there. A part's own name
 *        (NAME.ndjson.2) is a chain of that one file.
 * chain  returned; feed_chain_close().
 *
 * Returns 0; -ENOENT, -EACCES, ...; -ENODATA when there is no whole line yet; -EBADMSG when the
 * first line of no part is a feed's.
 * Safety: one-owner, as everything below.
 */
int feed_chain_open(const char *path, struct feed_chain **chain, struct err *err);

/*
 * feed_chain_recent - of what lies before the last `bytes` of the feed, hand out only first lines,
 * dictionaries and ends: what the rest cannot be understood without. For somebody who asked for
 * the last dump of a feed that has grown for days. Before the first feed_chain_next().
 */
void feed_chain_recent(struct feed_chain *chain, uint64_t bytes);

/*
 * feed_chain_next - the next record. The first one, and the first of each further part, is a
 * record of type "feed". rec: json_decref(). Returns 1; 0 when there is no more for now;
 * -ENOMEM or the errno of a failed read.
 */
int feed_chain_next(struct feed_chain *chain, json_t **rec);

/* feed_chain_path - as given. feed_chain_stats - of all parts read so far. Both borrowed,
 * the latter until the next call. */
const char *feed_chain_path(const struct feed_chain *chain);
const struct feed_stats *feed_chain_stats(struct feed_chain *chain);

/* feed_chain_problem - feed_stats_problem() of all parts, naming the first part that has one. */
bool feed_chain_problem(struct feed_chain *chain, struct err *err);

/* feed_chain_missed - segments that had been deleted before they could be read. */
uint64_t feed_chain_missed(const struct feed_chain *chain);

/* feed_chain_close - NULL is fine. */
void feed_chain_close(struct feed_chain *chain);

#endif
