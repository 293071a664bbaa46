/*
 * space_due - a consumer that looks for a waiting producer only now and then.
 *
 * Ledger labels H2 and B1 (hub_ring_is_due()): the consumer stores tail after each message, but
 * looks at the producer's announcement only where it passes a multiple of DUE cells. The producer
 * that finds no room announces SPACE, looks once more and sleeps. It found no room after it had
 * announced, so at least CELLS - MOST + 1 cells were untaken then; a multiple of DUE has to lie
 * among so many, wherever they begin.
 *
 * The same for notifications (H3): they are counted, and the look comes after each half of the
 * window.
 *
 * Checked: all cells are sent and taken.
 *
 * variant: fine
 * variant: TOO_SELDOM must-fail
 * variant: NO_SECOND_LOOK must-fail
 */
#define CELLS 4
#define MOST 2                   /* cells of the largest message */
#define ALL 13
#ifdef TOO_SELDOM
#define DUE 4
#else
#define DUE 2
#endif

byte head, tail;
byte size[ALL];                  /* of the message that begins there */
bit announced;                   /* the producer sleeps for space */
bool bell;

#define ROOM(n)   (head + n - tail <= CELLS)

active proctype producer() {
	byte n;

	do
	:: head == ALL -> break
	:: else ->
		if
		:: n = 1
		:: head + MOST <= ALL -> n = MOST
		fi;
		do
		:: ROOM(n) -> break
		:: else ->
			announced = 1;
#ifdef NO_SECOND_LOOK
			bell;
			bell = false
#else
			if
			:: ROOM(n) -> announced = 0
			:: else -> bell; bell = false
			fi
#endif
		od;
		size[head] = n;
		head = head + n
	od
}

active proctype consumer() {
	byte from;

	do
	:: tail == ALL -> break
	:: head > tail ->
		from = tail;
		tail = tail + size[tail];
		if
		:: from / DUE != tail / DUE ->
			atomic {
				if
				:: announced -> announced = 0; bell = true
				:: else
				fi
			}
		:: else
		fi
	od
}
