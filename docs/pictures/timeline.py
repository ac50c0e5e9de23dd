"""Draws a pool's timeline, as MP_TRACE writes it, as a picture: timeline.py TRACE.json >PICTURE.svg

A row for each worker, a bar for each task, as wide as it took; a line where a worker was started or died.
"""
import json
import sys
from xml.sax.saxutils import escape

LEFT, WIDTH, ROW, BAR = 90, 800, 30, 20
COLOURS = {"task": "#4c78a8", "started": "#54a24b", "died": "#e45756"}

with open(sys.argv[1]) as f:
    events = json.load(f)["traceEvents"]
names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
bars = [e for e in events if e["ph"] == "X"]
marks = [e for e in events if e["ph"] == "i" and e["name"] in COLOURS]
begin = min(e["ts"] for e in bars + marks)
end = max(e["ts"] + e.get("dur", 0) for e in bars + marks)
scale = WIDTH / (end - begin)
top = {tid: 10 + i * ROW for i, tid in enumerate(sorted(names))}
bottom = 10 + len(names) * ROW


def x(time):
    return LEFT + (time - begin) * scale


print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 40}" height="{bottom + 30}" '
      'font-family="sans-serif" font-size="12">')
print('<rect width="100%" height="100%" fill="white"/>')
for tid, name in names.items():
    print(f'<text x="{LEFT - 10}" y="{top[tid] + 15}" text-anchor="end">{escape(name)}</text>')
for e in bars:
    colour = COLOURS["task"] if e["name"] == "task" else COLOURS["died"]
    wide = max(e["dur"] * scale - 0.5, 0.5)
    print(f'<rect x="{x(e["ts"]):.1f}" y="{top[e["tid"]]}" width="{wide:.1f}" height="{BAR}" fill="{colour}">'
          f'<title>{escape(e["name"])}: items from {e["args"]["first"]}, {e["dur"] / 1000:.2f} ms</title></rect>')
for e in marks:
    at = f'{x(e["ts"]):.1f}'
    print(f'<line x1="{at}" x2="{at}" y1="{top[e["tid"]] - 3}" y2="{top[e["tid"]] + BAR + 3}" '
          f'stroke="{COLOURS[e["name"]]}" stroke-width="2"/>')
for i in range(5):
    time = begin + (end - begin) * i / 4
    print(f'<text x="{x(time):.1f}" y="{bottom + 15}" text-anchor="middle">{(time - begin) / 1000:.1f} ms</text>')
print("</svg>")
