/*
 * cells - every cell of a ring carries its own word, continuation cells too.
 *
 * Ledger label H1. Messages of one or two cells in a ring of four. The word of a cell says which
 * position it is published for. A continuation cell that gives those bytes to payload instead
 * lets the payload of an earlier lap pass for a published cell of a later one; the checker picks
 * the payload that does.
 *
 * The consumer delivers a message when the word at its tail says "position tail, first". The
 * continuation cell is written before the first cell's word.
 *
 * Checked: what is delivered was sent, whole and in order; nothing else is.
 *
 * variant: fine
 * variant: CONTINUATION_WITHOUT_WORD must-fail
 * variant: FIRST_WORD_BEFORE_CONTINUATION must-fail
 * variant: NO_TAIL_CHECK must-fail
 */
#define CELLS    4
#define MESSAGES 5

/* 0 is a cell never written */
#define WORD(position, first) ((((position) + 1) * 2) + (first))

byte word[CELLS], content[CELLS];
byte tail;                       /* written by the consumer */
byte sent[16], cells_of[16];     /* by position: number of the message + 1, and its length */
byte last = 255;                 /* head after the last message */

active proctype producer() {
	byte head = 0, n = 0, cells;
	do
	:: n == MESSAGES -> break
	:: n < MESSAGES ->
		if
		:: cells = 1
		:: cells = 2
		fi;
#ifndef NO_TAIL_CHECK
		head + cells - tail <= CELLS;
#endif
		n++;
		d_step { sent[head] = n; cells_of[head] = cells };
#ifdef FIRST_WORD_BEFORE_CONTINUATION
		content[head % CELLS] = n;
		word[head % CELLS] = WORD(head, 1);
#endif
		if
		:: cells == 2 ->
			content[(head + 1) % CELLS] = n;
#ifdef CONTINUATION_WITHOUT_WORD
			if
			:: word[(head + 1) % CELLS] = 0
			:: word[(head + 1) % CELLS] = WORD(head + 1 + CELLS, 1)
			fi
#else
			word[(head + 1) % CELLS] = WORD(head + 1, 0)
#endif
		:: else
		fi;
#ifndef FIRST_WORD_BEFORE_CONTINUATION
		content[head % CELLS] = n;
		word[head % CELLS] = WORD(head, 1);
#endif
		head = head + cells
	od;
	last = head
}

active proctype consumer() {
	byte t = 0, n = 0;
	do
	:: word[t % CELLS] == WORD(t, 1) ->
		n++;
		assert(sent[t] == n);
		assert(content[t % CELLS] == n);
		if
		:: cells_of[t] == 2 ->
#ifndef CONTINUATION_WITHOUT_WORD
			assert(word[(t + 1) % CELLS] == WORD(t + 1, 0));
#endif
			assert(content[(t + 1) % CELLS] == n);
			t = t + 2
		:: else -> t = t + 1
		fi;
		tail = t
	:: t == last -> break
	od;
	assert(n == MESSAGES)
}
