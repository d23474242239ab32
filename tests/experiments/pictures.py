#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every page and every overlay mode of Inspect on runs of several kinds: trains them, 120 steps of the demo's data each, and draws them at two
sizes in both themes. What the records of a kind cannot show must be refused with a reason, and only that.

Usage: pictures.py PROGRAM OUT_FOLDER [--threads N] [--only KIND,...] [--run DIRECTORY,...] [--looks THEME-SIZE,...] [--jobs N]
Finished runs are used again; --run draws those runs instead. Pictures and index.md come to OUT_FOLDER/pictures/inspect.
Exit status 1 when a run fails, a picture is missing, a mode is refused that should be there, or a panel on screen failed or is still loading.
"""
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from run_records import ROOT, Program, table

STEPS = 120
SETTINGS = {"train.steps": STEPS, "train.evaluate_every": 60, "train.evaluate_samples": 96, "train.checkpoint_every": 40, "train.keep_last": 4,
            "record.probe_samples": 48, "record.probe_random_routers": 1}
# What a kind changes of the demo's sparse model.
KINDS = {
    "dense": {"model.preset": "tiny-dense", "model.ffn": "dense"},
    "soft": {"moe.router": "soft"},
    "expert-choice": {"moe.router": "expert_choice", "moe.k": 2, "moe.capacity_factor": 1.0, "moe.capacity_factor_eval": 1.0},
    "64-experts": {"moe.experts": 64, "moe.k": 8, "moe.expert_width": 32, "moe.renormalize": "true"},
    "grid-8x8": {"data.image_size": 64, "model.patch": 8, "moe.dispatch": "capacity", "moe.capacity_factor": 1.0, "moe.capacity_factor_eval": 1.0},
    "grid-32x32": {"data.image_size": 64, "model.patch": 2, "train.batch_images": 2, "train.batch_texts": 8, "train.batch_pairs": 2,
                   "record.probe_samples": 24, "train.evaluate_samples": 24},
}
MODES = ("expert", "weight", "entropy", "margin", "dropped", "attention", "one-expert", "changed", "difference")
# What the panels of each page are called in a dump; "samples" is on all of them.
PANELS = {
    "sample": {"overlay", "expert_map", "token", "scrubber", "expert_glance", "interventions"},
    "expert": {"expert", "expert_gallery", "expert_labels", "expert_positions", "expert_colours", "expert_load", "expert_others"},
    "structure": {"probe_expert_map", "path_flow", "pairs", "specialisation", "paths"},
    "sheet": {"sheet"},
    "causal": {"causal", "causal_comparison"},
}
SIZES, THEMES = ("1280x800", "1680x1000"), ("light", "dark")


def routed(dump):
    """Whether the run has routers: the map of experts and layers has rows."""
    return any(panel["name"] == "expert_map" and panel["data"] for panel in dump["panels"])


def busiest(dump):
    """The expert that most patches of the sample went to first; 0 in a dense run."""
    overlay = next(panel["data"] for panel in dump["panels"] if panel["name"] == "overlay") or {}
    experts = Counter(patch["expert"] for patch in overlay.get("patches", []) if patch.get("expert", -1) >= 0)
    return experts.most_common(1)[0][0] if experts else 0


def states(expert, dense):
    """(name, page, options) of everything that is drawn."""
    yield "sample", "sample", []
    yield "sample-word", "sample", ["--token", "word 1"]
    for page in ("expert", "structure", "sheet", "causal"):
        yield page, page, []
    if dense:
        return
    chosen = ["--expert", expert]
    for mode in MODES[1:]:
        yield f"sample-{mode}", "sample", ["--mode", mode, *chosen]
    yield "sample-expert", "sample", ["--mode", "expert", *chosen]
    yield "sample-all-ranks", "sample", ["--rank", "all"]
    yield "sample-side-by-side", "sample", ["--against", "before"]
    yield "sample-step", "sample", ["--step", 0]
    yield "expert-chosen", "expert", chosen
    yield "structure-chosen", "structure", chosen
    yield "structure-words", "structure", ["--token", "word 1"]
    for mode in ("weight", "entropy", "margin", "dropped", "one-expert"):
        yield f"sheet-{mode}", "sheet", ["--mode", mode, *chosen]


def refused(kind, settings, name):
    """Whether the records of such a run cannot show a mode."""
    if name.endswith("-dropped"):
        return settings.get("moe.dispatch") != "capacity" and settings.get("moe.router") != "expert_choice"
    return kind == "soft" and name.endswith("-margin")


class Pictures:
    def __init__(self, program, out, looks, jobs):
        self.program, self.out, self.looks, self.pool = program, out, looks, ThreadPoolExecutor(jobs)
        self.rows, self.wrong, self.drawn = [], [], 0
        out.mkdir(parents=True, exist_ok=True)

    def one(self, run, kind, name, page, options, theme, size):
        picture = self.out / f"{kind}-{name}-{theme}-{size}.png"
        dump, problem = self.program.draw(picture, run, "--workspace", "inspect", "--page", page, *options, "--theme", theme, "--size", size)
        return picture, dump, problem

    def state(self, run, kind, settings, name, page, options):
        looks = self.looks
        if settings is not None and refused(kind, settings, name):
            _, _, problem = self.one(run, kind, name, page, options, *looks[0])
            if "Cannot use --mode" not in problem:
                self.wrong.append(f"{kind}, {name}: shown or refused for another reason: {problem or 'a picture came'}")
            self.rows.append([kind, name, "not in these records: " + problem.split("expertscope: ")[-1].split(". ")[0], ""])
            return
        results = list(self.pool.map(lambda look: self.one(run, kind, name, page, options, *look), looks))
        links, seen = [], Counter()
        for (theme, size), (picture, dump, problem) in zip(looks, results):
            if problem:
                self.wrong.append(f"{kind}, {name}, {theme}, {size}: {problem}")
                continue
            self.drawn += 1
            links.append(f"[{theme} {size}]({picture.name})")
            for panel in dump["panels"]:
                if panel["name"] not in PANELS[page] | {"samples"}:
                    continue
                seen[panel["state"]] += 1
                if panel["state"] in ("failed", "loading"):
                    self.wrong.append(f"{kind}, {name}, {theme}, {size}: {panel['name']} is {panel['state']}: {panel.get('error', '')}")
        self.rows.append([kind, name, ", ".join(f"{count // max(1, len(links))} {state}" for state, count in sorted(seen.items())), " ".join(links)])

    def run(self, run, kind, settings):
        _, dump, problem = self.one(run, kind, "sample", "sample", [], *self.looks[0])
        if problem:
            self.wrong.append(f"{kind}: does not open: {problem}")
            return
        dense = not routed(dump)
        for name, page, options in states(busiest(dump), dense):
            self.state(run, kind, settings, name, page, options)

    def index(self):
        head = ["run", "what", "panels on screen", "pictures"]
        (self.out / "index.md").write_text(f"# Pictures of Inspect\n\n{self.drawn} pictures.\n\n{table(head, self.rows)}\n")


def main():
    program, out = Program(sys.argv[1]), Path(sys.argv[2])
    options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
    only = set(filter(None, options.get("--only", "").split(",")))
    if unknown := only - set(KINDS):
        sys.exit(f"pictures.py: no kind {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    looks = [(theme, size) for theme in THEMES for size in SIZES if f"{theme}-{size}" in options.get("--looks", f"{theme}-{size}").split(",")]
    if not looks:
        sys.exit("pictures.py: --looks names no theme and size, as light-1280x800")
    pictures = Pictures(program, out / "pictures" / "inspect", looks, int(options.get("--jobs", 2)))
    runs = [(Path(run), Path(run).name, None) for run in filter(None, options.get("--run", "").split(","))]
    for kind, settings in ({} if runs else KINDS).items():
        if only and kind not in only:
            continue
        print(kind, file=sys.stderr, flush=True)
        run = out / f"pictures-{kind}"
        problem = program.train(ROOT / "resources" / "experiments" / "demo-sparse.toml", run,
                                {"run.name": run.name, "run.threads": options.get("--threads", 0), **SETTINGS, **settings})
        if problem:
            pictures.wrong.append(f"{kind}: {problem}")
        else:
            runs.append((run, kind, settings))
    for run, kind, settings in runs:
        print(f"{kind}: pictures", file=sys.stderr, flush=True)
        pictures.run(run, kind, settings)
        pictures.index()
    for problem in pictures.wrong:
        print(f"WRONG: {problem}")
    print(f"{pictures.drawn} pictures of {len(runs)} runs, {len(pictures.wrong)} problems; {pictures.out / 'index.md'}")
    return 1 if pictures.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
