/*
 * feed_get - fields of a record, with "absent" and "of the wrong type" told as not known.
 *
 * Feeds come from other releases, other machines, and files that something else wrote into. So
 * every field is asked for by name and type, and nothing is assumed to be there.
 *
 * Safety, for every function here: MT-safe on a record that nobody changes.
 */
#ifndef SHMSCOPE_FEED_GET_H
#define SHMSCOPE_FEED_GET_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * feed_get_u64 - a number, or a hex string "0x1f" (what may exceed 2^53 is written so).
 * Returns false, leaving *v alone, when the field is absent, null, negative or something else.
 */
bool feed_get_u64(const json_t *rec, const char *key, uint64_t *v);

/* feed_u64, feed_u32, feed_i64 - the same with a value for "not known"; what does not fit into
 * the type is not known either. */
uint64_t feed_u64(const json_t *rec, const char *key, uint64_t unknown);
uint32_t feed_u32(const json_t *rec, const char *key, uint32_t unknown);
int64_t feed_i64(const json_t *rec, const char *key, int64_t unknown);

/* feed_text - borrowed from the record; NULL when absent or no text. */
const char *feed_text(const json_t *rec, const char *key);

/* feed_is - is the field there and true? */
bool feed_is(const json_t *rec, const char *key);

/* feed_is_type - is this a record of type `t`? */
bool feed_is_type(const json_t *rec, const char *t);

/* feed_value_u64 - feed_get_u64() for an element of an array. */
bool feed_value_u64(const json_t *value, uint64_t *v);

#endif
