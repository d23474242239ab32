#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the pictures of docs/inspect.md with the program, on the second demo's model.

Usage: draw.py PROGRAM RUN [OUT_FOLDER]     RUN: objects-sparse of ./run demo --objects
The run must keep interventions to show them: what is missing is measured first (a minute or two) and kept in the run.
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

LARGEST = 200_000  # bytes of a picture


def call(program, *arguments):
    outcome = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, env=dict(os.environ, QT_QPA_PLATFORM="offscreen"))
    if outcome.returncode:
        sys.exit(f"draw.py: {' '.join(map(str, arguments[:2]))}: {outcome.stderr.strip()}")
    return outcome.stdout


def panel(dump, name):
    return next((one["data"] for one in dump["panels"] if one["name"] == name), None) or {}


def opened(program, run, *options):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "dump.json")
        call(program, "open", run, "--workspace", "inspect", *options, "--size", "1280x800", "--dump", file)
        return json.loads(file.read_text())


def scene(rows):
    """Place in the list of the first picture made of real cut-outs with two objects or more: its truth is known and it is good to look at."""
    for wanted in ("sprites: 3", "sprites: 2", "sprites", "scenes: 3", "scenes"):
        for place, row in enumerate(rows, 1):
            if row["detail"].startswith(wanted) or f"· {wanted}" in row["detail"]:
                return place
    return 1


def object_expert(dump):
    """Of the experts with a tenth of the patches, the one with the least share of its own at the picture's border, where the ground is; and the
    middle one of its patches."""
    overlay = panel(dump, "overlay")
    width, height = overlay["grid_width"], overlay["grid_height"]
    patches = {}
    for i, patch in enumerate(overlay["patches"]):
        patches.setdefault(patch.get("expert", -1), []).append((i // width, i % width))
    large = {expert: own for expert, own in patches.items() if expert >= 0 and len(own) * 10 >= width * height}
    border = lambda own: sum(row in (0, height - 1) or column in (0, width - 1) for row, column in own) / len(own)
    expert = min(large, key=lambda one: (border(large[one]), one))
    row, column = large[expert][len(large[expert]) // 2]
    return expert, f"patch {row},{column}"


def kept_ban(program, run, expert):
    """Number of a kept result of that expert's ban on the held-out samples."""
    wanted = f"ban 1.v:{expert}"
    for attempt in range(2):
        for result in json.loads(call(program, "run", run, "--kept", "--json"))["results"]:
            if result["interventions"] == [wanted] and not result.get("sample"):
                return result["id"]
        if attempt == 0:
            call(program, "run", run, "--probe", "--ban", f"1.v:{expert}", "--keep")
    sys.exit("draw.py: the run did not keep the intervention")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    program, run = sys.argv[1:3]
    out = Path(sys.argv[3] if len(sys.argv) == 4 else Path(__file__).parent)
    out.mkdir(parents=True, exist_ok=True)
    first = opened(program, run)
    sample = ["--sample", scene(panel(first, "samples")["rows"])]
    shown = opened(program, run, *sample)
    chosen, patch = object_expert(shown)
    expert, token = ["--layer", "1.v", "--expert", chosen], ["--token", patch]
    call(program, "run", run, "--causal", "--layer", "1", "--probe", "96")
    kept = kept_ban(program, run, chosen)
    states = {
        "sample": [*sample, *token],
        "one-expert": [*sample, *token, *expert, "--mode", "one-expert"],
        "changed": [*sample, *token, "--mode", "changed", "--side-by-side", "--against", "before"],
        "word": [*sample, "--token", "word 1"],
        "expert": [*sample, *token, *expert, "--page", "expert"],
        "structure": [*sample, *token, *expert, "--page", "structure"],
        "sheet": [*sample, *token, *expert, "--page", "sheet"],
        "intervention": [*sample, *token, *expert, "--kept", kept],
        "causal": [*sample, *token, "--page", "causal"],
    }
    for name, options in states.items():
        picture = out / f"inspect-{name}.png"
        call(program, "open", run, "--workspace", "inspect", *options, "--theme", "light", "--size", "1280x800", "--few-colors", "--screenshot", picture)
        size = picture.stat().st_size
        print(f"{picture} {size // 1000} KB")
        if size > LARGEST:
            sys.exit(f"draw.py: {picture} is larger than {LARGEST // 1000} KB")


if __name__ == "__main__":
    main()
