/*
 * answers - requests never take the slots that their own answers need.
 *
 * A request keeps its slot until it was answered, and the answer wants a slot of the same class.
 * Requests are claimed among all slots but the KEPT ones, and at most HALF of the class for one
 * peer; an answer may have any slot, and be one more than half (hub_slot.c, hub_slot_share()).
 * While a peer serves a request it asks the host something, whose answer is a slot towards the
 * same peer: it counts against the same share as the requests that wait there.
 *
 * Checked: every request is answered; no execution stops before.
 *
 * variant: fine
 * variant: NO_SLOTS_KEPT must-fail
 * variant: ANSWERS_WITHIN_THE_SHARE must-fail
 */
#define SLOTS   4
#define HALF    2
#define PEERS   2
#define CALLERS 4
#define ROUNDS  1
#ifdef NO_SLOTS_KEPT
#define KEPT 0
#else
#define KEPT 1
#endif
#ifdef ANSWERS_WITHIN_THE_SHARE
#define ONE_MORE 0
#else
#define ONE_MORE 1
#endif

byte common, kept;               /* slots in use, of either kind */
byte to_peer[PEERS];             /* of them: under way to each peer */
chan work[PEERS] = [CALLERS] of { byte };
chan answer[CALLERS] = [1] of { bit }; /* which kind of slot it lies in */

inline claim_for_answer(where) {
	if
	:: common < SLOTS - KEPT -> common++; where = 0
	:: kept < KEPT -> kept++; where = 1
	fi
}

inline give_back(where) {
	if
	:: where == 0 -> common--
	:: else -> kept--
	fi
}

active [CALLERS] proctype caller() {
	byte round = 0, p = _pid % PEERS;
	bit where;

	do
	:: round == ROUNDS -> break
	:: else ->
		round++;
		atomic {
			common < SLOTS - KEPT && to_peer[p] < HALF ->
			common++;
			to_peer[p]++
		};
		work[p]!_pid;
		answer[_pid]?where;
		atomic { give_back(where) };
		p = (p + 1) % PEERS
	od
}

active [PEERS] proctype peer() {
	byte p = _pid - CALLERS, c;
	bit where;

end:	do
	:: work[p]?c ->
		atomic {               /* the host's answer to what it asks meanwhile */
			to_peer[p] < HALF + ONE_MORE && (common < SLOTS - KEPT || kept < KEPT) ->
			to_peer[p]++;
			claim_for_answer(where)
		};
		atomic { give_back(where); to_peer[p]-- };
		atomic {               /* its own */
			common < SLOTS - KEPT || kept < KEPT ->
			claim_for_answer(where)
		};
		atomic { common--; to_peer[p]-- }; /* the request's slot */
		answer[c]!where
	od
}
