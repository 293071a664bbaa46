/*
 * feed_format - the records of a feed: one JSON object per line, append-only, one writer.
 *
 * A feed belongs to one process image (or to an outside look at one): file name
 * COMM-PID-RANDOM.ndjson, rotated parts .1, .2. It can be read while it is being written and
 * after its writer was killed in the middle of a line: a last line without '\n' is cut off and
 * ignored. Every object has "v":1 and "t":TYPE; fields are only ever added, unknown ones are
 * skipped by readers, absent ones are unknown.
 *
 * Numbers are JSON integers below 2^53. Addresses, words, random ids and whatever may exceed
 * 2^53 are strings "0x1f". Times: mono_us and real_us are microseconds of CLOCK_MONOTONIC and
 * CLOCK_REALTIME; *_ms are the hub's own milliseconds since its creation (hub_format.h). Bytes
 * that are not UTF-8 stand as \u00XX of that byte.
 * A program counter is [MODULE, "0xOFFSET"] with OFFSET = pc - load bias (the address of the ELF
 * file), or [-1, "0xPC"] where no module is; a third element is a string of flags: "g" guessed,
 * "x" exact (not a return address: the innermost frame, or one interrupted by a signal), "s"
 * signal frame. Numbers only: the reader makes the names, perhaps on another machine.
 *
 * feed    first line of every file: who writes, about whom
 *   boot (uuid text), host (name), pidns, pid, start (ticks), image ("0x" random per exec), comm,
 *   exe, uid, writer (version), segment, by ("self" or "outside"), mono_us, real_us,
 *   caps (array of strings: what could be used: "peek", "schedstat", "pidfd_getfd", ...)
 * module  dictionary: m, path, build_id (hex text or null), bias ("0x"), start, end ("0x"),
 *   kind ("file", "deleted", "vdso", "jit")
 * stack   dictionary: s, frames ([[m,"0x..",flags?]...], innermost first), end (why it ends:
 *   "bottom", "truncated", "no-cfi", "unreadable", "loop", "limit")
 *   Both are written before they are first referred to, again in each file of a rotation. A
 *   number is never used again for another module or stack of the same image.
 *
 * dump    begins a dump: d (number, 1.. within the feed), family ("0x", shared by all processes
 *   asked together), why ("signal", "control", "watchdog", "call", "fatal", "outside"),
 *   sender (pid that asked, or null), name (what the program calls itself: sigdump_name(); null),
 *   mono_us, real_us
 * fatal   behind dump: the signal that ends the process: d, signal, code (si_code), addr ("0x" of a
 *   fault, else null), tid (the thread that got it), sender (pid, or null)
 * look    a look at the transport: d, look (1 before the stacks, 2 after), mono_us
 *   What follows up to the next look, thread or done belongs to it; d and look are repeated.
 * hub     d, look, h (number within the dump), path, id ("0x"), ino, role ("host", "peer"),
 *   peer (own id; 0 for the host), host_pid, host_start, created_us, created_real_us, file_bytes,
 *   version (of the format), writer (of the file), ring_cells, calls_max, calls_pending,
 *   last_alive_us, stopping, no_space, no_space_us (when last), calls_waited, calls_refused,
 *   error (null, or what is wrong with the file; with nothing but path and role beside it, this
 *   hub could not be read at all)
 * peer    d, look, h, peer, name, pid, start, state ("starting", "live", "leaving", "dead",
 *   "gone", "quarantined"), incarnation, exit_status, started_us, died_us, loop_tid,
 *   beat ("asleep", "handler", "running" or null), beat_method, beat_ms,
 *   flag (peer_asleep bits), flag_ms, host_flag, host_flag_ms, host_tid, host_beat,
 *   host_beat_method, host_beat_ms, host_handler_tid (of the thread that host_beat tells of, 0),
 *   calls_pending, slots_held, restarts, alloc_failed, host_alloc_failed, handled
 * ring    d, look, h, peer, dir ("recv", "send"), head, tail, published (position after the last
 *   cell that is confirmed by its word), waiting (messages between tail and published), capacity,
 *   sending (tid, 0), bell (bytes unread at the consumer's end, null: not known), bell_ms,
 *   messages, bytes, taken, bells, bell_head, sleeps, full, full_waits, rescues, refused, take_ms,
 *   damage (null, or what is wrong with it), oldest (null or {pos, time_ms, call, kind ("call",
 *   "reply", "notify", "cancel", "body", "credit", "leave" or null), method, len, slot (class and
 *   index as in the cell, or null: the payload is in the ring)}: the first message waiting),
 *   newest (the same, the last one)
 * class   d, look, h, class, bytes, slots, max, free, allocated, in_flight, held, punching, bad,
 *   waiters, claims, failed, no_space, owners (array of {peer, incarnation, dir ("to_peer",
 *   "to_host"), state ("allocated", "in_flight", "held", "punching"), n, oldest_ms}), owners_left_out
 *   (slots in further hands; absent: none)
 * slot    d, look, h, class, slot, state (as in owners), peer, incarnation, dir, generation,
 *   time_ms, bytes, call, method: slots that left "free" more than a second ago; the oldest 256 of a
 *   class, and the oldest in flight to each peer and from it
 * call    d, look, h, by (0 the host, else the peer whose call it is), id, state ("pending",
 *   "answered", "failed", "cancelled"), peer, method, started_us, tid, deadline_ms,
 *   enqueued_peer, enqueued_at (position + 1; 0 never), bytes, for_call, for_peer (the call in
 *   whose handler this one is made; 0 none): the oldest 256 of each table
 * thread  d, tid, name, state (letter of /proc), own (true: a thread of our library),
 *   captured ("peek", "signal", "ptrace", "core", "proc"), disturbed, moved (it ran while it was
 *   looked at), sys (number of the call it is blocked in, -1 none), args (six "0x"), sp, pc,
 *   stack (s or null), reason (null, or why there is no stack), blocked_ms (null: not known),
 *   wchan, on (what the descriptor in args[0] is, as /proc/self/fd names it: "pipe:[1234]",
 *   "socket:[99]", a path; null or absent: not asked, or no descriptor), mono_us, mark ("0x":
 *   another one in a later dump: the thread has run in between; null: not known), ran_us, queued_us
 *   (since it began: for how long it has run, and for how long it could have run and got no CPU, a
 *   wait that is not over left out; null: not known)
 * word    d, look, of (tid that sleeps on it), addr ("0x"), value ("0x" of its 32 bits), mono_us.
 *   Look 1 stands behind its thread. Look 2 follows when all threads were told, for words that
 *   may have an owner or changed while somebody sleeps on them; it adds
 *   still (true: the thread has not run since look 1, and sleeps on that word; false: addr and
 *   value may be absent),
 *   holders ([{tid, pid or null, state, name}...]: threads whose number stands where locks keep
 *   their owner, asked for between two readings of the word; "X": there is no such thread).
 *   Once for each addr and look: at ("0x"), bytes (hex text: memory around the word, from `at`
 *   on), in ([m, "0x.."] as a program counter: the variable's place in its module)
 * gauge   d, name, value, limit (null: none): a number that the program keeps (sigdump_gauge_add())
 * diag    d, name, text (null: none), reason (null, or why there is no text): what the program says
 *   of itself when it is asked (sigdump_diag_add())
 * ends    behind its thread: the open files that it waits on: d, of (tid), set (number of the epoll
 *   set; without n: as told with an earlier thread), n (in all), more (true: and further ones, not
 *   counted), ends (the first: array of {fd, events (as poll(2)), is (link text; null: closed),
 *   peer (inode of the other end of a unix socket), fifo (true: that path is a named pipe)})
 * lock    behind its thread: who holds the file lock that it waits for: d, of (tid), file (path), ino,
 *   kind ("FLOCK", "POSIX", "OFDLCK"), exact (the system's list shows the process in that lock's
 *   queue; else all that is locked of the file), n (holders), holders (the first: array of {pid
 *   (null: none is noted), state ("X": no such process), name}), mono_us
 * open    pipes, fifos and sockets of the process: d, fds (array of [fd, link text, "r" | "w" | "rw"]),
 *   more (in the last one of a dump: not all were looked at)
 * children  behind its thread, which waits for one of them: d, of (tid), pids, more (true: and further
 *   ones)
 * other   who has the other end of what threads wait on: d, file (link text), n (processes), who
 *   (the first: array of {pid, fd, mode ("r", "w", "rw"), name}), all (nobody was left out who may have
 *   it), still (no thread of this process has run since it was looked at), mono_us
 * child   d, pid, start, name, state (letter of /proc when it was asked; "T" is stopped), told
 *   (true: the request was passed on), reason (null, or why not)
 * done    d, mono_us, threads (seen), captured (with a stack), disturbed, us (duration), timeout
 *   (true: the deadline ended it)
 * incident  the watchdog's, between dumps: n (1.. within the image), state ("stalled": it goes on
 *   no more; later "progress": it did; or "gone": its peer, hub or registration is), what ("ring",
 *   "call", "beat"), d (the dump that shows it, or null), stuck_ms (how long it was watched without
 *   progress, by the watchdog's own wake-ups: less than the clock says where the process was stopped
 *   or starved), since_us (when it was first seen there), mono_us. With "stalled" also: path, peer
 *   (ring, call: of the hub; the peer whose ring it is, or that was called), dir and waiting (ring),
 *   name (beat), at (ring: position read up to; call: its id; beat: beats so far)
 * end     the writer stopped on purpose: why ("exit", "exec", "signal"), signal, mono_us
 *
 * lib/feed/feed.schema.json says the same to a validator; feed.5 to people.
 */
#ifndef SHMSCOPE_FEED_FORMAT_H
#define SHMSCOPE_FEED_FORMAT_H

#define FEED_VERSION 1
#define FEED_SUFFIX  ".ndjson"

#endif
