/*
 * as_json - writes JSON lines where malloc, stdio and locks are forbidden.
 *
 *	as_json_init(&j, buf, sizeof(buf), fd);
 *	as_json_record(&j);                        {
 *	as_json_u64(&j, "v", 1);                   "v":1
 *	as_json_arr(&j, "frames");                 ,"frames":[
 *	as_json_hex(&j, NULL, pc);                 "0x7f01"
 *	as_json_end(&j);                           ]
 *	as_json_end_record(&j);                    }\n
 *	as_json_flush(&j);
 *
 * A record is one line. Lines are collected in the caller's buffer and written when it is
 * full or as_json_flush() asks for it; a line goes out in one write unless it is longer than
 * the whole buffer. So a reader of the file sees whole lines, and after a crash at most one
 * cut-off last line. When a write fails in the middle of a line, the next line that can be
 * written starts with a line feed, so that the cut line spoils no other.
 *
 * Values. Plain numbers only up to 2^53 - 1, what every JSON reader keeps exactly; a larger
 * as_json_u64() turns into the hex string that as_json_hex() writes always. Text that is
 * UTF-8 goes through unchanged; control characters, and each byte that is not part of a valid
 * UTF-8 sequence, are written as \u00XX with XX the byte (so "\u00ff" is the byte 0xff or, in
 * text that was valid, the letter: foreign bytes are kept readable, not told apart). A zero
 * byte becomes \ufffd, because readers refuse \u0000.
 *
 * With fd -1 nothing is ever written: the lines stay in the buffer, and a record that does
 * not fit is taken back whole and counted as lost.
 *
 * Keys are our own literals; they are written without escapes. `key` is NULL inside arrays.
 *
 * Safety, for every function here: AS-safe, one-owner; as_json_flush(), and any other call
 * that finds the buffer full, may block as write(2) does on the fd.
 */
#ifndef SHMSCOPE_AS_JSON_H
#define SHMSCOPE_AS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AS_JSON_DEPTH = 32, AS_JSON_ROOM_MIN = 256 };

struct as_json {
	char *buf;
	size_t room;
	size_t len;       /* bytes in buf not yet written */
	size_t line;      /* where in buf the current record starts */
	int fd;           /* -1: memory only */
	unsigned depth;   /* open objects and arrays */
	uint32_t arrays;  /* bit per depth: it is an array */
	uint32_t filled;  /* bit per depth: it has an element */
	bool skip;        /* the current record is lost: drop what follows of it */
	bool begun;       /* part of the current record is already in the file */
	bool torn;        /* the file ends inside a line: start with a line feed */
	int error;        /* first write error (negative errno), 0 if none */
	uint64_t written; /* bytes in the file */
	uint64_t records; /* records ended, the lost ones included */
	uint64_t lost;    /* records not in the file, or not whole */
};

/*
 * as_json_init - start a writer.
 * buf   borrowed for the life of the writer.  room  its bytes, at least AS_JSON_ROOM_MIN.
 * fd    where lines go; borrowed; -1 keeps them in buf.
 */
void as_json_init(struct as_json *j, char *buf, size_t room, int fd);

/* as_json_record - open a record (a line with one object); as_json_end_record - close it, and
 * whatever is still open in it. */
void as_json_record(struct as_json *j);
void as_json_end_record(struct as_json *j);

/* as_json_obj, as_json_arr - open an object or array as the next value; as_json_end - close
 * the innermost. Beyond AS_JSON_DEPTH the record is dropped and counted as lost. */
void as_json_obj(struct as_json *j, const char *key);
void as_json_arr(struct as_json *j, const char *key);
void as_json_end(struct as_json *j);

void as_json_u64(struct as_json *j, const char *key, uint64_t v);
void as_json_i64(struct as_json *j, const char *key, int64_t v);
void as_json_hex(struct as_json *j, const char *key, uint64_t v);
void as_json_bool(struct as_json *j, const char *key, bool v);
void as_json_null(struct as_json *j, const char *key);
/* A NULL text is written as null. */
void as_json_str(struct as_json *j, const char *key, const char *text);
void as_json_mem(struct as_json *j, const char *key, const void *text, size_t len);

/*
 * as_json_flush - write the whole lines that are still in the buffer.
 * Returns 0 or a negative errno (this write's own; the first one stays in j->error). What
 * could not be written is dropped and counted in j->lost; later records are tried again.
 */
int as_json_flush(struct as_json *j);

#endif
