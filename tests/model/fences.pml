/*
 * fences - where two sides each store a word and then look at the other's, both need full order.
 *
 * The pattern of these labels of the ledgers (hub_priv.h; B1 has sleep_wake.pml and slot_wait.pml):
 *
 *	      one side stores, then looks at		the other stores, then looks at
 *	R2    dozers: a caller sleeps	the role	the role is let go	dozers
 *	A1    armed: a bell came	the role	the role is let go	armed
 *	A2    wake_fd: made		the call	the call has failed	wake_fd
 *	W1    *_waiters, then *_seq	what it wants	what it wants is there	*_waiters
 *	W1    sleepers, pending		ticking		ticking is cleared	sleepers, pending
 *
 * A store may stay in its processor's buffer while a later load of the same side goes ahead; a
 * full fence, or a seq_cst access, empties the buffer first. The waiter sleeps on the number that
 * it read before its look; who finds a waiter counts that number up and wakes, so a number that has
 * moved does not let it sleep.
 *
 * Checked: who waits is woken, or has seen what it waits for.
 *
 * variant: fine
 * variant: RELAXED_WAITER must-fail
 * variant: RELAXED_WAKER must-fail
 * variant: NUMBER_AFTER_THE_LOOK must-fail
 */
bit waits, there;                /* in memory */
bit waits_buffered, there_buffered;
byte number;
bit sleeps, woken;

/* The buffers empty themselves some time. */
active proctype buffer_of_waiter() { end: do :: atomic { waits_buffered -> waits = 1; waits_buffered = 0 } od }
active proctype buffer_of_waker() { end: do :: atomic { there_buffered -> there = 1; there_buffered = 0 } od }

active proctype waiter() {
	byte seen;
	bit is_there;

	waits_buffered = 1;
#ifndef RELAXED_WAITER
	waits_buffered == 0;
#endif
#ifdef NUMBER_AFTER_THE_LOOK
	is_there = there;
	seen = number;
#else
	seen = number;
	is_there = there;
#endif
	if
	:: is_there
	:: else ->
		atomic { /* the kernel compares the number, and puts it to sleep */
			if
			:: number == seen -> sleeps = 1
			:: else -> woken = 1
			fi
		};
		woken == 1
	fi
}

active proctype waker() {
	bit somebody;

	there_buffered = 1;
#ifndef RELAXED_WAKER
	there_buffered == 0;
#endif
	somebody = waits;
	if
	:: somebody ->
		number++;
		atomic { woken = sleeps || woken }
	:: else
	fi
}
