#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every router with every dispatch that makes sense, 200 steps of the demo each: loss, load, drops, time, the layout of the record, and
whether the run opens in each workspace. The routers and ways of dispatch come from the program's own reference page.

Usage: routers.py PROGRAM OUT_FOLDER [--steps N] [--threads N] [--only ROUTER,...]     finished runs are kept and read again
Exit status 1 when a run fails, its loss does not fall, or a workspace does not open.
"""
import sys
from pathlib import Path

from run_records import ROOT, Program, Run, mean, table

# What a router needs beside its name to be worth looking at. One that is not here has two choices and defaults.
SETTINGS = {
    "softmax_topk": {"moe.renormalize": "true"},
    "sigmoid_topk": {"moe.bias_rate": 0.001, "moe.renormalize": "true", "loss.balance": 0},
    "group_limited": {"moe.groups": 4, "moe.groups_kept": 2},
    "top_p": {"moe.k": 4},
    "expert_choice": {"moe.capacity_factor": 1.0, "moe.capacity_factor_eval": 1.0},
    "sinkhorn": {"moe.k": 1, "loss.balance": 0},
    "base": {"moe.k": 1, "loss.balance": 0},
    "hash": {"moe.k": 1, "loss.balance": 0},
}
# They share tokens out themselves: no expert has more than its part, and there is nothing for a capacity to drop.
SHARE_OUT = {"expert_choice", "soft", "base"}
# What else there is to a mixture of experts, by one example each: name, router, settings.
MORE = (
    ("one pool for both modalities", "softmax_topk", {"moe.pool": "shared"}),
    ("quantile balance", "topk_softmax", {"moe.quantile_balance": "true", "loss.balance": 0}),
    ("input jitter", "softmax_topk", {"moe.input_jitter": 0.01}),
    ("importance and load", "noisy_topk", {"loss.importance": 0.005, "loss.load": 0.005, "loss.balance": 0}),
    ("local and global entropy", "softmax_topk", {"loss.local_entropy": 0.01, "loss.global_entropy": 0.01, "loss.global_entropy_tau": 2.0, "loss.balance": 0}),
    ("fine-grained, one shared expert", "softmax_topk", {"moe.experts": 32, "moe.expert_width": 64, "moe.k": 3, "moe.shared_experts": 1}),
)
WORKSPACES = ("train", "inspect", "compare", "figures")


def combinations(program, only):
    for router in program.choices("moe", "router"):
        if only and router not in only:
            continue
        for dispatch in program.choices("moe", "dispatch"):
            if dispatch == "dropless":
                yield router, dispatch, {}
            elif router not in SHARE_OUT:
                for policy in program.choices("moe", "capacity_policy"):
                    yield router, f"{dispatch}, {policy}", {"moe.capacity_policy": policy}
    for name, router, settings in MORE:
        if not only or router in only:
            yield router, f"dropless; {name}", settings


def opens(program, run, pictures):
    """Names of the workspaces that did not open, or of panels that failed there."""
    problems = []
    for workspace in WORKSPACES:
        data, problem = program.draw(pictures / f"{run.name}-{workspace}.png", run, "--workspace", workspace, "--size", "1280x800")
        if problem:
            problems.append(f"{workspace}: {problem}")
            continue
        problems += [f"{workspace}/{panel['name']}: {panel.get('error')}" for panel in data["panels"] if panel["state"] == "failed"]
    return problems


def main():
    program, out = Program(sys.argv[1]), Path(sys.argv[2])
    options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
    steps, only = int(options.get("--steps", 200)), set(filter(None, options.get("--only", "").split(",")))
    pictures = out / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    rows, wrong = [], []
    for router, dispatch, settings in combinations(program, only):
        name = f"{router}-{dispatch}".translate(str.maketrans(" ", "-", ",;"))
        print(name, file=sys.stderr, flush=True)
        settings = {"run.name": name, "run.threads": options.get("--threads", 0), "train.steps": steps, "train.evaluate_every": 0, "train.evaluate_samples": 128, "train.checkpoint_every": 0, "record.probe_random_routers": 1,
                    "moe.router": router, "moe.dispatch": dispatch.replace(";", ",").split(",")[0], "moe.k": 2, **SETTINGS.get(router, {}), **settings}
        if problem := program.train(ROOT / "resources" / "experiments" / "demo-sparse.toml", out / name, settings):
            wrong.append(f"{name}: {problem}")
            continue
        run = Run(program, out / name)
        loss, ms = run.curve("train/loss"), run.curve("time/step_ms")
        objectives = [series for series in run.series() if series.startswith("train/loss/")]
        start, end = (sum(mean(value for step, value in run.curve(series).items() if low < step <= high) for series in objectives)
                      for low, high in ((0, 5), (steps - 10, steps)))
        routers = run.routers()
        vio = [mean(list(run.curve(f"router/{r}/max_vio").values())[-20:]) for r, _, _ in routers]
        drops = [list(run.curve(f"router/{r}/dropped_share").values()) for r, _, _ in routers]
        failed = opens(program, out / name, pictures)
        if not end < start:
            wrong.append(f"{name}: the loss does not fall")
        wrong += [f"{name}: {problem}" for problem in failed]
        middle = sorted(ms.values())[len(ms) // 2]
        rows.append([f"`{router}`", dispatch, settings["moe.k"], routers[0][2], f"{start:.2f} -> {end:.2f}", f"{max(vio):.2f}",
                     f"{100 * max(mean(d[:20]) for d in drops):.1f} -> {100 * max(mean(d[-20:]) for d in drops):.1f}" if drops and drops[0] else "-",
                     f"{middle:.0f}", "4 of 4" if not failed else f"{4 - len({p.split(':')[0].split('/')[0] for p in failed})} of 4"])
    print(table(["router", "dispatch", "k", "recorded as", f"sum of the objectives' losses, steps 1-5 -> {steps - 9}-{steps}", "MaxVio, worst router, last 20 steps",
                 "dropped %, worst router, first -> last 20 steps", "ms a step (median)", "workspaces"], rows))
    print()
    for problem in wrong:
        print(f"WRONG: {problem}")
    print(f"{len(rows)} runs, {len(wrong)} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
