/*
 * spill - the three things that must meet before an unread answer gives up its slot.
 *
 * hub_spill.c, ledger labels W3 (hub->spill), W2 (spill_queued) and B2 (peer_wants). A peer needs
 * the slot in which an answer lies that nobody reads: it says so, rings, and sleeps; the event
 * thread puts the class into the word. A thread of the application waits: it adds itself to the
 * word. A taker delivers the answer: it puts it into its entry, then looks at the word. Each of
 * them has the copying thread run when the word has both; that collects anew who waits, and
 * copies what it finds. A first wait of the peer has just ended when the model begins: its class
 * is still in the word, and a pass for it may be on its way.
 *
 * Checked: the peer gets its slot.
 *
 * variant: fine
 * variant: LOOK_BEFORE_DELIVERY must-fail
 * variant: NO_LOOK_AT_SLEEP must-fail
 * variant: NO_LOOK_AT_BELL must-fail
 * variant: BELL_BEFORE_SAYING must-fail
 * variant: FORGET_AFTER_COLLECTING must-fail
 * variant: UNQUEUE_AFTER_PASS must-fail
 * variant: LOOK_IN_TWO must-fail
 */
bool classes = true;             /* hub->spill: the class is waited for */
byte waiting;                    /* hub->spill: threads that wait */
bool queued = true;              /* spill_queued, */
bool item = true;                /* and the work item */
bool wants, bell;                /* of the peer */
bool delivered, in_slot;         /* the answer */

inline push() {
	if
	:: atomic { !queued -> queued = true }; item = true
	:: queued
	fi
}

inline consider(both) {
	if
	:: both -> push()
	:: else
	fi
}

active proctype peer() {
#ifdef BELL_BEFORE_SAYING
	bell = true;
	wants = true;
#else
	wants = true;
	bell = true;
#endif
	delivered && !in_slot;          /* the slot is free */
	wants = false
}

active proctype event_thread() {
	bool both;

end:	do
	:: atomic { bell -> bell = false };
		if
		:: wants ->
#ifdef NO_LOOK_AT_BELL
			classes = true
#else
			atomic { classes = true; both = waiting > 0 };
			consider(both)
#endif
		:: else
		fi
	od
}

active proctype application() {
	bool both;

#ifdef NO_LOOK_AT_SLEEP
	waiting++;
#else
#ifdef LOOK_IN_TWO
	both = classes;
	waiting++;
#else
	atomic { waiting++; both = classes };
#endif
	consider(both);
#endif
	delivered && !in_slot           /* the peer can answer the call that it waits for */
}

active proctype taker() {
	bool both;

#ifdef LOOK_BEFORE_DELIVERY
	both = classes && waiting > 0;
	atomic { delivered = true; in_slot = true };
#else
	atomic { delivered = true; in_slot = true };
	both = classes && waiting > 0;
#endif
	consider(both)
}

active proctype copier() {
	bool now, go;

end:	do
	:: atomic { item -> item = false };
#ifndef UNQUEUE_AFTER_PASS
		queued = false;
#endif
#ifdef FORGET_AFTER_COLLECTING
		now = wants;
		classes = now;
#else
		classes = false;
		now = wants;
		classes = classes || now;
#endif
		go = classes && waiting > 0;
		if
		:: go && in_slot -> in_slot = false
		:: else
		fi;
#ifdef UNQUEUE_AFTER_PASS
		queued = false
#endif
	od
}
