/*
 * role - one consumer role per ring, between calling threads and the event thread.
 *
 * The protocol of lib/hub/hub_role.c and hub_event.c, labels R1 and A1. While the role is free
 * the event thread stands in: the announcement is set and the bell is armed, one-shot, in its
 * epoll set. A calling thread takes a free role, delivers what comes (others' answers too), and
 * sleeps on the bell itself after disarming it. Leaving, it announces, looks once more, lets the
 * role go, and then looks whether the bell has to be armed again. The event thread, told by the
 * one-shot, marks the bell as no longer armed and then looks at the role. Nobody drains the bell
 * without the role. A caller without the role sleeps on a word of its own until whoever delivers
 * wakes it.
 *
 * Answers are quiet: they ring only for MESSAGE, which the event thread announces only while a
 * caller dozes on a word of its own (label R2). A caller counts itself in, then looks at the role;
 * whoever lets go of the role then looks for such callers. Notifications are loud.
 *
 * A caller that takes the role may let LOUD stand; the event thread is woken by what rings then, finds
 * the role taken, and leaves the bell to its holder. Whoever leaves while LOUD stands need not
 * announce anything. (That it looks at the ring first is not needed, it is what the code does: who
 * finds something takes it.)
 *
 * Leaving without handing over is how the original hung: the bell rang for an end at which
 * nobody slept any more.
 *
 * Checked: every answer reaches its caller and every notification is taken, in whatever order
 * they come, also when no caller waits.
 *
 * variant: fine
 * variant: LEAVE_WITHOUT_HANDOVER must-fail
 * variant: LEAVE_WITHOUT_ARMING must-fail
 * variant: LEAVE_WITHOUT_SECOND_LOOK must-fail
 * variant: ARM_BEFORE_LETTING_GO must-fail
 * variant: DRAIN_WITHOUT_ROLE must-fail
 * variant: SLEEP_WITHOUT_ANNOUNCING must-fail
 * variant: DOZE_WITHOUT_COUNTING must-fail
 * variant: DOZE_WITHOUT_SECOND_LOOK must-fail
 * variant: LEAVE_WITHOUT_LOOK_FOR_DOZERS must-fail
 * variant: TRUST_MESSAGE_OF_ANOTHER must-fail
 * variant: STAND_WITHOUT_LOUD must-fail
 */
#define CALLERS 2
#define NOTES   1                /* with 2 it holds too: 28 million states */
#define TOTAL   (CALLERS + NOTES)
#define NOTE    CALLERS          /* in the ring: whose answer, or a notification */

#define FREE    0
#define EVENT   9

byte role = FREE;                /* else caller + 1, or EVENT */
bool loud = true, message = false, armed = true; /* announced: LOUD, MESSAGE */
byte dozers;
bool bell, kicked;
chan ring = [TOTAL] of { byte };
bool called[CALLERS], answered[CALLERS];
byte taken;

#define EMPTY   (len(ring) == 0)

active proctype peer() {
	byte notes = 0, i;
	bool sent[CALLERS];
	do
	:: notes == NOTES && sent[0] && sent[1] -> break
	:: else ->
		if
		:: notes < NOTES -> notes++; i = NOTE
		:: called[0] && !sent[0] -> sent[0] = true; i = 0
		:: called[1] && !sent[1] -> sent[1] = true; i = 1
		fi;
		ring!i;                        /* publish */
		atomic {                       /* exchange the announcement, ring a sleeper */
			if
			:: message || (loud && i == NOTE) -> message = false; loud = false; i = 1
			:: else -> i = 0
			fi
		};
		if
		:: i == 1 -> bell = true
		:: else
		fi
	od
}

inline take_all() {
	do
	:: atomic { ring?whose ->
		taken++;
		if
		:: whose < CALLERS -> answered[whose] = true
		:: else
		fi
	   }
	:: EMPTY -> break
	od
}

inline arm() {
	if
	:: armed
	:: else -> armed = true
	fi
}

inline leave() {
#ifdef LEAVE_WITHOUT_HANDOVER
	role = FREE
#else
	do
	:: stands = false;
	   if
	   :: EMPTY -> stands = loud
	   :: else
	   fi;
#ifdef STAND_WITHOUT_LOUD
	   stands = true;
#endif
	   if
	   :: stands -> break
	   :: else
	   fi;
	   if
	   :: dozers > 0 -> message = true
	   :: else
	   fi;
	   loud = true;
#ifdef LEAVE_WITHOUT_SECOND_LOOK
	   break
#else
	   if
	   :: EMPTY -> break
	   :: else -> message = false; loud = false; take_all()
	   fi
#endif
	od;
#ifdef ARM_BEFORE_LETTING_GO
	arm();
	role = FREE
#else
	role = FREE;
#ifndef LEAVE_WITHOUT_LOOK_FOR_DOZERS
	if
#ifdef TRUST_MESSAGE_OF_ANOTHER
	:: dozers > 0 && !message ->
#else
	:: dozers > 0 ->
#endif
		message = true;
		if
		:: EMPTY
		:: else -> kicked = true
		fi
	:: else
	fi;
#endif
#ifndef LEAVE_WITHOUT_ARMING
	arm()
#endif
#endif
#endif
}

/* without the role: until woken by whoever delivers, or the role is found free */
inline doze() {
#ifndef DOZE_WITHOUT_COUNTING
	dozers++;
#endif
#ifdef DOZE_WITHOUT_SECOND_LOOK
	answered[me];
#else
	if
	:: role == FREE
	:: role != FREE -> answered[me]
	fi;
#endif
#ifndef DOZE_WITHOUT_COUNTING
	dozers--
#else
	skip
#endif
}

proctype caller(byte me) {
	byte whose;
	bool stands;
	called[me] = true;
	do
	:: answered[me] -> break
	:: else ->
		if
		:: atomic { role == FREE -> role = me + 1 };
			message = false;
			if
			:: loud = false
			:: skip
			fi;
			do
			:: take_all();
			   if
			   :: answered[me] -> break
			   :: else ->
#ifndef SLEEP_WITHOUT_ANNOUNCING
				message = true;
#endif
				if
				:: EMPTY ->
					armed = false;      /* disarm: it sleeps on the bell itself */
					bell;
					bell = false;
					message = false
				:: else -> message = false
				fi
			   fi
			od;
			leave()
		/* one that spins sees a free role; one that sleeps on its own word, only its answer */
		:: role != FREE -> (answered[me] || role == FREE)
		:: role != FREE -> doze()
		:: answered[me]
		fi
	od
}

active proctype event_thread() {
	byte whose;
	bool stands;
	do
	:: taken == TOTAL -> break
	:: atomic { armed && bell -> skip };   /* epoll_wait returns: one-shot, level-triggered */
		armed = false;
#ifdef DRAIN_WITHOUT_ROLE
		bell = false;
#endif
		if
		:: atomic { role == FREE -> role = EVENT };
			bell = false;
			message = false;
			loud = false;
			take_all();
			leave()
		:: role != FREE                /* its holder drains, and arms when it leaves */
		fi
	:: kicked ->
		kicked = false;
		if
		:: atomic { role == FREE -> role = EVENT };
			message = false;
			loud = false;
			take_all();
			leave()
		:: role != FREE
		fi
	od
}

init { atomic { run caller(0); run caller(1) } }
