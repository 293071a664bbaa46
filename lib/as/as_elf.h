/*
 * as_elf - an ELF file as it is mapped in a process: read from that memory, believed in nothing.
 */
#ifndef SHMSCOPE_AS_ELF_H
#define SHMSCOPE_AS_ELF_H

#include <stdint.h>

#include "lib/as/as_mem.h"

enum { AS_BUILD_ID = 32 };

struct as_elf {
	uint64_t bias;      /* address in memory = address in the file + bias */
	uint64_t end;       /* in memory, of its last segment: behind .bss, which no file maps */
	uint64_t hdr;       /* .eh_frame_hdr in memory, 0: none */
	uint64_t hdr_bytes;
	uint8_t build_id[AS_BUILD_ID];
	uint8_t build_id_bytes; /* 0: none */
};

/*
 * as_elf_read - the header, program headers and build id of a mapped file.
 *
 * start, end  where the module lies; `start` is the mapping of offset 0 of the file. Whatever
 *             the headers point at outside [start, end) is taken as absent.
 * Returns 0; -EBADMSG when this is no 64-bit x86_64 ELF file; or what reading it said.
 * Safety: AS-safe, one-owner (of m).
 */
int as_elf_read(struct as_mem *m, uint64_t start, uint64_t end, struct as_elf *elf);

#endif
