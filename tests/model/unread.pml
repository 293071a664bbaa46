/*
 * unread - answers that lie unread do not keep their slots from those who wait for one.
 *
 * An application makes CALLS calls, with requests in slots or without, and reads the answers in
 * whatever order it likes, each as soon as it is there. A peer that serves a call asks the host
 * something first, does not wait for that, and answers; both answers want a slot. The host's
 * lies in the peer's private queue until the handler returns; the peer's lies in the host until
 * the application reads it. Slots kept for answers, and shares, are as in answers.pml.
 *
 * What lies in a peer's queue leaves its slot at once (hub_peer_take.c). What lies in the host
 * does when somebody waits for a slot, the application waits, and not for this one (hub_spill.c);
 * spill.pml is about how those three meet.
 *
 * Checked: the application gets all its answers.
 *
 * variant: fine
 * variant: HOST_KEEPS_THEM must-fail
 * variant: QUEUE_KEEPS_THEM must-fail
 */
#define SLOTS 3
#define KEPT  1
#define SHARE 1
#define PEERS 2
#define CALLS 3
#define FREE_FOR_ANSWER (common < SLOTS - KEPT || kept < KEPT)

byte common, kept;               /* slots in use, of either kind */
byte to_peer[PEERS], to_host[PEERS];
byte wants;                      /* who waits for a slot, or is about to */
chan work[PEERS] = [CALLS] of { byte };
chan asked[PEERS] = [CALLS] of { bit };
chan said[PEERS] = [CALLS] of { bit }; /* the kind of slot it lies in */
bit has_slot[CALLS];             /* the request */
bit is_there[CALLS], in_slot[CALLS], which[CALLS]; /* the answer */
bit was_read[CALLS];
byte waits_for;                  /* the application: a call + 1 */

inline claim_for_answer(where) {
	if
	:: common < SLOTS - KEPT -> common++; where = 0
	:: else -> kept++; where = 1
	fi
}

inline give_back(where) {
	if
	:: where == 0 -> common--
	:: else -> kept--
	fi
}

active proctype application() {
	byte c = 0, n = 0;

	do
	:: c == CALLS -> break
	:: else ->
		atomic {
			if
			:: common < SLOTS - KEPT && to_peer[c % PEERS] < SHARE ->
				common++;
				to_peer[c % PEERS]++;
				has_slot[c] = 1
			:: skip
			fi;
			work[c % PEERS]!c;
			c++
		}
	od;
	do
	:: n == CALLS -> break
	:: else ->
		atomic {                /* any that was not read yet */
			if
			:: !was_read[0] -> c = 0
			:: !was_read[1] -> c = 1
			:: !was_read[2] -> c = 2
			fi;
			waits_for = c + 1
		};
		atomic {
			is_there[c] ->
			waits_for = 0;
			was_read[c] = 1;
			n++;
			if
			:: in_slot[c] ->
				in_slot[c] = 0;
				to_host[c % PEERS]--;
				give_back(which[c])
			:: else
			fi
		}
	od
}

#ifndef HOST_KEEPS_THEM
proctype copier(byte c) {           /* of one answer: the one that copies goes through them all */
end:	do
	:: atomic {
			wants > 0 && waits_for != 0 && in_slot[c] && waits_for != c + 1 ->
			in_slot[c] = 0;
			to_host[c % PEERS]--;
			give_back(which[c])
		}
	od
}
#endif

/* The host's answers to one peer: queued until there is a slot. */
proctype host(byte p) {
	bit where;

end:	do
	:: asked[p]?_ ->
		wants++;
		atomic {
			to_peer[p] < SHARE + 1 && FREE_FOR_ANSWER ->
			to_peer[p]++;
			claim_for_answer(where);
			wants--
		};
		said[p]!where
	od
}

proctype peer(byte p) {
	byte c;
	bit where, mine;
	bool heard, holds;

end:	do
	:: work[p]?c ->
		asked[p]!1;
		heard = false;
		holds = false;
		wants++;
		do                      /* takes in messages while it waits */
		:: atomic {
				to_host[p] < SHARE + 1 && FREE_FOR_ANSWER ->
				to_host[p]++;
				claim_for_answer(mine);
				wants--
			};
			break
		:: atomic {
				said[p]?where ->
				heard = true;
#ifdef QUEUE_KEEPS_THEM
				holds = true
#else
				give_back(where);
				to_peer[p]--
#endif
			}
		od;
		atomic {
			if
			:: has_slot[c] -> common--; to_peer[p]--
			:: else
			fi;
			which[c] = mine;
			in_slot[c] = 1;
			is_there[c] = 1
		};
		if                      /* the handler has returned */
		:: holds -> atomic { give_back(where); to_peer[p]-- }
		:: !heard -> atomic { said[p]?where -> give_back(where); to_peer[p]-- }
		:: else
		fi
	od
}

init {
#ifndef HOST_KEEPS_THEM
	atomic { run copier(0); run copier(1); run copier(2) };
#endif
	atomic { run peer(0); run peer(1); run host(0); run host(1) }
}
