#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures on purpose, three seeds each, and the healthy twin in which neither happens: resources/experiments/failure-collapse.toml,
failure-spike.toml, healthy-twin.toml. Prints what the runs recorded and what the product's alarms said, and whether that is a failure.

Usage: failures.py PROGRAM OUT_FOLDER [--seeds 1,2,3] [--threads N]     finished runs are kept and read again
Exit status 1 when something expected did not happen, or something else did.
"""
import sys
from pathlib import Path

from run_records import ROOT, Program, Run, deviation, mean, table

WINDOW = 128      # values that a spike is measured against, as the alarms do
BUMP = 170        # the first step of failure-spike's bump; its effect shows from the next step on
WARM_UP = 100     # steps in which a healthy router may look collapsed
EXPERTS = 8


def load(run):
    """By router: MaxVio and dead experts of each step."""
    return {name: (run.curve(f"router/{name}/max_vio"), run.curve(f"router/{name}/dead_experts")) for name, _, _ in run.routers()}


def collapse(run):
    rows, sound = [], True
    for router, (vio, dead) in load(run).items():
        last = max(vio)
        by = next((step for step in sorted(vio) if all(vio[s] >= 6.5 for s in range(step, last + 1))), None)
        starved = next((step for step in sorted(dead) if all(dead[s] >= EXPERTS - 1 for s in range(step, last + 1))), None)
        rows.append([router, by or "never", starved or "never", f"{vio[last]:.2f}", int(dead[last])])
        sound &= starved is not None
    return rows, sound


def spike(run, name):
    """Deviations of the worst step after the bump, that step, and the steps until the value is back below mean + 2 deviations."""
    curve = run.curve(name)
    before = [curve[step] for step in range(BUMP - WINDOW, BUMP)]
    middle, spread = mean(before), deviation(before)
    worst = max(range(BUMP, BUMP + 20), key=lambda step: curve[step])
    back = next((step for step in range(worst, max(curve) + 1) if curve[step] < middle + 2 * spread), None)
    return (curve[worst] - middle) / spread, worst, back and back - worst


def spikes_anywhere(run, name):
    curve = run.curve(name)
    values = [curve[step] for step in sorted(curve)]
    found = 0
    for at in range(WINDOW, len(values)):
        window = values[at - WINDOW:at]
        found += values[at] > mean(window) + 6 * deviation(window)
    return found


def alarm_text(alarms):
    kinds = {}
    for alarm in alarms:
        kinds.setdefault(alarm["label"], []).append(alarm)
    return "; ".join(f"{kind} x {len(found)} (from step {min(a['step'] for a in found)})" for kind, found in sorted(kinds.items())) or "none"


def main():
    program, out = Program(sys.argv[1]), Path(sys.argv[2])
    options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
    seeds = [int(seed) for seed in options.get("--seeds", "1,2,3").split(",")]
    runs = {}
    for name in ("failure-collapse", "failure-spike", "healthy-twin"):
        for seed in seeds:
            folder = out / f"{name}-{seed}"
            print(f"{folder}", file=sys.stderr, flush=True)
            if problem := program.train(ROOT / "resources" / "experiments" / f"{name}.toml", folder, {"run.seed": seed, "run.threads": options.get("--threads", 0)}):
                sys.exit(problem)
            runs[name, seed] = Run(program, folder)

    wrong = []

    def expect(holds, what):
        if not holds:
            wrong.append(what)

    print("## Collapse\n")
    rows = []
    for seed in seeds:
        run = runs["failure-collapse", seed]
        found, sound = collapse(run)
        expect(sound, f"collapse, seed {seed}: 7 of 8 experts dead in every router to the end")
        alarms = run.alarms()
        expect(any(alarm["label"] == "dead_expert" for alarm in alarms), f"collapse, seed {seed}: the alarm dead_expert")
        rows += [[seed, *row, alarm_text(alarms) if row is found[0] else ""] for row in found]
    print(table(["seed", "router", "MaxVio >= 6.5 of 7 from step", "7 of 8 experts dead from step", "MaxVio at the end", "dead at the end", "alarms of the run"], rows))

    print("\n## Spike\n")
    rows = []
    for seed in seeds:
        run = runs["failure-spike", seed]
        cells = [seed]
        for name in ("train/loss", "grad_norm/all"):
            sigmas, step, back = spike(run, name)
            expect(sigmas > 6, f"spike, seed {seed}: {name} above 6 standard deviations")
            cells += [f"{sigmas:.1f}", step, "not in this run" if back is None else back]
        alarms = run.alarms()
        expect({"loss_spike", "gradient_spike"} <= {alarm["label"] for alarm in alarms}, f"spike, seed {seed}: the alarms loss_spike and gradient_spike")
        rows.append([*cells, alarm_text(alarms)])
    print(table(["seed", "loss, sd", "at step", "back after", "gradient norm, sd", "at step", "back after", "alarms of the run"], rows))

    print("\n## Healthy twin\n")
    rows = []
    for seed in seeds:
        run = runs["healthy-twin", seed]
        measured = load(run)
        early = max(max(dead[step] for step in dead if step <= WARM_UP) for _, dead in measured.values())
        starved = max(max(dead[step] for step in dead if step > WARM_UP) for _, dead in measured.values())
        worst = max(max(vio[step] for step in vio if step > WARM_UP) for vio, _ in measured.values())
        end = max(mean(vio[step] for step in sorted(vio)[-20:]) for vio, _ in measured.values())
        spikes = [spikes_anywhere(run, name) for name in ("train/loss", "grad_norm/all")]
        alarms = run.alarms()
        loss = run.curve("train/loss")
        expect(starved < EXPERTS - 1, f"healthy twin, seed {seed}: no collapse after warm-up")
        expect(sum(spikes) == 0, f"healthy twin, seed {seed}: no spike")
        expect(not any(alarm["label"] in ("dead_expert", "loss_spike", "gradient_spike") for alarm in alarms), f"healthy twin, seed {seed}: no alarm of either kind")
        rows.append([seed, f"{mean(loss[s] for s in sorted(loss)[:5]):.2f} -> {mean(loss[s] for s in sorted(loss)[-10:]):.2f}", int(early), int(starved), f"{worst:.2f}",
                     f"{end:.2f}", *spikes, alarm_text(alarms)])
    print(table(["seed", "loss", f"most dead experts of a router, to step {WARM_UP}", "after it", "largest MaxVio after it", "MaxVio of the worst router, last 20 steps", "loss spikes",
                 "gradient spikes", "alarms"], rows))
    print()
    for what in wrong:
        print(f"NOT SEEN: {what}")
    print("Everything expected was seen." if not wrong else f"{len(wrong)} of the expectations do not hold.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
