# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains runs with the program and reads what they recorded. Needs nothing but Python's own library."""
import array
import json
import os
import re
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LAYOUTS = {0: "fixed k", 1: "ragged", 2: "dense mass"}


class Program:
    def __init__(self, path):
        self.path = str(path)

    def __call__(self, *arguments, **options):
        return subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True, **options)

    def choices(self, section, key):
        """The values that a key can have, as the program's reference page lists them."""
        page = (ROOT / "docs" / "configuration.md").read_text()
        body = page.split(f"\n## [{section}]\n", 1)[1].split("\n## ", 1)[0]
        cells = next(line.split(" | ") for line in body.splitlines() if line.startswith(f"| `{key}` "))
        return re.fullmatch(r"one of (.*)", cells[3].strip()).group(1).split(", ")

    def draw(self, picture, *arguments):
        """A picture of the window (PNG) with its data beside it (JSON). (data, ""), or ({}, the program's words)."""
        data = Path(picture).with_suffix(".json")
        for file in (Path(picture), data):
            file.unlink(missing_ok=True)
        outcome = self("open", *arguments, "--screenshot", picture, "--dump", data, env=dict(os.environ, QT_QPA_PLATFORM="offscreen"))
        if outcome.returncode or not Path(picture).exists() or Path(picture).read_bytes()[:4] != b"\x89PNG" or not data.exists():
            return {}, outcome.stderr.strip()[-400:] or "no picture"
        return json.loads(data.read_text()), ""

    def train(self, config, out, settings):
        """Trains unless the run is there and finished. The program's words when it refuses or fails, else empty."""
        if self("index", "--state", out).stdout.strip() == "finished":
            return ""
        changes = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        resume = ["--resume"] if Path(out, "run.toml").exists() else []
        outcome = self("train", config, *changes, "--out", out, *resume)
        return "" if outcome.returncode == 0 else outcome.stderr.strip() or f"exit status {outcome.returncode}"


class Run:
    def __init__(self, program, path):
        self.program, self.path = program, Path(path)
        self.program("index", self.path)  # the index may lag behind the journal
        self.database = sqlite3.connect(f"file:{self.path / 'run.sqlite'}?mode=ro", uri=True)

    def series(self):
        return [row[0] for row in self.database.execute("SELECT name FROM series")]

    def curve(self, name):
        """{step: value}, the newest attempt's where there are several."""
        points = {}
        for steps, values in self.database.execute("SELECT steps, vals FROM scalar_blocks JOIN series ON series.id = scalar_blocks.series "
                                                   "WHERE name = ? ORDER BY journal, block", (name,)):
            s, v = array.array("q"), array.array("d")
            s.frombytes(steps)
            v.frombytes(values)
            points.update(zip(s, v))
        return points

    def routers(self):
        """[(name, kind, layout)] in the run's order."""
        for (payload,) in self.database.execute("SELECT payload FROM records WHERE kind = 2 ORDER BY journal"):
            count, at, found = struct.unpack_from("<I", payload, 1)[0], 5, []
            for _ in range(count):
                _, layer, branch, layout, _, _, size = struct.unpack_from("<iiBBiiI", payload, at)
                at += struct.calcsize("<iiBBiiI")
                found.append((f"l{layer}.{('v', 't', 'vl', 'all')[branch]}", payload[at:at + size].decode(), LAYOUTS.get(layout, str(layout))))
                at += size
            return found
        return []

    def alarms(self):
        """The product's own: [{kind, step, worst, note}]."""
        outcome = self.program("analyze", self.path, "--metric", "alarms", "--json")
        if outcome.returncode:
            sys.exit(outcome.stderr)
        return [row for row in json.loads(outcome.stdout)["rows"] if row["name"] == "worst"]


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else float("nan")


def deviation(values):
    """Of the population."""
    middle = mean(values)
    return mean((value - middle) ** 2 for value in values) ** 0.5


def table(header, rows):
    """Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
