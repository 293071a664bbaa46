/*
 * as_cursor - reads the encoded numbers of DWARF out of a process' memory.
 *
 * Every read is checked against the end; the first one that fails (past the end, unreadable
 * memory, an encoding nobody uses) leaves `err` set, and from then on every read gives 0. So a
 * parser reads on and asks once at the end.
 *
 * Safety, for every function here: AS-safe, one-owner (of the cursor and its as_mem).
 */
#ifndef SHMSCOPE_AS_CURSOR_H
#define SHMSCOPE_AS_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "lib/as/as_mem.h"

struct as_cursor {
	struct as_mem *mem;
	uint64_t at;
	uint64_t end;
	int err; /* 0, or negative errno of the first read that failed */
};

/* Encodings of pointers in .eh_frame: a format, how it applies, and whether it is the address of
 * the pointer. */
enum as_pointer_encoding {
	AS_PE_ABSPTR = 0x00, AS_PE_ULEB128 = 0x01, AS_PE_UDATA2 = 0x02, AS_PE_UDATA4 = 0x03,
	AS_PE_UDATA8 = 0x04, AS_PE_SLEB128 = 0x09, AS_PE_SDATA2 = 0x0a, AS_PE_SDATA4 = 0x0b,
	AS_PE_SDATA8 = 0x0c,
	AS_PE_PCREL = 0x10, AS_PE_TEXTREL = 0x20, AS_PE_DATAREL = 0x30, AS_PE_FUNCREL = 0x40,
	AS_PE_ALIGNED = 0x50,
	AS_PE_INDIRECT = 0x80,
	AS_PE_OMIT = 0xff,
};

/* [addr, addr + n), or up to the last address if that is nearer. */
struct as_cursor as_cursor_at(struct as_mem *mem, uint64_t addr, uint64_t n);

uint8_t as_cursor_u8(struct as_cursor *c);
uint16_t as_cursor_u16(struct as_cursor *c);
uint32_t as_cursor_u32(struct as_cursor *c);
uint64_t as_cursor_u64(struct as_cursor *c);
uint64_t as_cursor_uleb(struct as_cursor *c);
int64_t as_cursor_sleb(struct as_cursor *c);
void as_cursor_skip(struct as_cursor *c, uint64_t n);

/*
 * as_cursor_pointer - a pointer in encoding `enc`; datarel_base for AS_PE_DATAREL.
 * AS_PE_OMIT reads nothing and gives 0. Text- and function-relative pointers do not occur in
 * frame tables of x86_64: -ENOTSUP.
 */
uint64_t as_cursor_pointer(struct as_cursor *c, uint8_t enc, uint64_t datarel_base);

/* Bytes of a pointer of that format; 0 for those of variable length. */
unsigned as_pointer_bytes(uint8_t enc);

#endif
