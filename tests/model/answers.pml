/*
 * answers - requests never take the slots that their own answers need, nor one way the other's.
 *
 * A request keeps its slot until it was answered, and the answer wants a slot of the same class.
 * Requests are claimed among all slots but the KEPT ones, and at most a SHARE of the class each
 * way for one peer; an answer may have any slot, and be one more than that (hub_slot.c,
 * hub_slot_share()). While a peer serves a request it asks the host something, by a slot, and the
 * host's answer to that is a slot towards the same peer: it counts against the same share as the
 * requests that wait there.
 *
 * Checked: every request is answered; no execution stops before. What a peer has under way both
 * ways together stays within two shares and the two answers.
 *
 * One share for both ways together, as large as the two, would bound the same with more room for
 * a peer whose traffic goes one way. It was tried and hangs: the requests to a peer take all of
 * it, and what the peer must ask before it can answer them finds none.
 *
 * variant: fine
 * variant: NO_SLOTS_KEPT must-fail
 * variant: ANSWERS_WITHIN_THE_SHARE must-fail
 * variant: ONE_SHARE_FOR_BOTH_WAYS must-fail
 */
#define SLOTS   4
#define SHARE   1
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
#ifdef ONE_SHARE_FOR_BOTH_WAYS
#define HAS_SHARE(way, p) (to_peer[p] + to_host[p] < 2 * SHARE)
#else
#define HAS_SHARE(way, p) (way[p] < SHARE)
#endif
#define FREE_FOR_ANSWER (common < SLOTS - KEPT || kept < KEPT)

byte common, kept;               /* slots in use, of either kind */
byte to_peer[PEERS], to_host[PEERS]; /* of them: under way between each peer and the host */
chan work[PEERS] = [CALLERS] of { byte };
chan answer[CALLERS] = [1] of { byte, bit }; /* whose it is, and which kind of slot it lies in */

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
	byte round = 0, p = _pid % PEERS, from;
	bit where;

	do
	:: round == ROUNDS -> break
	:: else ->
		round++;
		atomic {
			common < SLOTS - KEPT && HAS_SHARE(to_peer, p) ->
			common++;
			to_peer[p]++
		};
		work[p]!_pid;
		answer[_pid]?from, where;
		atomic { give_back(where); to_host[from]-- };
		p = (p + 1) % PEERS
	od
}

active [PEERS] proctype peer() {
	byte p = _pid - CALLERS, c;
	bit where;

end:	do
	:: work[p]?c ->
		atomic {               /* asks the host before it answers */
			common < SLOTS - KEPT && HAS_SHARE(to_host, p) ->
			common++;
			to_host[p]++
		};
		atomic {               /* the host's answer to that */
			to_peer[p] < SHARE + ONE_MORE && FREE_FOR_ANSWER ->
			to_peer[p]++;
			claim_for_answer(where)
		};
		assert(to_peer[p] + to_host[p] <= 2 * (SHARE + 1));
		atomic { common--; to_host[p]-- };
		atomic { give_back(where); to_peer[p]-- };
		atomic {               /* its own */
			to_host[p] < SHARE + ONE_MORE && FREE_FOR_ANSWER ->
			to_host[p]++;
			claim_for_answer(where)
		};
		atomic { common--; to_peer[p]-- }; /* the request's slot */
		answer[c]!p, where
	od
}
