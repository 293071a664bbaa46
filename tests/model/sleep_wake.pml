/*
 * sleep_wake - a consumer that sleeps and a producer that rings only sleepers.
 *
 * The protocol of lib/hub/hub_bell.c, ledger label B1: the consumer announces, looks once more,
 * then sleeps; the producer publishes, then exchanges the announcement, and rings if it was set.
 * Both are "store, then load the other's word". A processor may keep its store in a buffer
 * while it loads (x86-TSO), so the model gives each side a one-word buffer that drains at any
 * time; a full fence, or an exchange, waits for it.
 *
 * The bell is a socket: level triggered, its bytes stay until drained. It is drained before the
 * ring is looked at, never after.
 *
 * Checked: no execution stops with a message in the ring and the consumer asleep, also when the
 * producer dies between any two steps (its death is a hangup of the bell, which stays).
 *
 * variant: fine
 * variant: TEST_BEFORE_ANNOUNCE must-fail
 * variant: NO_FENCE_CONSUMER must-fail
 * variant: NO_FENCE_PRODUCER must-fail
 * variant: BELL_BEFORE_PUBLISH must-fail
 * variant: DRAIN_AFTER_LOOK must-fail
 * variant: WAKER_MAY_DIE
 * variant: WAKER_MAY_DIE NO_HANGUP must-fail
 */
#define MESSAGES 3

byte published;                  /* what memory shows */
bit announced;                   /* what memory shows */
bool bell;                       /* unread bytes in the socket */
byte taken;
bool dead;                       /* the producer died */
bool hangup;                     /* the other end of the bell is closed */

bool p_pending; byte p_value;    /* the producer's store buffer */
bool c_pending; bit c_value;     /* the consumer's */

active proctype buffers() {
end:	do
	:: atomic { p_pending -> published = p_value; p_pending = false }
	:: atomic { c_pending -> announced = c_value; c_pending = false }
	od
}

#ifdef WAKER_MAY_DIE
#define MAY_DIE if :: dead = true; goto out :: skip fi
#else
#define MAY_DIE skip
#endif

#define EXCHANGE atomic { !p_pending -> was = announced; announced = 0 }

active proctype producer() {
	byte n = 0;
	bit was = 0;
	do
	:: n == MESSAGES -> break
	:: n < MESSAGES ->
#ifdef BELL_BEFORE_PUBLISH
		EXCHANGE;
		if
		:: was -> bell = true
		:: else
		fi;
#endif
		MAY_DIE;
		n++;
		atomic { !p_pending -> p_value = n; p_pending = true };
		MAY_DIE;
#ifndef BELL_BEFORE_PUBLISH
#ifdef NO_FENCE_PRODUCER
		/* looks with a plain load, and exchanges only what it saw set */
		was = announced;
		if
		:: was -> EXCHANGE
		:: else
		fi;
#else
		EXCHANGE;
#endif
		MAY_DIE;
		if
		:: was -> bell = true
		:: else
		fi
#endif
	od;
out:	skip
}

/* The kernel drains a dead process's store buffer and closes its sockets. */
active proctype kernel() {
end:	dead && !p_pending;
#ifndef NO_HANGUP
	hangup = true
#endif
}

#define ALL_TAKEN (taken == MESSAGES || (hangup && taken == published))

inline announce(v) { atomic { !c_pending -> c_value = v; c_pending = true } }

active proctype consumer() {
	bool seen;
	do
	:: ALL_TAKEN -> break
	:: else ->
		seen = taken < published;
		if
		:: seen -> taken++
		:: else ->
#ifdef TEST_BEFORE_ANNOUNCE
			announce(1);
			!c_pending;
#else
			announce(1);
#ifndef NO_FENCE_CONSUMER
			!c_pending;
#endif
			seen = taken < published;
#endif
			if
			:: seen -> announce(0)
			:: else ->
#ifdef DRAIN_AFTER_LOOK
				bell = false;
				bell || hangup
#else
				bell || hangup;        /* asleep */
				bell = false
#endif
			fi
		fi
	od
}
