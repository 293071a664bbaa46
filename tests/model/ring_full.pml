/*
 * ring_full - two ends, two rings of one message each, both may be full at once.
 *
 * Ledger labels H2 and B1: a producer that finds no space announces SPACE, looks once more and
 * sleeps on its bell; the consumer stores tail, then exchanges the other end's announcement and
 * rings. One bell per end serves messages and space alike. The rule that keeps two full rings
 * from stopping both ends: nothing that consumes a ring may block on producing; while an end
 * waits for space it goes on taking messages (into a private queue).
 *
 * Checked: both ends always send and take all messages.
 *
 * variant: fine
 * variant: BLOCK_WHILE_FULL must-fail
 * variant: NO_SECOND_LOOK must-fail
 * variant: NO_BELL_FOR_SPACE must-fail
 */
#define EACH 3
#define ROOM 1

byte head[2], tail[2];           /* ring i is written by end i, read by end 1-i */
bit announced[2];                /* end i sleeps, for messages and for space if it needs any */
bool bell[2];

#define WAITING   (head[1-me] > tail[1-me])
#define SPACE     (head[me] - tail[me] < ROOM)

inline ring(other) {
	atomic {
		if
		:: announced[other] -> announced[other] = 0; bell[other] = true
		:: else
		fi
	}
}

inline ring_for_space(other) {
#ifndef NO_BELL_FOR_SPACE
	ring(other)
#else
	skip
#endif
}

inline sleep_unless(condition) {
	announced[me] = 1;
#ifdef NO_SECOND_LOOK
	bell[me];
	bell[me] = false
#else
	if
	:: condition -> announced[me] = 0
	:: else -> bell[me]; bell[me] = false
	fi
#endif
}

proctype side(bit me) {
	byte sent = 0, got = 0;
#ifndef BLOCK_WHILE_FULL
	do
	:: sent == EACH && got == EACH -> break
	:: else ->
		if
		:: WAITING -> tail[1-me]++; got++; ring_for_space(1-me)
		:: sent < EACH && SPACE -> head[me]++; sent++; ring(1-me)
		:: else -> sleep_unless(WAITING || (sent < EACH && SPACE))
		fi
	od
#else
	/* says all it has to say before it looks at what came in */
	do
	:: sent == EACH && got == EACH -> break
	:: sent < EACH ->
		do
		:: SPACE -> break
		:: else -> sleep_unless(SPACE)
		od;
		head[me]++;
		sent++;
		ring(1-me)
	:: sent == EACH && got < EACH ->
		if
		:: WAITING -> tail[1-me]++; got++; ring_for_space(1-me)
		:: else -> sleep_unless(WAITING)
		fi
	od
#endif
}

init { atomic { run side(0); run side(1) } }
