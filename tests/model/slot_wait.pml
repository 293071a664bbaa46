/*
 * slot_wait - waiting for a free slot: no wake-up is lost, whoever frees and whoever waits.
 *
 * hub_send.c and hub_peer_take.c, ledger labels B1 (class->waiters) and W1. Two threads of the
 * host and one peer want the only slot of a class, each so many times. Who finds none announces
 * in the class, tries once more, and sleeps: a thread of the host on a number that it has read
 * before it announced; the peer on its bell, with a bit of its own set before it announced. Who
 * frees the slot and sees the announcement has everybody woken: the host exchanges it for 0,
 * counts the number up, and rings the peer if its bit is set; a peer rings the host, whose event
 * thread does that. The announcement is one word for all: who is woken for nothing sets it anew.
 *
 * A processor may keep the announcement in a buffer while its owner tries again (NO_FENCE).
 *
 * A peer that dies with the slot, or between freeing it and ringing, is buried: swept, and all
 * are woken. One that is stopped between the two leaves the announcement set, and the host's
 * tick finds it.
 *
 * Checked: everybody gets the slot as often as it wants it.
 *
 * variant: fine
 * variant: TRY_BEFORE_ANNOUNCE must-fail
 * variant: NO_FENCE must-fail
 * variant: NUMBER_AFTER_TRYING must-fail
 * variant: WAKE_BEFORE_FREE must-fail
 * variant: WAKE_ONLY_THREADS must-fail
 * variant: BIT_AFTER_ANNOUNCING must-fail
 * variant: PEER_MAY_DIE
 * variant: PEER_MAY_DIE NO_WAKE_AFTER_SWEEP must-fail
 * variant: PEER_MAY_STOP
 * variant: PEER_MAY_STOP NO_TICK must-fail
 */
#define THREADS 2                /* one wants it twice, one once */
#define EACH    2                /* so often the peer wants it */

bool taken;                      /* the slot's word: allocated to `owner` */
byte owner;                      /* 0 nobody, 1..THREADS, PEER */
#define PEER (THREADS + 1)
bool announced;                  /* class->waiters */
byte number;                     /* slot_seq */
bool peer_bit, peer_bell, host_bell;
bool peer_dead, peer_stopped;
byte done;

inline claim(me) {
	atomic {
		got = !taken;
		if
		:: got -> taken = true; owner = me
		:: else
		fi
	}
}

/* unannounce: exchange; was it set? */
inline take_announcement() {
	atomic { was = announced; announced = false }
}

/* hub_send_slots(): threads by number, the peer by its bell */
inline wake_all() {
	take_announcement();
	if
	:: was ->
		number++;
#ifndef WAKE_ONLY_THREADS
		atomic {
			if
			:: peer_bit -> peer_bit = false; peer_bell = true
			:: else
			fi
		}
#else
		skip
#endif
	:: else
	fi
}

inline free_slot_host() {
#ifdef WAKE_BEFORE_FREE
	wake_all();
	atomic { taken = false; owner = 0 }
#else
	atomic { taken = false; owner = 0 };
	wake_all()
#endif
}

proctype thread(byte me; byte each) {
	byte n = 0, seen;
	bool got, was;
	do
	:: n == each -> break
	:: n < each ->
		claim(me);
		do
		:: got -> break
		:: else ->
#ifdef TRY_BEFORE_ANNOUNCE
			seen = number;
			claim(me);
			if
			:: !got -> announced = true; number != seen
			:: else
			fi
#else
#ifdef NO_FENCE
			/* the announcement is still in its buffer while it tries again */
			seen = number;
			claim(me);
			announced = true;
			if
			:: !got -> number != seen
			:: else
			fi
#else
#ifdef NUMBER_AFTER_TRYING
			announced = true;
			claim(me);
			seen = number;
#else
			seen = number;
			announced = true;
			claim(me);
#endif
			if
			:: !got -> number != seen      /* asleep; the kernel compares once more */
			:: else
			fi
#endif
#endif
		od;
		n++;
		seen = 0;
		free_slot_host();
		was = false
	od;
	done++
}

#ifdef PEER_MAY_DIE
#define MAY_DIE if :: goto dead :: skip fi
#else
#define MAY_DIE skip
#endif

#ifdef PEER_MAY_STOP
#define MAY_STOP if :: peer_stopped = true; done++; goto out :: skip fi
#else
#define MAY_STOP skip
#endif

proctype peer() {
	byte n = 0;
	bool got, was;
	do
	:: n == EACH -> break
	:: n < EACH ->
		claim(PEER);
		do
		:: got -> break
		:: else ->
#ifdef BIT_AFTER_ANNOUNCING
			announced = true;
			peer_bit = true;
#else
			peer_bit = true;
			announced = true;
#endif
			claim(PEER);
			if
			:: !got -> peer_bell; peer_bell = false; peer_bit = false
			:: else -> peer_bit = false
			fi
		od;
		MAY_DIE;
		n++;
		atomic { taken = false; owner = 0 };
		MAY_DIE;
		MAY_STOP;
		/* looks whether somebody waits; the host, who does the waking, takes the mark */
		was = announced;
		MAY_DIE;
		MAY_STOP;
		if
		:: was -> host_bell = true
		:: else
		fi
	od;
	done++;
	goto out;
dead:	peer_dead = true;
	done++;
out:	skip
}

active proctype event_thread() {
	bool was, buried;
end:	do
	:: atomic { host_bell -> host_bell = false }; wake_all()
#ifndef NO_TICK
	/* once a second while anybody waits: nothing else goes on */
	:: atomic { timeout && peer_stopped && announced -> skip }; wake_all()
#endif
	:: peer_dead && !buried ->
		atomic {
			if
			:: owner == PEER -> taken = false; owner = 0
			:: else
			fi
		};
		buried = true;
#ifndef NO_WAKE_AFTER_SWEEP
		wake_all()
#endif
	od
}

init {
	atomic { run thread(1, 2); run thread(2, 1); run peer() };
	done == THREADS + 1
}
