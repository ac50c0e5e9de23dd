"""Reads a timeline as Perfetto does, and says what is in it; fails where its bars do not fit together."""
import collections
import json
import sys

with open(sys.argv[1]) as f:
    events = json.load(f)["traceEvents"]
rows = collections.defaultdict(list)
waits = {}
names = collections.Counter()
marks = collections.Counter()
known, used = set(), set()
items = 0
for e in events:
    row = e["pid"], e["tid"]
    if e["ph"] == "M":
        assert e["args"]["name"], e
        known.add(row)
        continue
    used.add(row)
    assert e["ts"] > 0, e
    if e["ph"] == "X":
        rows[row].append(e)
        names[e["name"]] += 1
        if e["name"] == "task":
            items += e["args"]["items"]
    elif e["ph"] == "b":
        assert e["id"] not in waits, e
        waits[e["id"]] = [e]
    elif e["ph"] == "e":
        waits[e["id"]].append(e)
    else:
        assert e["ph"] == "i", e
        marks[e["name"]] += 1
assert used <= known, used - known
for row in rows.values():
    row.sort(key=lambda e: e["ts"])
    for e in row:
        assert e["dur"] >= 0, e
    for a, b in zip(row, row[1:]):
        # A worker does one thing at a time. Microseconds with three digits are not exact in a float.
        assert a["ts"] + a["dur"] <= b["ts"] + 0.002, (a, b)
for wait in waits.values():
    assert len(wait) == 2 and wait[0]["ts"] <= wait[1]["ts"], wait
# Each bar begins where a wait ends, which was as long as it says.
ends = collections.Counter(round(w[1]["ts"] * 1000) for w in waits.values())
bars = collections.Counter(round(e["ts"] * 1000) for row in rows.values() for e in row)
assert not bars - ends, bars - ends
print("pools", len({pid for pid, _ in known}), "items", items, end="")
for what, count in sorted(names.items()) + sorted(marks.items()):
    print(",", what, count, end="")
print()
