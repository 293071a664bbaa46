/*
 * role - one consumer role per ring, handed over among calling threads and the event thread.
 *
 * A calling thread takes the role if it is free, delivers others' replies, and when its own
 * reply has come it hands the role to one caller that still waits, or back to the event thread,
 * before it lets go. A ring with an announcement then always has exactly one sleeper that is
 * responsible for it. Leaving without handing over is how the original hung: the bell rang for
 * an end at which nobody slept any more.
 *
 * A caller without the role sleeps on a private word of its own; the holder of the role sleeps
 * on the bell. Taking the role, answering and handing over happen under the private lock.
 *
 * Checked: all callers get their replies, in whatever order the replies come.
 *
 * variant: fine
 * variant: LEAVE_WITHOUT_HANDOVER must-fail
 * variant: HANDOVER_WITHOUT_WAKE must-fail
 * variant: HANDOVER_TO_ANSWERED must-fail
 */
#define CALLERS 3
#define EVENT   CALLERS          /* the event thread as holder */

byte holder = EVENT;
chan ring = [CALLERS] of { byte };   /* replies in the ring: whose */
bool called[CALLERS], answered[CALLERS], gone[CALLERS];
bool woken[CALLERS + 1];         /* private words */
bool announced, bell;
byte answers;

/* the peer answers the calls in any order */
active proctype peer() {
	byte n = 0, i;
	bool sent[CALLERS];
	do
	:: n == CALLERS -> break
	:: n < CALLERS ->
		if
		:: called[0] && !sent[0] -> i = 0
		:: called[1] && !sent[1] -> i = 1
		:: called[2] && !sent[2] -> i = 2
		fi;
		sent[i] = true;
		n++;
		ring!i;
		atomic {
			if
			:: announced -> announced = false; bell = true
			:: else
			fi
		}
	od
}

/* one turn of the holder: deliver what is there, or sleep on the bell */
inline drain_or_sleep() {
	if
	:: atomic { ring?whose -> answered[whose] = true; woken[whose] = true }
	:: len(ring) == 0 ->
		announced = true;
		if
		:: len(ring) > 0 -> announced = false
		:: len(ring) == 0 -> bell; bell = false
		fi
	fi
}

/* under the private lock: to a caller that still waits, else to the event thread */
inline leave() {
	atomic {
		gone[me] = true;
		if
		:: holder == me ->
#ifdef LEAVE_WITHOUT_HANDOVER
			holder = me            /* the role stays with one who is gone */
#else
			if
#ifdef HANDOVER_TO_ANSWERED
			:: called[0] && !gone[0] -> holder = 0
			:: called[1] && !gone[1] -> holder = 1
			:: called[2] && !gone[2] -> holder = 2
#else
			:: called[0] && !answered[0] -> holder = 0
			:: called[1] && !answered[1] -> holder = 1
			:: called[2] && !answered[2] -> holder = 2
#endif
			:: else -> holder = EVENT
			fi;
#ifndef HANDOVER_WITHOUT_WAKE
			woken[holder] = true
#endif
#endif
		:: else
		fi;
		answers++
	}
}

proctype caller(byte me) {
	byte whose;
	atomic {
		called[me] = true;
		if
		:: holder == EVENT -> holder = me     /* free: the event thread only stands in */
		:: else
		fi
	};
	do
	:: answered[me] ->
#ifdef HANDOVER_TO_ANSWERED
		/* has seen its answer before the role came: leaves without looking at the role */
		if
		:: holder != me -> atomic { answers++; }; gone[me] = true; break
		:: holder == me -> leave(); break
		fi
#else
		leave();
		break
#endif
	:: !answered[me] && holder == me -> drain_or_sleep()
	:: !answered[me] && holder != me -> woken[me]; woken[me] = false
	od
}

/* between calls the event thread is responsible for the bell */
active proctype event_thread() {
	byte whose;
	do
	:: answers == CALLERS -> break
	:: answers < CALLERS ->
		if
		:: holder == EVENT && len(ring) > 0 ->
			atomic {
				if
				:: holder == EVENT && len(ring) > 0 ->
					ring?whose; answered[whose] = true; woken[whose] = true
				:: else
				fi
			}
		:: holder != EVENT || answers == CALLERS -> (holder == EVENT || answers == CALLERS)
		:: holder == EVENT && len(ring) == 0 -> (bell || len(ring) > 0 || holder != EVENT || answers == CALLERS)
		fi
	od
}

init { atomic { run caller(0); run caller(1); run caller(2) } }
