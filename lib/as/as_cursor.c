#include "lib/as/as_cursor.h"

#include <errno.h>

struct as_cursor as_cursor_at(struct as_mem *mem, uint64_t addr, uint64_t n)
{
	const uint64_t end = n > UINT64_MAX - addr ? UINT64_MAX : addr + n;

	return (struct as_cursor){ .mem = mem, .at = addr, .end = end };
}

static void take(struct as_cursor *c, void *to, size_t n)
{
	if (c->err)
		return;
	if (n > c->end - c->at)
		c->err = -EBADMSG;
	else
		c->err = as_mem_image(c->mem, c->at, to, n);
	if (!c->err)
		c->at += n;
}

uint8_t as_cursor_u8(struct as_cursor *c)
{
	uint8_t v = 0;

	take(c, &v, sizeof(v));
	return v;
}

uint16_t as_cursor_u16(struct as_cursor *c)
{
	uint16_t v = 0;

	take(c, &v, sizeof(v));
	return v;
}

uint32_t as_cursor_u32(struct as_cursor *c)
{
	uint32_t v = 0;

	take(c, &v, sizeof(v));
	return v;
}

uint64_t as_cursor_u64(struct as_cursor *c)
{
	uint64_t v = 0;

	take(c, &v, sizeof(v));
	return v;
}

void as_cursor_skip(struct as_cursor *c, uint64_t n)
{
	if (n > c->end - c->at)
		c->err = c->err ? c->err : -EBADMSG;
	else
		c->at += n;
}

/* Seven bits a byte, at most ten bytes; *shift is set to the bits read. */
static uint64_t take_leb(struct as_cursor *c, unsigned *shift, uint8_t *last)
{
	uint64_t v = 0;

	*shift = 0;
	do {
		*last = as_cursor_u8(c);
		if (*shift < 64)
			v |= (uint64_t)(*last & 0x7f) << *shift;
		*shift += 7;
		if (*shift > 70 && !c->err)
			c->err = -EBADMSG;
	} while (*last & 0x80 && !c->err);
	return c->err ? 0 : v;
}

uint64_t as_cursor_uleb(struct as_cursor *c)
{
	unsigned shift;
	uint8_t last;

	return take_leb(c, &shift, &last);
}

int64_t as_cursor_sleb(struct as_cursor *c)
{
	unsigned shift;
	uint8_t last;
	uint64_t v = take_leb(c, &shift, &last);

	if (last & 0x40 && shift < 64 && !c->err)
		v |= -(UINT64_C(1) << shift);
	return (int64_t)v;
}

unsigned as_pointer_bytes(uint8_t enc)
{
	switch (enc & 0x0f) {
	case AS_PE_ABSPTR:
	case AS_PE_UDATA8:
	case AS_PE_SDATA8:
		return 8;
	case AS_PE_UDATA4:
	case AS_PE_SDATA4:
		return 4;
	case AS_PE_UDATA2:
	case AS_PE_SDATA2:
		return 2;
	default:
		return 0;
	}
}

static uint64_t take_format(struct as_cursor *c, uint8_t enc)
{
	switch (enc & 0x0f) {
	case AS_PE_ABSPTR:
	case AS_PE_UDATA8:
	case AS_PE_SDATA8:
		return as_cursor_u64(c);
	case AS_PE_ULEB128:
		return as_cursor_uleb(c);
	case AS_PE_UDATA2:
		return as_cursor_u16(c);
	case AS_PE_UDATA4:
		return as_cursor_u32(c);
	case AS_PE_SLEB128:
		return (uint64_t)as_cursor_sleb(c);
	case AS_PE_SDATA2:
		return (uint64_t)(int16_t)as_cursor_u16(c);
	case AS_PE_SDATA4:
		return (uint64_t)(int32_t)as_cursor_u32(c);
	default:
		c->err = c->err ? c->err : -ENOTSUP;
		return 0;
	}
}

uint64_t as_cursor_pointer(struct as_cursor *c, uint8_t enc, uint64_t datarel_base)
{
	if (enc == AS_PE_OMIT)
		return 0;
	if ((enc & 0x70) == AS_PE_ALIGNED)
		as_cursor_skip(c, -c->at & 7);
	const uint64_t place = c->at;
	uint64_t v = take_format(c, enc);

	switch (enc & 0x70) {
	case AS_PE_ABSPTR:
	case AS_PE_ALIGNED:
		break;
	case AS_PE_PCREL:
		v += v ? place : 0;
		break;
	case AS_PE_DATAREL:
		v += v ? datarel_base : 0;
		break;
	default:
		c->err = c->err ? c->err : -ENOTSUP;
	}
	if (enc & AS_PE_INDIRECT && v && !c->err)
		c->err = as_mem_image(c->mem, v, &v, sizeof(v));
	return c->err ? 0 : v;
}
