/*
 * plan - which part of the overview gets how many rows. Pure.
 *
 * In order of need: the verdict, a few peers, the worst findings, the slots, all peers, the
 * detail of the selected row, memory. Blank rows between the parts only where all have room.
 */
#ifndef SHMSCOPE_SHMTOP_PLAN_H
#define SHMSCOPE_SHMTOP_PLAN_H

struct plan_wants { /* rows that each part would fill */
	int verdict, findings, more, peers, slots, slots_least, memory, detail;
};

struct plan { /* rows that each part gets; 0: not drawn */
	int verdict, findings, more, peers, slots, memory, detail;
	int gap; /* blank rows before slots, memory */
};

/* plan_make - share out `rows` (the title has had its own). Safety: MT-safe. */
struct plan plan_make(int rows, const struct plan_wants *w);

#endif
