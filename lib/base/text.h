/*
 * text - foreign bytes made fit to be shown.
 *
 * Names come from shared memory that anybody may have scribbled into, and from /proc, where a
 * process may call itself anything. What is not printable UTF-8 would break JSON, or let a
 * process write to the terminal of whoever looks at it.
 */
#ifndef SHMSCOPE_BASE_TEXT_H
#define SHMSCOPE_BASE_TEXT_H

#include <stddef.h>

/*
 * text_printable - copy up to n bytes, ending at a NUL byte. Valid UTF-8 stays; control
 * characters and bytes that are no UTF-8 become \xNN.
 *
 * out   set to the text, NUL terminated; cut at a whole character when room is too small.
 * room  bytes of out, at least 1.
 *
 * Returns the length of the text.
 * Safety: MT-safe.
 */
size_t text_printable(char *out, size_t room, const void *bytes, size_t n);

#endif
