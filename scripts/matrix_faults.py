"""What each fault of hubdemo must lead to: the table that scripts/matrix tests.

A fault has one finding, a place, words and numbers that rest on what really happened, and, per
source, whether that source can know it:

  live   shmtop looks at the running processes
  feed   what the processes dumped into their feeds
  file   the hub file alone, after everybody was killed
  both   hub file and feeds together
"""
import collections
import re

SOME = "some"  # a number above zero

# What one source must say. known: the finding is confirmed; else it is silent, and may suspect
# `suspected`. says: patterns for its words; evidence: its numbers, null is None; never: findings
# that would be wrong even as a suspicion; not_seen: what the report says that it could not see.
Want = collections.namedtuple("Want", "known finding where says evidence suspected never not_seen")
Fault = collections.namedtuple("Fault", "spec finding dwell live feed file both")

SEEN_BY_PROCESS = "whether its processes run, stop or wait"


def fault(finding, where, says=(), evidence=None, *, spec, dwell=2, site=None, seen=None, seen_says=(),
          file=True, in_file=None, file_says=(), suspected=None, never=(), not_seen=()):
    """seen, seen_says: what only a look at the processes tells; site: of their stacks;
    in_file, file_says: what only a file tells; file=False: a file alone cannot know it."""
    says, evidence = list(says), dict(evidence or {})

    def want(more_says=(), more=None, more_where=None, known=True, **rest):
        return Want(known, finding, {**where, **(more_where or {})}, says + list(more_says),
                    {**evidence, **(more or {})}, rest.get("suspected"), list(never),
                    rest.get("not_seen", ()))

    live = want(seen_says, seen)
    feed = want(seen_says, seen, {"site": site} if site else None)
    if file:
        alone = want(file_says, in_file)
    else:
        alone = Want(False, None, where, list(file_says), {}, suspected, list(never),
                     [SEEN_BY_PROCESS, *not_seen])
    return Fault(spec, finding, dwell, live, feed, alone, feed)


def faults(peer=3):
    """The table, with `peer` as the target of faults that have one."""
    other = peer % 16 + 1
    there, recv, send = {"peer": peer}, {"peer": peer, "ring": "recv"}, {"peer": peer, "ring": "send"}

    def at(name, **args):
        given = dict(args)
        if peer != 3:
            given["peer"] = peer
        return name + "".join(("," if i else ":") + f"{k}={v}" for i, (k, v) in enumerate(given.items()))

    table = {
        "lost-bell": fault("missed-wakeup", recv, ["nobody rang its bell"], {"flag": 1, "waiting": SOME},
                           spec=at("lost-bell"), seen={"bell": 0}, seen_says=["in epoll_wait"],
                           in_file={"bell": None}),
        "lost-bell:to=host": fault("missed-wakeup", send, ["nobody rang its bell", r"\(host,"],
                                   {"flag": 1, "waiting": SOME}, spec=at("lost-bell", to="host"),
                                   seen={"bell": 0}, in_file={"bell": None}),
        "deaf-peer": fault("bell-not-drained", recv, ["deaf to its bell"],
                           {"bell": SOME, "waiting": SOME}, spec=at("deaf-peer"), seen_says=["in epoll_wait"],
                           file=False, suspected="bell-not-drained",
                           file_says=[r"rung \d+ times, not taken"],
                           never=["missed-wakeup"], not_seen=["unread bytes of the bells"]),
        "wrong-peer": fault("call-lost", there, [f"enqueued to peer {other} "], {"enqueued_peer": other},
                            spec=at("wrong-peer")),
        "dropped-call": fault("call-lost", there, ["never enqueued"], {"enqueued_peer": None},
                              spec=at("dropped-call")),
        "spinning-peer": fault("consumer-stalled", recv, ["in its handler"], {"method": SOME},
                               spec=at("spinning-peer"), site=r"act_spinning_peer fault_handler\.c:\d+",
                               seen_says=[r"stalls: running", r"tid \d+ running"],
                               file_says=["stalls: busy"]),
        "stopped-peer": fault("peer-stopped", there, ["has been stopped for"], {"state": "T"},
                              spec=at("stopped-peer"), file=False, suspected="bell-not-drained",
                              never=["missed-wakeup"]),
        "stopped-sender": fault("peer-stopped", send, ["stopped before ringing"], {"sending": SOME},
                                spec=at("stopped-sender"), seen={"state": "T"}, never=["missed-wakeup"]),
        "reentrant-call": fault("call-cycle", there, ["for each other", r"waits in its handler for call \d+"],
                                {"peers": 1, "call": SOME, "made_for_it": SOME}, spec=at("reentrant-call"),
                                site=r"act_reentrant_call fault_call\.c:\d+", dwell=0),
        "lock-call-cycle": fault("call-cycle", there, ["mutex"], spec=at("lock-call-cycle"), dwell=0,
                                 file=False, suspected="consumer-stalled"),
        "full-both": fault("call-cycle", there, ["both rings are full"],
                           {"recv_waiting": SOME, "send_waiting": SOME}, spec=at("full-both"),
                           site=r"act_full_both fault_call\.c:\d+"),
        "disk-full": fault("slots-exhausted", {"class": 16 << 20}, ["no space on its filesystem"],
                           {"no_space": SOME}, spec=at("disk-full")),
        "deadlock": fault("deadlock", {}, ["index_lock", "cache_lock"], spec="deadlock", dwell=0, file=False),
        "slow-peer": fault("ring-full", recv, ["full for"], {"full_waits": SOME, "used_cells": SOME},
                           spec=at("slow-peer")),
        "killed-peer": fault("slots-leaked", {**there, "class": 256 << 10}, ["which died"],
                             {"slots": 8, "held": 4, "in_flight": 4, "bytes": 2 << 20}, dwell=3,
                             spec=at("killed-peer")),
        "hoarder": fault("slots-exhausted", {**there, "class": 16 << 20}, [rf"\({peer}\) holds 4 of 4"],
                         {"free": 0, "held": 4, "largest_owner": peer, "largest_owner_slots": 4},
                         spec=at("hoarder")),
        "lost-descriptor": fault("in-flight-stuck", {**recv, "class": 16 << 10},
                                 ["no descriptor refers to it"], {"slots": 1, "bytes": 16 << 10}, dwell=10,
                                 spec=at("lost-descriptor")),
        "no-replies": fault("calls-exhausted", there, [r"oldest: call \d+, method 6"],
                            {"method": 6, "pending": 2048, "limit": 2048, "oldest_call": SOME},
                            spec=at("no-replies")),
        "frozen-beat": fault("beat-late", there, ["has not come back to its loop"], {"beat": "handler"},
                             spec=at("frozen-beat"), dwell=5, file=False,
                             site=r"act_frozen_beat fault_handler\.c:\d+"),
        "dead-owner": fault("owner-dead", {}, ["orphan_lock"], spec="dead-owner", file=False),
        "lost-futex-wake": fault("stale-wait", {}, spec="lost-futex-wake", file=False),
    }
    for call, words in (("read", "read from pipe:"), ("futex", "futex 0x"), ("flock", "flock on .*cache.lock"),
                        ("connect", "connect to @hubdemo-")):
        table["blocked-peer:in=" + call] = fault(
            "consumer-stalled", recv, ["in its handler"], {"method": SOME}, spec=at("blocked-peer", **{"in": call}),
            site=rf"block_in_{call} fault_handler\.c:\d+", seen_says=["stalls: blocked in " + words],
            file_says=["stalls: busy"])
    for what, where, words in (
            ("head", recv, r"written \d{13}, read \d+ \(further apart than the ring is long\)"),
            ("tail", recv, r"written \d+, read \d{13} \(more than written\)"),
            ("slot", {"class": 1024, "slot": 900}, r"slot 900 \(word 0x7 at offset \d+\)"),
            ("class", {}, r"class 0 .* slots of 1000 bytes \(a power of two is legal\)"),
            ("offset", {}, r"RINGS 0 lies outside the file \(offset \d+, .* the file has \d+\)"),
            ("section", {}, r"9999 sections \(64 at most\)"),
            ("magic", {}, "the magic is overwritten")):
        table["corrupt:what=" + what] = fault("hub-corrupted", where, [words], dwell=0,
                                              spec=at("corrupt", what=what))
    return table


# The twelve that are seen most: any two of them at once must both be found.
COMMONEST = ["lost-bell", "deaf-peer", "spinning-peer", "blocked-peer:in=read", "stopped-peer", "slow-peer",
             "killed-peer", "wrong-peer", "dropped-call", "no-replies", "frozen-beat", "reentrant-call"]
# Some that tell soon and are not in path_faults.sh: what `make check` adds.
QUICK = ["wrong-peer", "dropped-call", "spinning-peer", "stopped-sender", "reentrant-call", "full-both", "disk-full",
         "no-replies", "corrupt:what=slot", "corrupt:what=section"]


# ---- what a report says, held against the table ------------------------------------------------

def confirmed(report):
    return [f for f in report["findings"] if f["state"] == "confirmed" and f["severity"] in ("critical", "warning")]


def words_of(finding):
    return "\n".join(finding[k] or "" for k in ("sentence", "brief", "evidence_text"))


def is_at(finding, where):
    """At that place? The site is a pattern; it is held against the words, not the place."""
    return all(finding["where"].get(k) == v for k, v in where.items() if k != "site")


def differs(value, want):
    return not (isinstance(value, (int, float)) and value > 0) if want is SOME else value != want


def objections(finding, want):
    """What of the finding is not as it must be."""
    wrong = [f"does not say {p!r}" for p in want.says if not re.search(p, words_of(finding))]
    wrong += [f"{k} {finding['evidence'].get(k, 'missing')}" for k, v in want.evidence.items()
              if differs(finding["evidence"].get(k, "missing"), v)]
    site = want.where.get("site")
    if site and not re.fullmatch(site, finding["where"]["site"] or ""):
        wrong.append(f"site {finding['where']['site']}")
    return wrong


def describe(finding):
    w = finding["where"]
    place = " ".join(str(w[k]) for k in ("peer", "ring", "tid", "class") if w.get(k) is not None)
    return finding["name"] + (f"({place})" if place else "")


def compare_known(report, want, alone):
    hits = [f for f in confirmed(report) if f["name"] == want.finding and is_at(f, want.where)]
    if not hits:
        return ["missing " + want.finding]
    if all(f["consequence_of"] for f in hits):
        return [f"{want.finding} is a consequence of {hits[0]['consequence_of']}"]
    best = min((objections(f, want) for f in hits), key=len)
    wrong = [f"{want.finding}: {w}" for w in best]
    if alone and not report["verdict"].startswith(hits[0]["sentence"]):
        wrong.append("verdict: " + report["verdict"])
    return wrong


def compare_unknown(report, want):
    """A source that cannot know: silent, saying what it did not see."""
    wrong = [f"does not say that it did not see {p!r}" for p in want.not_seen
             if not any(p in sentence for sentence in report["not_seen"])]
    suspected = [f for f in report["findings"] if f["state"] == "suspected" and f["where"]["peer"] is not None
                 and f["where"]["peer"] == want.where.get("peer")]
    for p in want.says:
        if not any(re.search(p, words_of(f)) for f in suspected):
            wrong.append(f"no suspicion says {p!r}")
    wrong += ["suspects " + describe(f) for f in suspected
              if f["name"] != want.suspected and f["severity"] != "info"]
    return wrong


def compare(report, wants):
    """Everything that is wrong with a report, for faults that are all there at once."""
    wrong = []
    for want in wants:
        wrong += compare_known(report, want, len(wants) == 1) if want.known else (
            compare_unknown(report, want) if len(wants) == 1 else [])
        wrong += ["says " + describe(f) for f in report["findings"]
                  if f["name"] in want.never and f["where"]["peer"] == want.where["peer"]]
    wrong += extras(report, wants)
    return wrong


def extras(report, wants):
    """Confirmed causes that none of the faults is."""
    return ["extra " + describe(f) for f in confirmed(report) if not f["consequence_of"] and not any(
        w.known and f["name"] == w.finding and is_at(f, w.where) for w in wants)]
