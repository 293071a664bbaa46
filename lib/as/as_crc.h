/*
 * as_crc - CRC-32 (IEEE 802.3), piece by piece: what seals a hub's header. In a header of its
 * own, because libshmhub and the dumper both need it and neither links the other.
 */
#ifndef SHMSCOPE_AS_CRC_H
#define SHMSCOPE_AS_CRC_H

#include <stddef.h>
#include <stdint.h>

#define AS_CRC_START UINT32_MAX

/* as_crc_add - `n` more bytes; the sum of all is ~as_crc_add(...). Begin with AS_CRC_START.
 * Safety: AS-safe, MT-safe, wait-free. */
static inline uint32_t as_crc_add(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;

	/* bit by bit: one page, once per open */
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
	}
	return crc;
}

#endif
