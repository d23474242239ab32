#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes reference cases of the metrics that count choices of experts: load to match_experts.

Definitions: load, MaxVio (Wang et al. 2024, loss-free balancing), effective experts (perplexity of the load); confidence from the softmax;
router saturation (OLMoE) and churn; mutual information, nmi by the smaller entropy (Kvalseth 1987); npmi (Bouma 2009); co-activation over all
pairs; flow between layers; modality split (LIMoE); vocabulary specialisation (OLMoE); repetition (Mixtral); matching by the assignment problem.
Each value is computed twice, in arrays with numpy and scipy and by plain loops in Python; a case is written only when both agree.

Usage: make_metric_op_cases.py [FOLDER]
"""
import itertools
import math
import os
import sys
from collections import Counter

import numpy as np
from scipy import stats
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp, softmax

from case_file import fp32, write_case

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
SOURCE = "numpy and scipy, float64, from the definition; checked by plain loops"
rng = np.random.default_rng(20240702)


def emit(op, what, params, inputs, outputs, again, atol=1e-6, rtol=1e-5):
    """Writes the case when `again`, the same outputs from loops, agrees."""
    assert set(outputs) == set(again), what
    for name, value in outputs.items():
        assert np.shape(value) == np.shape(again[name]) and np.allclose(value, again[name], rtol=1e-10, atol=1e-12), (op, what, name, value, again[name])
    write_case(FOLDER, "metric." + op, what, params, inputs, outputs, None, atol, rtol, SOURCE)


def entropy(n):
    return float(stats.entropy(n)) if np.sum(n) > 0 else 0.0


def entropy_loop(n):
    return -sum(x / sum(n) * math.log(x / sum(n)) for x in n if x > 0)


def ratio(a, b):
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))), where=np.broadcast_to(b, np.broadcast_shapes(np.shape(a), np.shape(b))) > 0)


def choices(tokens, experts, k):
    return np.stack([rng.permutation(experts)[:k] for _ in range(tokens)])


def topk(z, k):
    return np.argsort(-np.asarray(z), axis=1, kind="stable")[:, :k]


# ---- load
def load(what, indices, experts):
    n = np.bincount(indices[indices >= 0], minlength=experts).astype(float)
    out = {"share_E": n / n.sum(), "cv": n.std() / n.mean(), "max_vio": n.max() / n.mean() - 1, "imbalance": n.max() / n.mean(),
           "effective_experts": np.exp(entropy(n)), "normalized_entropy": entropy(n) / np.log(experts) if experts > 1 else 0.0, "dead": int((n == 0).sum())}
    c = Counter(int(e) for row in indices for e in row if e >= 0)
    m = [c[e] for e in range(experts)]
    mean = sum(m) / experts
    again = {"share_E": [x / sum(m) for x in m], "cv": math.sqrt(sum((x - mean) ** 2 for x in m) / experts) / mean, "max_vio": (max(m) - mean) / mean,
             "imbalance": max(m) * experts / sum(m), "effective_experts": math.exp(entropy_loop(m)),
             "normalized_entropy": entropy_loop(m) / math.log(experts) if experts > 1 else 0.0, "dead": m.count(0)}
    if experts == 1:  # log E is 0: no reading of the normalised entropy is demanded
        del out["normalized_entropy"], again["normalized_entropy"]
    emit("load", what, {"experts": experts}, {"indices_TK": indices}, out, again)


some = choices(70, 8, 2)
holes = some.copy()
holes[::7, 1] = -1
holes[3] = -1
load("T70_k2", some, 8)
load("no_choice_minus_1", holes, 8)
load("dead_experts", np.array([[0], [0], [1], [3], [0]]), 6)
load("k_equals_E", choices(9, 4, 4), 4)
load("one_token", np.array([[2]]), 5)
load("one_expert", np.zeros((6, 1), int), 1)
load("perfect_balance", np.arange(64).reshape(32, 2) % 8, 8)
load("from_ties", topk(np.zeros((12, 5)), 2), 5)
load("collapsed", np.full((65, 1), 3), 8)


# ---- confidence
def confidence(what, z, k, atol=2e-6):
    z = fp32(z)
    p = softmax(z, axis=1)
    q = np.concatenate([-np.sort(-p, axis=1), np.zeros((len(p), 1))], axis=1)
    out = {"entropy": stats.entropy(p, axis=1).mean(), "top1": q[:, 0].mean(), "margin12": (q[:, 0] - q[:, 1]).mean(),
           "boundary_margin": (q[:, k - 1] - q[:, k]).mean(), "chosen_mass": q[:, :k].sum(1).mean(), "logsumexp": logsumexp(z, axis=1).mean()}
    again = Counter()
    for row in z.tolist():
        top = max(row)
        s = sum(math.exp(x - top) for x in row)
        r = sorted((math.exp(x - top) / s for x in row), reverse=True)
        values = {"entropy": sum(-x * math.log(x) for x in r if x > 0), "top1": r[0], "margin12": r[0] - (r[1:2] or [0])[0],
                  "boundary_margin": r[k - 1] - (r[k] if k < len(r) else 0), "chosen_mass": sum(r[:k]), "logsumexp": top + math.log(s)}
        for name, value in values.items():
            again[name] += value / len(z)
    again = dict(again)
    if z.shape[1] == 1:  # there is no second probability
        del out["margin12"], again["margin12"]
    emit("confidence", what, {"k": k}, {"logits_TE": z}, out, again, atol=atol)


confidence("T80_k2", rng.normal(size=(80, 8)) * 2, 2)
confidence("k1", rng.normal(size=(20, 5)), 1)
confidence("k_equals_E", rng.normal(size=(10, 4)), 4)
confidence("ties", np.array([[1.0, 1, 1, 1], [2, 2, 0, 0], [0, 3, 3, 3]]), 2)
confidence("one_token", np.array([[0.5, -1.0, 3.0]]), 1)
confidence("one_expert", rng.normal(size=(3, 1)), 1)
confidence("logits_500", np.array([[500.0, -500, 499, 0], [-500, -500, -500, -500], [500, 500, -500, -500], [-499, -500, -498, 500]]), 2)
confidence("logits_500_k_equals_E", np.array([[500.0, -500, 497], [-500, -500, -499]]), 3)
confidence("never_likely_expert", rng.normal(size=(12, 4)) - 200 * (np.arange(4) == 1), 3)


# ---- saturation and churn
def saturation(what, a, b):
    same = (a[:, :, None] == b[:, None, :]) & (a[:, :, None] >= 0)
    again = sum(len((set(r) & set(s)) - {-1}) / a.shape[1] for r, s in zip(a.tolist(), b.tolist())) / len(a)
    emit("saturation", what, {}, {"a_TK": a, "b_TK": b}, {"overlap": same.any(2).sum(1).mean() / a.shape[1]}, {"overlap": again})


def churn(what, a, b):
    slots = [x != y for r, s in zip(a.tolist(), b.tolist()) for x, y in zip(r, s)]
    first = [r[0] != s[0] for r, s in zip(a.tolist(), b.tolist())]
    emit("churn", what, {}, {"a_TK": a, "b_TK": b}, {"changed_slots": (a != b).mean(), "changed_first": (a[:, 0] != b[:, 0]).mean()},
         {"changed_slots": sum(slots) / len(slots), "changed_first": sum(first) / len(first)})


half = np.where(rng.random((70, 1)) < 0.5, some, choices(70, 8, 2))
for metric in (saturation, churn):
    metric("T70_k2", some, choices(70, 8, 2))
    metric("half_kept", some, half)
    metric("equal", some[:20], some[:20])
    metric("same_sets_other_order", some[:20], some[:20, ::-1])
    metric("nothing_shared", choices(10, 4, 2), choices(10, 4, 2) + 4)
    metric("k1", choices(30, 4, 1), choices(30, 4, 1))
    metric("k_equals_E", choices(12, 4, 4), choices(12, 4, 4))
    metric("one_token", np.array([[2, 0, 1]]), np.array([[0, 3, 1]]))
    metric("from_ties", topk(np.zeros((6, 5)), 2), topk([[0, 0, 0, 1, 0]] * 3 + [[0] * 5] * 3, 2))
saturation("no_choice_minus_1", holes, np.roll(holes, 3, axis=0))
saturation("all_missing_in_one", some[:5], np.full((5, 2), -1))
churn("choice_against_minus_1", np.array([[0, 1], [2, 3], [1, 0], [4, -1]]), np.array([[0, -1], [-1, 3], [1, 0], [4, 2]]))


# ---- mutual information and npmi
def mutual_information(what, label, expert):
    keep = (label >= 0) & (expert >= 0)
    _, l = np.unique(label[keep], return_inverse=True)
    _, e = np.unique(expert[keep], return_inverse=True)
    joint = np.zeros((l.max() + 1, e.max() + 1))
    np.add.at(joint, (l, e), 1)
    hl, he = entropy(joint.sum(1)), entropy(joint.sum(0))
    mi = max(hl + he - entropy(joint.ravel()), 0.0)
    mi = 0.0 if mi < 1e-14 else mi
    pairs = [(x, y) for x, y in zip(label.tolist(), expert.tolist()) if x >= 0 and y >= 0]
    total, both, first, second = len(pairs), Counter(pairs), Counter(x for x, _ in pairs), Counter(y for _, y in pairs)
    again = sum(n / total * math.log(n * total / (first[x] * second[y])) for (x, y), n in both.items())
    smaller = min(entropy_loop(list(first.values())), entropy_loop(list(second.values())))
    emit("mutual_information", what, {}, {"label_T": label, "expert_T": expert},
         {"mi": mi, "nmi": mi / min(hl, he) if min(hl, he) > 1e-12 else 0.0, "h_label": hl, "h_expert": he},
         {"mi": again, "nmi": again / smaller if smaller > 1e-12 else 0.0, "h_label": entropy_loop(list(first.values())), "h_expert": entropy_loop(list(second.values()))})


label = rng.integers(0, 5, 300)
expert = np.where(rng.random(300) < 0.4, label % 4, rng.integers(0, 4, 300))
mutual_information("dependent", label, expert)
mutual_information("independent", rng.integers(0, 6, 200), rng.integers(0, 8, 200))
mutual_information("left_out_minus_1", np.where(rng.random(300) < 0.1, -1, label), np.where(rng.random(300) < 0.1, -1, expert))
mutual_information("label_decides", label, label % 3)
mutual_information("equal", label % 4, label % 4)
mutual_information("exactly_independent", np.arange(64) // 8, np.arange(64) % 8)
mutual_information("one_label_nmi_0", np.zeros(20, int), rng.integers(0, 3, 20))
mutual_information("one_expert_nmi_0", rng.integers(0, 3, 20), np.full(20, 2))
mutual_information("one_token", np.array([2]), np.array([1]))
mutual_information("one_token_left", np.array([2, -1, 0]), np.array([1, 1, -1]))
mutual_information("labels_far_apart", rng.integers(0, 7, 90) * 9_000_000, rng.integers(0, 5, 90))
mutual_information("all_experts_but_one", np.arange(90) % 3, np.arange(90) % 4 + (np.arange(90) % 4 >= 2))


def events(label, indices):
    return [(x, e) for x, row in zip(label.tolist(), indices.tolist()) for e in row if x >= 0 and e >= 0]


def joint_of(label, indices, labels, experts):
    joint = np.zeros((labels, experts))
    keep = (label[:, None] >= 0) & (indices >= 0)
    np.add.at(joint, (np.broadcast_to(label[:, None], indices.shape)[keep], indices[keep]), 1)
    return joint


def npmi(what, label, indices, labels, experts):
    joint = joint_of(label, indices, labels, experts)
    p = joint / joint.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.log(p / np.outer(p.sum(1), p.sum(0))) / -np.log(p)
    out = np.where(p == 0, -1.0, np.where(p == 1, 1.0, out))
    pairs = events(label, indices)
    both, first, second, n = Counter(pairs), Counter(x for x, _ in pairs), Counter(e for _, e in pairs), len(pairs)
    again = [[-1.0 if both[x, e] == 0 else 1.0 if both[x, e] == n else math.log(both[x, e] * n / (first[x] * second[e])) / math.log(n / both[x, e])
              for e in range(experts)] for x in range(labels)]
    emit("npmi", what, {"labels": labels, "experts": experts}, {"label_T": label, "indices_TK": indices}, {"npmi_LE": out}, {"npmi_LE": again})


npmi("T70_k2", rng.integers(0, 3, 70), some, 3, 8)
npmi("left_out_minus_1", np.where(rng.random(70) < 0.2, -1, rng.integers(0, 3, 70)), holes, 3, 8)
npmi("always_together", np.zeros(5, int), np.ones((5, 1), int), 2, 3)
npmi("one_token_k2", np.array([1]), np.array([[3, 0]]), 2, 4)
npmi("one_token_k1", np.array([1]), np.array([[3]]), 2, 4)
npmi("k_equals_E", rng.integers(0, 3, 12), choices(12, 4, 4), 3, 4)
npmi("dead_expert_and_absent_label", rng.integers(0, 2, 30) * 2, choices(30, 3, 2), 4, 5)
npmi("label_decides", np.arange(66) % 3, (np.arange(66) % 3)[:, None], 3, 3)
npmi("exactly_independent", np.arange(16) // 4, (np.arange(16) % 4)[:, None], 4, 4)


# ---- pairs
def coactivation(what, indices, experts):
    a = np.zeros((len(indices), experts))
    for t, j in np.argwhere(indices >= 0):
        a[t, indices[t, j]] = 1
    count = (a.T @ a).astype(int)
    again = np.zeros((experts, experts), int)
    for row in indices.tolist():
        for x, y in itertools.product((e for e in row if e >= 0), repeat=2):
            again[x, y] += 1
    emit("coactivation", what, {"experts": experts}, {"indices_TK": indices}, {"count_EE": count, "conditional_EE": ratio(count, np.diag(count)[:, None])},
         {"count_EE": again, "conditional_EE": [[again[x, y] / again[x, x] if again[x, x] else 0.0 for y in range(experts)] for x in range(experts)]})


coactivation("T64_k3", choices(64, 6, 3), 6)
coactivation("k1_diagonal", choices(20, 4, 1), 4)
coactivation("k_equals_E", choices(7, 4, 4), 4)
coactivation("one_token", np.array([[2, 0]]), 4)
coactivation("minus_1_and_a_dead_expert", np.array([[0, 1], [0, -1], [2, 0], [-1, -1]]), 4)
coactivation("left_out_minus_1", holes, 8)
coactivation("from_ties", topk(np.zeros((5, 4)), 2), 4)
coactivation("one_expert", np.zeros((3, 1), int), 1)


def flow(what, a, b, ea, eb):
    xa, xb = (np.array([[(row == e).sum() for e in range(n)] for row in i]) for i, n in ((a, ea), (b, eb)))
    again = np.zeros((ea, eb), int)
    for r, s in zip(a.tolist(), b.tolist()):
        for x, y in itertools.product(r, s):
            if x >= 0 and y >= 0:
                again[x, y] += 1
    emit("flow", what, {"experts_a": ea, "experts_b": eb}, {"a_TK": a, "b_TK": b}, {"count_EE": xa.T @ xb}, {"count_EE": again})


flow("T70_k2", some, choices(70, 8, 2), 8, 8)
flow("k2_to_k1_other_experts", choices(40, 5, 2), choices(40, 3, 1), 5, 3)
flow("k1_to_k3", choices(20, 2, 1), choices(20, 6, 3), 2, 6)
flow("left_out_minus_1", holes, some, 8, 8)
flow("one_token", np.array([[1]]), np.array([[0, 2]]), 2, 3)
flow("k_equals_E_and_dead_experts", choices(9, 3, 3), choices(9, 3, 1) + 2, 3, 7)
flow("same_layer", choices(15, 4, 2), topk(np.zeros((15, 4)), 2), 4, 4)


# ---- modality, vocabulary, repetition
def modality_split(what, modality, indices, experts, modalities):
    joint = joint_of(modality, indices, modalities, experts)
    n = Counter(events(modality, indices))
    of_m = [sum(n[m, e] for e in range(experts)) for m in range(modalities)]
    of_e = [sum(n[m, e] for m in range(modalities)) for e in range(experts)]
    emit("modality_split", what, {"experts": experts, "modalities": modalities}, {"modality_T": modality, "indices_TK": indices},
         {"p_expert_given_modality_ME": ratio(joint, joint.sum(1, keepdims=True)), "p_modality_given_expert_EM": ratio(joint, joint.sum(0, keepdims=True)).T},
         {"p_expert_given_modality_ME": [[n[m, e] / of_m[m] if of_m[m] else 0.0 for e in range(experts)] for m in range(modalities)],
          "p_modality_given_expert_EM": [[n[m, e] / of_e[e] if of_e[e] else 0.0 for m in range(modalities)] for e in range(experts)]})


modality_split("T70_k2", rng.integers(0, 2, 70), some, 8, 2)
modality_split("left_out_minus_1", np.where(np.arange(70) % 5 == 0, -1, np.arange(70) % 2), holes, 8, 2)
modality_split("absent_modality_and_dead_expert", np.zeros(12, int), choices(12, 3, 2), 5, 2)
modality_split("three_modalities", rng.integers(0, 3, 40), choices(40, 6, 1), 6, 3)
modality_split("separate_experts", np.arange(20) % 2, (np.arange(20) % 4)[:, None], 4, 2)
modality_split("one_token", np.array([1]), np.array([[2, 0]]), 3, 2)
modality_split("k_equals_E", rng.integers(0, 2, 9), choices(9, 4, 4), 4, 2)
modality_split("one_modality", np.zeros(8, int), choices(8, 4, 2), 4, 1)


def vocabulary(what, token, indices, experts):
    shares = []
    for x in np.unique(token[token >= 0]):
        chosen = indices[token == x]
        n = np.bincount(chosen[chosen >= 0], minlength=experts)
        assert n.sum() > 0  # an id without any choice has two readings
        shares.append(n.max() / n.sum())
    of = {}
    for x, e in events(token, indices):
        of.setdefault(x, []).append(e)
    again = sum(max(Counter(es).values()) / len(es) for es in of.values()) / len(of)
    emit("vocabulary", what, {"experts": experts}, {"token_T": token, "indices_TK": indices}, {"specialization": np.mean(shares)}, {"specialization": again})


vocabulary("T70_k2", rng.integers(0, 12, 70), some, 8)
vocabulary("left_out_minus_1", np.where(np.arange(70) % 3 == 0, -1, np.arange(70) % 4), holes, 8)
vocabulary("ids_far_apart", rng.integers(0, 5, 30) * 12_345, choices(30, 4, 1), 4)
vocabulary("one_token", np.array([7]), np.array([[2]]), 4)
vocabulary("one_token_k3", np.array([0]), np.array([[2, 0, 1]]), 4)
vocabulary("k_equals_E", rng.integers(0, 3, 9), choices(9, 4, 4), 4)
vocabulary("always_the_same_expert", np.arange(12) % 3, (np.arange(12) % 3)[:, None], 5)
vocabulary("most_frequent_by_tie", np.array([4, 4, 4, 4, 9]), np.array([[0], [1], [1], [0], [3]]), 5)


def repetition(what, sequence, expert):
    pair = (sequence[1:] == sequence[:-1]) & (sequence[1:] >= 0) & (expert[1:] >= 0) & (expert[:-1] >= 0)
    rate = (expert[1:] == expert[:-1])[pair].mean() if pair.any() else 0.0
    hits, total = 0, 0
    for i in range(len(expert) - 1):
        if sequence[i] == sequence[i + 1] != -1 and expert[i] != -1 and expert[i + 1] != -1:
            total += 1
            hits += expert[i] == expert[i + 1]
    emit("repetition", what, {}, {"sequence_T": sequence, "expert_T": expert}, {"rate": rate}, {"rate": hits / total if total else 0.0})


repetition("six_sequences", np.repeat(np.arange(6), 11), rng.integers(0, 3, 66))
repetition("left_out_minus_1", np.where(np.arange(60) >= 55, -1, np.repeat(np.arange(3), 20)), np.where(np.arange(60) % 20 == 19, -1, rng.integers(0, 2, 60)))
repetition("all_equal", np.zeros(9, int), np.full(9, 3))
repetition("equal_only_across_sequences", np.array([0, 0, 1, 1, 2, 2]), np.array([4, 1, 1, 2, 2, 0]))
repetition("one_token", np.array([0]), np.array([1]))
repetition("sequences_of_one", np.arange(5), np.zeros(5, int))
repetition("unequal_lengths", np.repeat(np.array([3, 8, 5, 1]), [1, 2, 5, 3]), np.array([1, 1, 1, 0, 0, 0, 2, 2, 1, 1, 0]))


# ---- matching of experts
def match_experts(what, a, b, experts, unique=True):
    keep = (a >= 0) & (b >= 0)
    count = np.zeros((experts, experts))
    np.add.at(count, (a[keep], b[keep]), 1)
    rows, columns = linear_sum_assignment(count, maximize=True)
    sums = sorted(((sum(count[x, y] for x, y in enumerate(order)), order) for order in itertools.permutations(range(experts))), reverse=True)
    assert unique == (len(sums) == 1 or sums[0][0] > sums[1][0]), what
    out, again = {"agreement": count[rows, columns].sum() / keep.sum()}, {"agreement": sums[0][0] / keep.sum()}
    if unique:
        out["permutation_E"], again["permutation_E"] = columns, np.array(sums[0][1])
    emit("match_experts", what, {"experts": experts}, {"a_T": a, "b_T": b}, out, again)


order = np.array([2, 5, 0, 1, 4, 3])
a = rng.integers(0, 6, 200)
match_experts("permuted", a, order[a], 6)
match_experts("noisy", a, np.where(rng.random(200) < 0.3, rng.integers(0, 6, 200), order[a]), 6)
match_experts("left_out_minus_1", np.where(rng.random(200) < 0.1, -1, a), np.where(rng.random(200) < 0.1, -1, order[a]), 6)
match_experts("greedy_is_wrong", np.repeat([0, 0, 1, 1, 2], [9, 8, 8, 1, 4]), np.repeat([0, 1, 0, 1, 2], [9, 8, 8, 1, 4]), 3)
match_experts("one_dead_expert_each", np.repeat([0, 1, 3], [5, 4, 3]), np.repeat([2, 0, 1], [5, 4, 3]), 4)
match_experts("two_dead_experts_agreement_only", np.repeat([0, 1], [5, 4]), np.repeat([2, 0], [5, 4]), 4, unique=False)
match_experts("one_token_agreement_only", np.array([1]), np.array([2]), 3, unique=False)
match_experts("tie_agreement_only", np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), 2, unique=False)
match_experts("one_expert", np.zeros(4, int), np.zeros(4, int), 1)
