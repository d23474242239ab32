#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the reference cases of the routers: router.*, dispatch.capacity and assign.base.

Definitions: softmax, noisy and batch-prioritised routing (V-MoE, Riquelme et al. 2021); softmax over the chosen (Mixtral, Jiang et al. 2024);
sigmoid with a bias for choosing only, and its update (DeepSeek-V3; Wang et al. 2024, loss-free balancing); group-limited routing (DeepSeek-V2, V3);
cosine routing (X-MoE, Chi et al. 2022); expert choice (Zhou et al. 2022); Sinkhorn (Clark et al. 2022, as Megatron-LM codes it);
Soft MoE (Puigcerver et al. 2024); top-p routing (Huang et al. 2024); BASE layers (Lewis et al. 2021). Each rule is written down twice in
router_rules.py; both must agree before a case is written, and no choice may hang on a difference between 0 and 1e-4.

Usage: make_router_cases.py [FOLDER]     needs numpy and scipy; takes seconds; the same bytes on every run
"""
import os
import sys

import numpy as np

import router_rules as rules
from case_checks import GAP, decided, drawn, emit, separated
from case_file import fp32

folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(20240701)
HUGE = np.array([[500, -500, 0, 499.5], [-500, -500, -500, -500], [500, 500, 500, -500], [-500, 500, 499, 498], [0, -500, 500, 500]], float)
TIES = np.concatenate([np.zeros((1, 6)), [[1, 1, 0, 0, 1, 0], [0, 2, 0, 2, 0, 2], [-1, -1, -1, 3, 3, -1]], rng.integers(-2, 3, (8, 6)) / 2])
# In fp32 all probabilities but the first are 0 here: only the logits tell the others apart.
UNDERFLOW = np.array([[0, -140, -120, -130], [-300, 200, -200, -250], [150, 20, 30, 10]], float)


def dead(tokens, experts, which):
    z = separated(rng, tokens, experts)
    z[:, which] -= 30
    return fp32(z)


# ---- softmax, topk-softmax, noisy ----
def by_logits(op, what, z, params, source, **more):
    fast, slow = getattr(rules, op), getattr(rules, "check_" + op)
    assert decided(z + more.get("noise_TE", 0), params["k"])
    emit(folder, f"router.{op}", what, params, {"logits_TE": z} | more, fast, slow, source)


common = [("plain", separated(rng, 64, 8), 2), ("wide", separated(rng, 20, 16, 2.0), 6), ("ties", TIES, 3), ("huge", HUGE, 2), ("underflow", UNDERFLOW, 3),
          ("k_equals_e", separated(rng, 9, 5), 5), ("one_token", separated(rng, 1, 7), 2), ("dead_expert", dead(16, 6, 2), 2), ("k1", separated(rng, 12, 6), 1),
          ("one_expert", separated(rng, 4, 1), 1)]
source = "softmax over all experts, then top-k (V-MoE); divided by the sum of the chosen with renormalize (Mixtral, Qwen3-VL-MoE)"
for what, z, k in common:
    renormalize = what in ("wide", "ties", "huge", "one_token", "k1")
    by_logits("softmax_topk", what, z, {"k": k, "renormalize": renormalize}, source)
by_logits("softmax_topk", "plain_renormalized", common[0][1], {"k": 2, "renormalize": True}, source)
by_logits("softmax_topk", "ties_raw", TIES, {"k": 6, "renormalize": False}, source)
for what, z, k in common:
    by_logits("topk_softmax", what, z, {"k": k}, "top-k, then softmax over the chosen logits (Mixtral, Aria, Megatron-LM's default); probs over all experts")

source = "V-MoE: softmax and top-k of logits plus scaled noise, not renormalised"
for what, z, k in common:
    tokens, experts = z.shape
    if what in ("ties", "huge", "underflow"):
        noise = rng.integers(-4, 5, z.shape) / 16  # exact sums, so that ties of the sum are exact
    else:
        noise = drawn(lambda: fp32(rng.normal(size=z.shape) / experts), lambda n: decided(z + n, k))
    by_logits("noisy_topk", what, z, {"k": k}, source, noise_TE=noise)
z = np.array([[1, 1.25, 0, -1], [0.5, 0, 0.75, 0.5]])
by_logits("noisy_topk", "noise_turns_the_choice", z, {"k": 2}, source, noise_TE=np.array([[0.5, 0, 0, 3], [0, 1, -0.75, 0]]))
by_logits("noisy_topk", "noise_makes_ties", z, {"k": 3}, source, noise_TE=np.array([[0.25, 0, 1.25, 2], [0, 0.5, -0.25, -0.5]]))
by_logits("noisy_topk", "no_noise", common[0][1][:8], {"k": 2}, source, noise_TE=np.zeros((8, 8)))


# ---- sigmoid, group-limited ----
def clear_scores(z, bias, k, softmax=False):
    """Clear gaps of s + bias; where two are equal, their logits and biases must be."""
    c = (rules.softmax(z) if softmax else rules.sigmoid(z)) + bias
    bias = np.broadcast_to(bias, z.shape)
    for t, row in enumerate(c):
        order = np.argsort(-row, kind="stable")
        for a, b in zip(order[:k], order[1:k + 1]):
            if row[a] - row[b] <= GAP and not (row[a] == row[b] and z[t, a] == z[t, b] and bias[t, a] == bias[t, b]):
                return False
    return True


def sigmoid(what, z, k, normalize, scale, bias=None):
    assert clear_scores(z, 0 if bias is None else bias, k), what
    emit(folder, "router.sigmoid_topk", what, {"k": k, "normalize": normalize, "scale": scale}, {"logits_TE": z} | ({} if bias is None else {"bias_E": bias}),
         rules.sigmoid_topk, rules.check_sigmoid_topk, "DeepSeek-V3: choice by sigmoid + bias, weights from the sigmoid, / (sum + 1e-20), times the scale")


def clear(tokens, experts, k, bias=0, softmax=False):
    return np.concatenate([drawn(lambda: separated(rng, 1, experts), lambda z: clear_scores(z, bias, k, softmax)) for _ in range(tokens)])


BIAS8 = fp32(rng.normal(size=8) * 0.2)
sigmoid("plain", clear(64, 8, 2), 2, True, 1.0)
sigmoid("bias", clear(24, 8, 2, BIAS8), 2, True, 2.5, BIAS8)
sigmoid("bias_raw", clear(16, 8, 3, BIAS8), 3, False, 1.0, BIAS8)
sigmoid("raw_scaled", clear(16, 6, 2), 2, False, 2.5)
sigmoid("ties", TIES, 3, True, 1.0)
sigmoid("ties_settled_by_bias", np.zeros((3, 6)), 3, True, 1.0, np.array([0, 0.25, 0, -0.5, 0.25, 0.5]))
sigmoid("huge", np.array([[500, -500, -500, -500], [-500, -500, -500, -500], [500, 500, -500, 0], [-500, 0, 500, 1]], float), 2, True, 1.0)
sigmoid("tiny_sum_meets_epsilon", np.full((2, 4), -46.0), 2, True, 1.0)
sigmoid("k_equals_e", clear(9, 5, 5), 5, True, 1.5)
sigmoid("one_token", clear(1, 7, 3), 3, True, 1.0)
sigmoid("k1_weight_is_scale", clear(10, 4, 1), 1, True, 2.5)
sigmoid("dead_expert", clear(20, 6, 2, np.array([0, 0, -10, 0, 0, 0])), 2, True, 1.0, np.array([0, 0, -10, 0, 0, 0.0]))


def clear_groups(z, bias, q):
    s = (rules.softmax(z) if q["score"] == "softmax" else rules.sigmoid(z)) + bias
    grouped = -np.sort(-s.reshape(len(z), q["groups"], -1), axis=2)
    of_group = grouped[:, :, 0] if q["group_score"] == "max" else grouped[:, :, :2].sum(2)
    return decided(of_group, q["groups_kept"]) and clear_scores(z, bias, z.shape[1], q["score"] == "softmax")


def grouped(what, z, k, groups, kept, group_score, score, normalize=True, scale=1.0, bias=None):
    q = {"k": k, "groups": groups, "groups_kept": kept, "group_score": group_score, "score": score, "normalize": normalize, "scale": scale}
    b = 0 if bias is None else bias
    if not isinstance(z, np.ndarray):
        z = np.concatenate([drawn(lambda: separated(rng, 1, z[1]), lambda row: clear_groups(row, b, q)) for _ in range(z[0])])
    assert clear_groups(z, b, q), what
    emit(folder, "router.group_limited", what, q, {"logits_TE": z} | ({} if bias is None else {"bias_E": bias}), rules.group_limited,
         rules.check_group_limited, "DeepSeek-V2 (softmax, best of a group) and DeepSeek-V3 (sigmoid + bias, sum of a group's best two); rejected groups get -inf")


grouped("v3_bias", (20, 16), 4, 4, 2, "top2_sum", "sigmoid", True, 2.5, fp32(rng.normal(size=16) * 0.1))
grouped("v2", (64, 8), 3, 4, 2, "max", "softmax", False, 1.0)
grouped("max_sigmoid", (16, 8), 2, 4, 2, "max", "sigmoid", True, 1.0)
grouped("top2_softmax", (16, 8), 2, 2, 1, "top2_sum", "softmax", True, 1.5)
grouped("raw_scaled", (12, 8), 3, 4, 2, "top2_sum", "sigmoid", False, 0.5)
grouped("ties", np.array([[0] * 8, [1, 0, 1, 0, 1, 0, 1, 0], [0, 0, 2, 1, 1, 2, 2, 2], [-1, 3, 3, -1, -1, -1, 3, -1]], float), 3, 4, 2, "top2_sum", "sigmoid")
grouped("ties_max", np.array([[0] * 8, [1, 0, 0, 1, 1, 1, 0, 0], [0, 0, 2, 1, 1, 2, 2, 2]], float), 3, 4, 2, "max", "sigmoid")
grouped("huge", np.array([[500, 500, -500, -500], [-500, -500, 500, -500], [-500, -500, -500, -500], [0, 500, -500, -500]], float), 2, 2, 1, "max", "sigmoid")
grouped("huge_softmax", np.array([[500, 500, -500, -500], [-500, -500, 500, -500], [-500] * 4], float), 2, 2, 1, "top2_sum", "softmax")
grouped("k_equals_e", (6, 6), 6, 3, 3, "top2_sum", "sigmoid")
grouped("one_token", (1, 8), 2, 4, 1, "max", "sigmoid")
grouped("groups_of_one", (10, 5), 2, 5, 3, "top2_sum", "sigmoid")
grouped("negative_scores", (10, 8), 3, 4, 2, "top2_sum", "sigmoid", True, 1.0, np.full(8, -2.0))
grouped("dead_group", (12, 8), 2, 4, 2, "top2_sum", "sigmoid", True, 1.0, np.array([0, 0, -3, -3, 0, 0, 0, 0.0]))


# ---- cosine ----
def cosine(what, hidden, proj, centroid, k, tau, atol=1e-6, rtol=1e-5, check=True):
    x = {"hidden_TD": fp32(hidden), "proj_PD": fp32(proj), "centroid_EP": fp32(centroid)}
    q = {"k": k, "tau": tau}
    good = decided(rules.cosine(x, q)["logits_TE"], k)
    if not check:
        return good
    assert good, what
    emit(folder, "router.cosine", what, q, x, rules.cosine, rules.check_cosine,
         "X-MoE: cosine in a low dimension over tau, both sides normalised by max(norm, 1e-12); softmax, top-k, not renormalised", atol, rtol)


def cosine_drawn(what, tokens, width, low, experts, k, tau, hidden_scale=1.0, centroid_scale=1.0, pull=None, **tolerance):
    def make():
        proj, centroid = rng.normal(size=(low, width)), rng.normal(size=(experts, low)) * centroid_scale
        hidden = rng.normal(size=(tokens, width)) * hidden_scale
        if pull is not None:  # every token leans one way, one expert looks the other
            hidden += 4 * np.linalg.pinv(proj)[:, 0] / np.linalg.norm(np.linalg.pinv(proj)[:, 0])
            centroid[pull] = 0
            centroid[pull, 0] = -1
        return fp32(hidden), fp32(proj), fp32(centroid)
    x = drawn(make, lambda x: cosine("", *x, k, tau, check=False))
    cosine(what, *x, k, tau, **tolerance)


# Logits are a sum of products over tau: an fp32 dot product of order 1 errs by some 1e-7, divided by tau.
cosine_drawn("plain", 64, 12, 4, 8, 2, 0.3, atol=5e-6)
cosine_drawn("sharp", 16, 8, 4, 6, 2, 0.07, atol=2e-5)
cosine_drawn("scales_do_not_matter", 16, 8, 4, 6, 2, 0.5, 1000.0, 0.01, atol=5e-6)
cosine_drawn("k_equals_e", 6, 6, 3, 4, 4, 0.5, atol=5e-6)
cosine_drawn("one_token", 1, 10, 5, 6, 3, 0.5, atol=5e-6)
cosine_drawn("dead_expert", 16, 8, 4, 5, 2, 0.3, pull=1, atol=5e-6)
axes = np.array([[2, 0, 0], [0, 4, 0], [0, 0, -0.5], [0, 0, 0], [0, -1, 0]], float)  # a token of zeros has cosine 0 with all
ends = np.array([[0, 1, 0], [1, 0, 0], [0, -2, 0], [4, 0, 0], [0, 0, 8], [0, 1, 0]], float)
cosine("ties", axes, np.eye(3), ends, 3, 0.5)
cosine("huge", axes, np.eye(3), ends, 2, 0.002, rtol=2e-5)
cosine("norm_below_1e-12", np.array([[2.0 ** -42, 0, 0], [0, 2.0 ** -41, 0]]), np.eye(3), np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0.0]]), 2, 0.25)


# ---- expert choice ----
def choice(what, z, capacity):
    assert decided(rules.softmax(z).T, capacity), what
    emit(folder, "router.expert_choice", what, {"capacity": capacity}, {"logits_TE": z}, rules.expert_choice, rules.check_expert_choice,
         "Zhou et al. 2022: softmax over experts, each expert takes its best tokens, best first")


def choice_drawn(what, tokens, experts, capacity, lower=None):
    def make():
        z = separated(rng, tokens, experts)
        if lower is not None:
            z[lower] = 0
            z[lower, 0] = 0.125
        return fp32(z)
    z = drawn(make, lambda z: decided(rules.softmax(z).T, capacity))
    choice(what, z, capacity)


choice_drawn("plain", 64, 8, 8)
choice_drawn("wide", 96, 4, 12)
choice_drawn("capacity_equals_t", 8, 4, 8)
choice_drawn("one_token", 1, 5, 1)
choice_drawn("capacity1", 16, 6, 1)
choice_drawn("token_never_chosen", 16, 3, 3, lower=5)
choice_drawn("one_expert_ties_all", 5, 1, 3)
choice("ties", np.array([[1, 0, 0.5], [0, 2, 1], [1, 0, 0.5], [0, 2, 1], [1, 0, 0.5], [0, 0, 0]]), 4)
choice("huge", np.array([[500, -500], [500, -500], [-500, 500], [-500, 500], [499, 500]], float), 3)


# ---- Sinkhorn ----
def clear_sinkhorn(z, q):
    plan, errors = rules.sinkhorn_plan(z, q)
    stops = all(e > 1.1 * q["tolerance"] for e in errors[:-1]) and (errors[-1] < 0.9 * q["tolerance"] or len(errors) == q["max_iterations"])
    return stops and decided(plan, q["k"], relative=True)


def sinkhorn(what, z, k, tolerance=1e-4, rounds=100, good=lambda z: True):
    q = {"k": k, "tolerance": tolerance, "max_iterations": rounds}
    if not isinstance(z, np.ndarray):
        shape = z
        z = drawn(lambda: separated(rng, *shape), lambda z: clear_sinkhorn(z, q) and good(z))
    assert clear_sinkhorn(z, q), what
    emit(folder, "router.sinkhorn", what, q, {"logits_TE": z}, rules.sinkhorn, rules.check_sinkhorn,
         "Clark et al. 2022 as in Megatron-LM, without its epsilon: choice by the balanced matrix; weights sigmoid (k = 1) or softmax of the logits")


def never(z):
    """Some expert is nobody's choice, although its column of the plan has its full share."""
    plan, _ = rules.sinkhorn_plan(z, {"tolerance": 1e-4, "max_iterations": 100})
    return len(set(plan.argmax(1))) < z.shape[1]


sinkhorn("k1", (64, 8), 1)
sinkhorn("k2", (24, 8), 2)
sinkhorn("one_round", (16, 6), 1, rounds=1)
sinkhorn("three_rounds", (16, 6), 2, tolerance=1e-9, rounds=3)
sinkhorn("loose_tolerance", (12, 4), 1, tolerance=0.05)
sinkhorn("k_equals_e", (8, 4), 4)
sinkhorn("dead_expert", (8, 5), 1, good=never)
sinkhorn("one_expert", np.array([[0.5], [-2.0]]), 1)
sinkhorn("one_token_ties", np.zeros((1, 4)), 2)  # one token's balanced row is flat, whatever the logits: only equal logits leave no rounding
sinkhorn("ties", np.zeros((8, 4)), 1)
sinkhorn("huge", np.where((np.arange(8) // 2)[:, None] == np.arange(4), 500.0, -500.0), 1)
sinkhorn("huge_pairs", np.where((np.arange(8) // 4)[:, None] == np.arange(4) // 2, 500.0, -500.0), 2)


# ---- Soft MoE ----
def soft(what, hidden, phi, scale, atol=1e-6, rtol=1e-5):
    emit(folder, "router.soft_moe", what, {}, {"hidden_TD": fp32(hidden), "phi_DS": fp32(phi), "scale": np.float64(scale)}, rules.soft_moe, rules.check_soft_moe,
         "Puigcerver et al. 2024: rows and columns divided by sqrt(sum of squares + 1e-6), one scale", atol, rtol)


h, f = rng.normal(size=(64, 8)), rng.normal(size=(8, 12))
soft("plain", h, f, 1.0)
soft("scaled", h[:16], f, 10.0, rtol=2e-5)
soft("huge", np.eye(4)[[0, 1, 2, 0, 3]], np.array([[1, 0, -2, 0], [0, 3, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0.5]]), 500.0, rtol=2e-4)  # exp of logits near 354: 500 times 6e-8 each
soft("one_token", h[:1], f, 2.0)
soft("one_slot", h[:7], f[:, :1], 2.0)
soft("as_many_slots_as_tokens", h[:12], f, -1.5)
soft("zero_token_and_zero_slot", np.where(np.arange(6)[:, None] == 2, 0, h[:6]), np.where(np.arange(12) == 4, 0, f), 3.0)
soft("equal_tokens", np.repeat(h[:2], 3, axis=0), f[:, :4], 4.0)
soft("small_norms_meet_epsilon", h[:8] * 1e-3, f * 2e-4, 1.0)


# ---- top-p ----
def top_p(what, z, p, width):
    ordered = -np.sort(-rules.softmax(z), axis=1)
    distance = np.abs(np.cumsum(ordered, 1)[:, :width - 1] - p)
    assert np.all((distance == 0) | (distance > GAP)) and decided(z, width), what
    emit(folder, "router.top_p", what, {"p": p, "max_k": width}, {"logits_TE": z}, rules.top_p, rules.check_top_p,
         "Huang et al. 2024 and Uni-MoE 2: experts in order until their probabilities reach p; raw probabilities; padded with -1 and 0")


def top_p_drawn(what, tokens, experts, p, width, spread=1.5):
    def ok(z):
        total = np.cumsum(-np.sort(-rules.softmax(z), axis=1), 1)[:, :width - 1]
        return bool(np.all(np.abs(total - p) > GAP))
    top_p(what, np.concatenate([drawn(lambda: separated(rng, 1, experts, spread), ok) for _ in range(tokens)]), p, width)


top_p_drawn("plain", 64, 8, 0.7, 8)
top_p_drawn("max_k_cuts", 20, 8, 0.9, 3)
top_p_drawn("tiny_p_takes_one", 12, 6, 0.01, 4)
top_p_drawn("p1_takes_all", 6, 5, 1.0, 5, 0.5)
top_p_drawn("one_token", 1, 7, 0.6, 7)
top_p_drawn("max_k1", 8, 6, 0.8, 1)
top_p_drawn("one_expert", 3, 1, 0.7, 1)
top_p("equality_stops", np.array([[0, 0, 0, 0], [0, 0, -500, -500], [-500, 0, -500, -500]], float), 0.5, 4)
top_p("equality_stops_later", np.zeros((2, 4)), 0.75, 4)
top_p("ties", TIES, 0.6, 4)
top_p("huge", HUGE, 0.9, 4)
top_p("dead_expert", drawn(lambda: dead(12, 5, 0), lambda z: bool(np.all(np.abs(np.cumsum(-np.sort(-rules.softmax(z), axis=1), 1)[:, :3] - 0.95) > GAP))), 0.95, 4)


# ---- bias update ----
def update(what, counts, bias, rate):
    emit(folder, "router.bias_update", what, {"rate": rate}, {"counts_E": np.array(counts, int), "bias_E": fp32(bias)}, rules.bias_update, rules.check_bias_update,
         "Wang et al. 2024, DeepSeek-V3: bias + rate times the sign of (mean load - load); nothing for an expert at the mean")


update("plain", rng.integers(0, 200, 16), rng.normal(size=16) * 0.1, 0.001)
update("large_rate", rng.integers(0, 30, 8), rng.normal(size=8), 0.25)
update("balanced", [12, 12, 12, 12], [0.5, -0.25, 0, 1], 0.01)
update("at_the_mean", [2, 4, 6, 4], [0, 0, 0, 0], 0.001)
update("mean_between_integers", [1, 2, 1, 1], [0.1, 0.2, 0.3, 0.4], 0.01)
update("dead_expert", [0, 64, 32, 32], [0, -0.5, 0.5, 0], 0.001)
update("nothing_counted", [0, 0, 0], [0.5, 0, -0.5], 0.1)
update("one_expert", [77], [0.25], 0.1)
update("one_token", [0, 0, 1, 0, 0], [0, 0, 0, 0, 0], 0.001)
update("large_counts", [1000000, 999999, 1000001, 1000000], [3, 3, -3, -3], 0.0001)


# ---- capacity ----
def capacity(what, indices, probs, size, policy):
    probs = fp32(probs)
    gaps = np.diff(np.sort(probs.max(1)))
    assert policy == "position" or np.all((gaps == 0) | (gaps > GAP)), what
    emit(folder, "dispatch.capacity", what, {"capacity": size, "policy": policy}, {"indices_TK": np.asarray(indices, int), "probs_TE": probs}, rules.capacity,
         rules.check_capacity, "V-MoE: buffers filled by all first choices, then all second ones; in token order or by the largest probability (batch priority)")


def chosen(tokens, experts, k):
    def clear_priority(z):
        gaps = np.diff(np.sort(fp32(rules.softmax(z)).max(1)))
        return bool(np.all(gaps > GAP))
    z = drawn(lambda: separated(rng, tokens, experts), clear_priority)
    return rules.best(z, k), rules.softmax(z)


plain = chosen(64, 8, 2)
holes = np.where(rng.random((24, 2)) < 0.2, -1, plain[0][:24])
holes[5] = -1
skewed = np.where(rng.random((24, 2)) < 0.6, [0, 1], [2, 3])  # experts 4 and 5 are dead
tied = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.75, 0.25, 0], [0.25, 0.25, 0.5], [0.75, 0, 0.25], [0.5, 0.5, 0]])
for policy in ("position", "batch_priority"):
    capacity(f"plain_{policy}", *plain, 12, policy)
    capacity(f"no_choice_{policy}", holes, plain[1][:24], 4, policy)
    capacity(f"capacity1_{policy}", plain[0][:20], plain[1][:20], 1, policy)
    capacity(f"room_for_all_{policy}", plain[0][:16], plain[1][:16], 16, policy)
    capacity(f"dead_expert_{policy}", skewed, plain[1][:24, :6], 6, policy)
    capacity(f"ties_{policy}", rules.best(tied, 2), tied, 2, policy)
    capacity(f"k_equals_e_{policy}", *chosen(9, 4, 4), 5, policy)
    capacity(f"one_token_{policy}", *chosen(1, 5, 3), 1, policy)
    capacity(f"huge_{policy}", rules.best(HUGE, 2), rules.softmax(HUGE), 1, policy)
# A second choice of the surest token gives way to a first choice of the least sure one.
capacity("first_before_second", [[1, 0], [0, 2], [0, 1]], [[0.125, 0.75, 0.125], [0.5, 0.125, 0.375], [0.625, 0.25, 0.125]], 2, "batch_priority")
# The priority is the token's largest probability, even where its choices are others.
capacity("priority_not_of_the_chosen", [[0, 1], [0, 1]], [[0.375, 0.25, 0.375], [0.25, 0.125, 0.625]], 1, "batch_priority")
capacity("wide_k3", *chosen(96, 8, 3), 30, "batch_priority")


# ---- BASE ----
def base(what, scores, margin=1e-2):
    """The optimum must be unique: forbidding any one of its pairs costs more than margin."""
    scores = fp32(scores)
    found = rules.base({"scores_TE": scores}, {})["expert_T"]
    total = scores[np.arange(len(scores)), found].sum()
    for t, e in enumerate(found):
        barred = scores.copy()
        barred[t, e] -= 1e5
        other = rules.base({"scores_TE": barred}, {})["expert_T"]
        if other[t] != e and total - scores[np.arange(len(scores)), other].sum() <= margin:
            return False
    emit(folder, "assign.base", what, {}, {"scores_TE": scores}, rules.base, rules.check_base,
         "Lewis et al. 2021: linear assignment with T/E places an expert, scipy's linear_sum_assignment; the optimum is unique")
    return True


def base_drawn(what, make, margin=1e-2):
    for _ in range(3000):
        if base(what, make(), margin):
            return
    raise AssertionError(f"{what}: no unique optimum found")


base_drawn("plain", lambda: rng.normal(size=(64, 8)))
base_drawn("one_token_an_expert", lambda: rng.normal(size=(8, 8)))
base_drawn("small", lambda: rng.normal(size=(6, 3)))
base_drawn("all_want_one", lambda: rng.normal(size=(16, 4)) + np.array([5, 0, 0, 0]))
base_drawn("nobody_wants_one", lambda: rng.normal(size=(20, 5)) - np.array([0, 0, 0, 8, 0]))
base_drawn("integers_with_ties", lambda: rng.integers(-3, 4, (6, 3)).astype(float), 0.5)
base_drawn("huge", lambda: np.where(rng.random((12, 4)) < 0.5, 500.0, -500.0) + rng.normal(size=(12, 4)) * 20, 0.5)
base_drawn("wide", lambda: rng.normal(size=(48, 16)) * 3)
assert base("one_token", np.array([[-2.5]]))
assert base("one_expert", rng.normal(size=(5, 1)))

names = sorted(name for name in os.listdir(folder) if name.startswith(("router.", "dispatch.", "assign.")))
print(f"{len(names)} router cases in {folder}")
