/*
 * slot - one slot: claim, send, take, free, sweep and punch, with a crash at any step.
 *
 * Ledger label S1. The word {state, holder's incarnation, generation} is the only truth and each
 * transition is one compare-and-swap, so a peer killed between any two steps leaves a slot whose
 * holder is known, and the sweep finds it. A transition of an earlier incarnation or generation
 * fails instead of touching what is somebody else's by now.
 *
 * The peer sends: free -> allocated -> in flight. The host takes: in flight -> held -> free, and
 * sweeps when the peer has died. The puncher (host): free -> punching -> free.
 *
 * Checked: when all peers have ended the slot is free; nobody stores payload while another one
 * owns it, or while its pages are taken away.
 *
 * variant: fine
 * variant: SEPARATE_OWNER_STORE must-fail
 * variant: FREE_WITHOUT_CHECK must-fail
 * variant: SWEEP_A_LIVING_PEER must-fail
 * variant: PUNCH_WITHOUT_CLAIM must-fail
 */
#define LIVES 2                  /* incarnations of the peer */
mtype = { free, allocated, in_flight, held, punching };

mtype state = free;
byte owner;                      /* incarnation, 0 nobody */
byte generation;
byte life;                       /* the incarnation that lives; 0 none. A kill clears it. */
byte ended;                      /* incarnations over */
byte writers;                    /* storing payload just now */
bool punched;                    /* pages being taken away just now */
chan descriptor = [4] of { byte };

/* A killed process takes no further step: each of its steps begins with ALIVE. */
#define ALIVE (life == me)

proctype peer(byte me) {
	byte g, sends = 0;
	bool ok;
	do
	:: !ALIVE -> break
	:: atomic { ALIVE && sends == 2 -> life = 0 }; break      /* ends by itself */
	:: ALIVE && sends < 2 ->
		sends++;
		g = generation;
#ifdef SEPARATE_OWNER_STORE
		/* as from a popped free list: first taken, then signed */
		if
		:: atomic { ALIVE && state == free -> state = allocated; generation = g + 1 }; ok = true
		:: ALIVE && state != free -> ok = false
		:: !ALIVE -> break
		fi;
		if
		:: atomic { ALIVE && ok -> owner = me }
		:: ALIVE && !ok
		:: !ALIVE -> break
		fi;
#else
		if
		:: atomic { ALIVE ->
			ok = (state == free && owner == 0 && generation == g);
			if
			:: ok -> state = allocated; owner = me; generation = g + 1
			:: else
			fi
		   }
		:: !ALIVE -> break
		fi;
#endif
		if
		:: !ok -> goto again
		:: else
		fi;
		/* stores payload */
		if
		:: atomic { ALIVE -> writers++; assert(writers == 1 && !punched) }
		:: !ALIVE -> break
		fi;
		if
		:: atomic { ALIVE -> writers-- }
		:: atomic { !ALIVE -> writers-- }; break
		fi;
		/* sends */
		if
		:: atomic { ALIVE ->
			ok = (state == allocated && owner == me && generation == g + 1);
			if
			:: ok -> state = in_flight
			:: else
			fi
		   }
		:: !ALIVE -> break
		fi;
		assert(ok || !ALIVE);          /* nobody takes a living peer's slot away */
		if
		:: atomic { ALIVE && ok -> descriptor!(g + 1) }
		:: ALIVE && !ok
		:: !ALIVE -> break
		fi;
again:		skip
	od;
	ended++
}

inline take_one() {
	descriptor?g;
	atomic {
		ok = (state == in_flight && generation == g);
		if
		:: ok -> state = held
		:: else                        /* gone, not corrupt */
		fi
	};
	if
	:: ok ->
		assert(!punched && writers == 0);
		free_slot();
		/* a late path of the same owner frees once more: the word is another one by now */
		if
		:: free_slot()
		:: skip
		fi
	:: else
	fi
}

inline free_slot() {
	atomic {
		if
#ifdef FREE_WITHOUT_CHECK
		:: true -> state = free; owner = 0
#else
		:: state == held && generation == g -> state = free; owner = 0
		:: else
#endif
		fi
	}
}

inline sweep(who) {
	atomic {
		if
		:: owner == who && state != free && state != punching -> state = free; owner = 0
		:: else
		fi
	}
}

active proctype host() {
	byte n = 1, g;
	bool ok;
	do
	:: n > LIVES -> break
	:: n <= LIVES ->
		atomic { life = n; run peer(n) };
		do
		:: nempty(descriptor) -> take_one()
		:: break
		od;
#ifdef SWEEP_A_LIVING_PEER
		sweep(n);
#endif
		life = 0;                      /* killed, unless it has ended by itself */
		ended == n;                    /* the pidfd says so */
		do
		:: nempty(descriptor) -> take_one()
		:: empty(descriptor) -> break
		od;
		sweep(n);
		assert(owner == 0 && (state == free || state == punching));
		n++
	od
}

active proctype puncher() {
	byte g, times = 0;
	bool ok;
	do
	:: times == 2 -> break
	:: times < 2 ->
		times++;
#ifdef PUNCH_WITHOUT_CLAIM
		if
		:: state == free -> punched = true; assert(writers == 0); punched = false
		:: else
		fi
#else
		atomic {
			ok = (state == free);
			if
			:: ok -> state = punching
			:: else
			fi
		};
		if
		:: ok ->
			atomic { punched = true; assert(writers == 0) };
			punched = false;
			atomic { assert(state == punching); state = free }
		:: else
		fi
#endif
	od
}
