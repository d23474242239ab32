#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes malformed cases of the routers and losses, into FOLDER/malformed: files that a reader must refuse with a reason, never compute or crash on.

No definitions from the literature here; what makes a case malformed is the contract's list: unknown operation, parameter or tensor name, missing
input, wrong shape, zero tokens, k outside 1..E, index >= E, logits that are not finite, capacity > T in expert choice, T not divisible by E in
BASE, groups that do not divide E. Each file is a sound case with one fault, so the fault alone can be the reason. Its metadata hold `status`
(`bad case` or `unknown op`) and `expect`, a piece of text that the reason should contain: the name of the parameter or tensor at fault.

Usage: make_malformed_cases.py [FOLDER]     needs numpy and scipy; the same bytes on every run
"""
import os
import sys

import numpy as np

import router_rules as rules
from case_checks import separated
from case_file import fp32, write_malformed

folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(20240703)
T, E, K = 6, 3, 2
z = separated(rng, T, E)
p, chosen = rules.softmax(z), rules.best(z, K)
hidden, proj, centroid = fp32(rng.normal(size=(T, 3))), fp32(rng.normal(size=(2, 3))), fp32(rng.normal(size=(E, 2)))
noise, modality, sequence = fp32(rng.normal(size=(T, E)) / E), np.array([0, 1, 0, 1, 1, 0]), np.array([0, 0, 1, 1, 2, 2])
grouped = {"k": K, "groups": 3, "groups_kept": 2, "group_score": "max", "score": "sigmoid", "normalize": True, "scale": 1.0}

# op -> params, inputs, outputs of a sound case
ROUTERS = {
    "router.softmax_topk": ({"k": K, "renormalize": True}, {"logits_TE": z}, rules.softmax_topk),
    "router.topk_softmax": ({"k": K}, {"logits_TE": z}, rules.topk_softmax),
    "router.noisy_topk": ({"k": K}, {"logits_TE": z, "noise_TE": noise}, rules.noisy_topk),
    "router.sigmoid_topk": ({"k": K, "normalize": True, "scale": 1.0}, {"logits_TE": z, "bias_E": np.zeros(E)}, rules.sigmoid_topk),
    "router.group_limited": (grouped, {"logits_TE": z, "bias_E": np.zeros(E)}, rules.group_limited),
    "router.cosine": ({"k": K, "tau": 0.5}, {"hidden_TD": hidden, "proj_PD": proj, "centroid_EP": centroid}, rules.cosine),
    "router.expert_choice": ({"capacity": 2}, {"logits_TE": z}, rules.expert_choice),
    "router.sinkhorn": ({"k": 1, "tolerance": 1e-4, "max_iterations": 50}, {"logits_TE": z}, rules.sinkhorn),
    "router.soft_moe": ({}, {"hidden_TD": hidden, "phi_DS": fp32(rng.normal(size=(3, 2))), "scale": np.float64(2)}, rules.soft_moe),
    "router.top_p": ({"p": 0.7, "max_k": 3}, {"logits_TE": z}, rules.top_p),
    "router.bias_update": ({"rate": 0.01}, {"counts_E": np.array([1, 5, 3]), "bias_E": np.zeros(E)}, rules.bias_update),
    "dispatch.capacity": ({"capacity": 2, "policy": "position"}, {"indices_TK": chosen, "probs_TE": fp32(p)}, rules.capacity),
    "assign.base": ({}, {"scores_TE": separated(rng, 6, E)}, rules.base),
}
LOSSES = {
    "loss.switch": ({}, {"logits_TE": z, "indices_TK": chosen[:, :1]}),
    "loss.gshard": ({}, {"logits_TE": z, "indices_TK": chosen}),
    "loss.balance": ({}, {"logits_TE": z, "indices_TK": chosen}),
    "loss.balance_unnormalized": ({}, {"logits_TE": z, "indices_TK": chosen}),
    "loss.importance": ({}, {"logits_TE": z}),
    "loss.load": ({"k": K, "sigma": 0.5}, {"logits_TE": z, "noise_TE": noise}),
    "loss.z": ({}, {"logits_TE": z}),
    "loss.local_entropy": ({}, {"logits_TE": z, "modality_T": modality}),
    "loss.global_entropy": ({"tau": 1.0}, {"logits_TE": z, "modality_T": modality}),
    "loss.sequence_balance": ({}, {"logits_TE": z, "indices_TK": chosen, "sequence_T": sequence}),
}


def one(outputs):
    """One output is enough to make a case sound."""
    name = min(outputs, key=lambda n: (np.asarray(outputs[n]).nbytes, n))
    return {name: outputs[name]}


SOUND = {op: (q, x, one(rule(x, q))) for op, (q, x, rule) in ROUTERS.items()} | {op: (q, x, {"loss": 1.0}) for op, (q, x) in LOSSES.items()}


def faulty(op, what, expect, params=None, inputs=None, outputs=None, without=(), status="bad case"):
    """The sound case of op with the given parameters and tensors put in place of its own, and some inputs left out."""
    q, x, y = SOUND[op]
    x = {name: value for name, value in (x | (inputs or {})).items() if name not in without}
    write_malformed(folder, op, what, q | (params or {}), x, y | (outputs or {}), expect, status=status)


def changed(x, place, value):
    out = np.array(x)
    out[place] = value
    return out


per_token = ("logits_TE", "noise_TE", "hidden_TD", "indices_TK", "probs_TE", "scores_TE", "modality_T", "sequence_T")
for op, (q, x, y) in SOUND.items():
    faulty(op, "unknown_parameter", "temperature", params={"temperature": 2.0})
    faulty(op, "unknown_input", "extra_T", inputs={"extra_T": np.zeros(T)})
    faulty(op, "unknown_output", "surprise_TE", outputs={"surprise_TE": np.zeros((T, E))})
    for name in x:
        if name == "bias_E" and op != "router.bias_update":
            continue  # optional there
        faulty(op, f"missing_{name}", name, without=(name,))
    for name, value in x.items():
        faulty(op, f"shape_{name}", name, inputs={name: np.stack([value, value])})
    rows = {name: value[:0] for name, value in x.items() if name in per_token}
    if rows:
        none = {name: value[:0] if name.rsplit("_", 1)[-1].startswith("T") else value for name, value in y.items()}
        write_malformed(folder, op, "zero_tokens", q, x | rows, none, "token")
    for name, most in (("k", E), ("max_k", E)):
        if name in q:
            faulty(op, f"{name}_is_0", name, params={name: 0})
            faulty(op, f"{name}_above_e", name, params={name: most + 1})
    if "k" in q:
        faulty(op, "k_negative", "k", params={"k": -1})
    if "indices_TK" in x:
        faulty(op, "index_is_e", "indices_TK", inputs={"indices_TK": changed(x["indices_TK"], (2, 0), E)})
    for name in ("logits_TE", "scores_TE", "hidden_TD", "noise_TE"):
        if name in x:
            faulty(op, f"nan_{name}", name, inputs={name: changed(x[name], (1, 1), np.nan)})
            faulty(op, f"infinite_{name}", name, inputs={name: changed(x[name], (3, 0), -np.inf)})

# Shapes that contradict each other; either name may be blamed, so the second is asked for.
faulty("router.noisy_topk", "noise_for_more_experts", "noise_TE", inputs={"noise_TE": np.zeros((T, E + 1))})
faulty("loss.load", "noise_for_fewer_tokens", "noise_TE", inputs={"noise_TE": np.zeros((T - 1, E))})
faulty("router.sigmoid_topk", "bias_for_fewer_experts", "bias_E", inputs={"bias_E": np.zeros(E - 1)})
faulty("router.group_limited", "bias_for_more_experts", "bias_E", inputs={"bias_E": np.zeros(E + 1)})
faulty("router.bias_update", "bias_for_fewer_experts", "bias_E", inputs={"bias_E": np.zeros(E - 1)})
faulty("router.cosine", "proj_of_another_width", "proj_PD", inputs={"proj_PD": np.zeros((2, 7))})
faulty("router.cosine", "centroid_of_another_width", "centroid_EP", inputs={"centroid_EP": np.zeros((E, 4))})
faulty("router.soft_moe", "phi_of_another_width", "phi_DS", inputs={"phi_DS": np.zeros((7, 3))})
faulty("dispatch.capacity", "probs_for_fewer_tokens", "probs_TE", inputs={"probs_TE": fp32(p)[:-1]})
for op, (q, x) in LOSSES.items():
    for name in ("indices_TK", "modality_T", "sequence_T"):
        if name in x:
            faulty(op, f"{name}_for_fewer_tokens", name, inputs={name: x[name][:-1]})
faulty("loss.switch", "two_choices", "indices_TK", inputs={"indices_TK": chosen})
# Values outside their range.
faulty("router.expert_choice", "capacity_above_t", "capacity", params={"capacity": T + 1})
faulty("assign.base", "tokens_not_divisible", "divi", inputs={"scores_TE": separated(rng, 7, E)})
faulty("assign.base", "fewer_tokens_than_experts", "divi", inputs={"scores_TE": separated(rng, 2, E)})
faulty("router.group_limited", "groups_do_not_divide", "groups", params={"groups": 2})
faulty("dispatch.capacity", "unknown_policy", "policy", params={"policy": "random"})
faulty("router.group_limited", "unknown_group_score", "group_score", params={"group_score": "median"})
faulty("router.group_limited", "unknown_score", "score", params={"score": "tanh"})
# Outputs of the wrong shape cannot be compared.
faulty("router.softmax_topk", "shape_of_output", "probs_TE", outputs={"probs_TE": np.zeros((T, E + 1))})
faulty("loss.z", "shape_of_output", "loss", outputs={"loss": np.zeros(3)})
# Operations that do not exist.
for op in ("router.nonesuch", "loss.nonesuch", "dispatch.nonesuch", "assign.nonesuch", "softmax_topk"):
    write_malformed(folder, op, "unknown_op", {}, {"logits_TE": z}, {"loss": 1.0}, op, status="unknown op")

mine = [name for name in os.listdir(os.path.join(folder, "malformed")) if name.startswith(("router", "loss", "dispatch", "assign", "softmax"))]
print(f"{len(mine)} malformed router and loss cases in {os.path.join(folder, 'malformed')}")
