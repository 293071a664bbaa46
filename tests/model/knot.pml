/*
 * knot - requests that wait for each other's slots are found, and no others (hub_knot.c).
 *
 * A chain is a request, the one that its handler makes before it answers, and so on, DEPTH of
 * them; each has a slot until all behind it were answered. One more takes a slot now and then and
 * gives it back. Who waits for a slot in a handler says so. The look copies who waits, then who
 * has each slot, one after the other while the others go on, and then drops who no longer waits:
 * the others have waited all the time, so what was copied in between was true of them. A slot is
 * stuck when it belongs to a request that is served by, or waits for, a handler that waits; a
 * wait that a slot that is not stuck can end is none of a knot, and what it held up is no longer
 * stuck.
 *
 * Checked: all chains end, by an answer or by being told; who is told was in a knot.
 *
 * variant: fine
 * variant: NOBODY_LOOKS must-fail
 * variant: ONLY_WHAT_IS_SERVED must-fail
 * variant: WITHOUT_LOOSENING must-fail
 * variant: WITHOUT_A_SECOND_LOOK must-fail
 */
#define CHAINS 2
#define DEPTH  3
#define SLOTS  3
#define OTHERS 2                 /* times that a slot is taken and given back */
#define OTHER  99
#define OF(c, level) (1 + (c) * DEPTH + (level))

byte slot[SLOTS];                /* whose it is; 0: free */
byte waits[CHAINS];              /* for a slot for this level; 0: no handler waits */
bit told[CHAINS];
bit changed;                     /* since the last look: it is repeated while anybody waits */

inline take_for(who) {
	if
	:: slot[0] == 0 -> slot[0] = who
	:: slot[1] == 0 -> slot[1] = who
	:: slot[2] == 0 -> slot[2] = who
	fi;
	changed = 1
}

inline give_back(who) {
	atomic {
		if
		:: slot[0] == who -> slot[0] = 0
		:: slot[1] == who -> slot[1] = 0
		:: slot[2] == who -> slot[2] = 0
		fi;
		changed = 1
	}
}

active [CHAINS] proctype chain() {
	byte level = 0;

	do
	:: level == DEPTH -> break
	:: level < DEPTH ->
		atomic { waits[_pid] = level; changed = 1 };
		if
		:: atomic { take_for(OF(_pid, level)); waits[_pid] = 0 }; level++
		:: atomic { told[_pid] -> told[_pid] = 0; waits[_pid] = 0 }; break
		fi
	od;
	do
	:: level == 0 -> break
	:: level > 0 -> level--; give_back(OF(_pid, level))
	od
}

active proctype other() {
	byte n = 0;

	do
	:: n == OTHERS -> break
	:: n < OTHERS ->
		atomic { take_for(OTHER) };
		give_back(OTHER);
		n++
	od
}

#ifdef ONLY_WHAT_IS_SERVED
#define IS_STUCK_BY(c, who) (who == OF(c, w[c] - 1))
#else
#define IS_STUCK_BY(c, who) (who >= OF(c, 0) && who < OF(c, w[c]))
#endif
#define IS_IN(c) (w[c] && !is_free[c])
#define IS_STUCK(who) ((IS_IN(0) && IS_STUCK_BY(0, who)) || (IS_IN(1) && IS_STUCK_BY(1, who)))
#define MAY_COME (!IS_STUCK(has[0]) || !IS_STUCK(has[1]) || !IS_STUCK(has[2]))

/* What is, at one time. */
#define IS_HELD_BY(c, who) (waits[c] && who >= OF(c, 0) && who < OF(c, waits[c]))
#define IS_HELD(who) (IS_HELD_BY(0, who) || IS_HELD_BY(1, who))
#define IS_A_KNOT (IS_HELD(slot[0]) && IS_HELD(slot[1]) && IS_HELD(slot[2]))

#ifndef NOBODY_LOOKS
active proctype look() {
	byte w[CHAINS], has[SLOTS];
	bit is_free[CHAINS];

end:	do
	:: changed && !told[0] && !told[1] ->
		changed = 0;
		w[0] = waits[0];
		w[1] = waits[1];
		has[0] = slot[0];
		has[1] = slot[1];
		has[2] = slot[2];
#ifndef WITHOUT_A_SECOND_LOOK
		if :: waits[0] != w[0] -> w[0] = 0 :: else fi;
		if :: waits[1] != w[1] -> w[1] = 0 :: else fi;
#endif
		d_step {
			is_free[0] = 0;
			is_free[1] = 0;
#ifndef WITHOUT_LOOSENING
			if :: IS_IN(0) && MAY_COME -> is_free[0] = 1 :: else fi;
			if :: IS_IN(1) && MAY_COME -> is_free[1] = 1 :: else fi;
			if :: IS_IN(0) && MAY_COME -> is_free[0] = 1 :: else fi
#else
			/* whoever waits while all slots are in use */
			is_free[0] = !has[0] || !has[1] || !has[2];
			is_free[1] = is_free[0]
#endif
		};
		atomic {
			if
			:: IS_IN(0) && waits[0] == w[0] -> assert(IS_A_KNOT); told[0] = 1
			:: IS_IN(1) && waits[1] == w[1] -> assert(IS_A_KNOT); told[1] = 1
			:: else
			fi
		}
	od
}
#endif
