#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes metric_cases.json: expected values of routing metrics, computed with numpy and scipy from the definitions in the literature.

Definitions: load, MaxVio (Wang et al. 2024, loss-free balancing), effective experts (perplexity of the load), V-MoE's CV; confidence from softmax;
router saturation (OLMoE); mutual information and NMI by the smaller entropy (Strehl and Ghosh 2002, Kvalseth 1987); nPMI (Bouma 2009);
co-activation over all pairs (A^T A, LibMoE); vocabulary specialisation (OLMoE); repetition (Mixtral); linear CKA (Kornblith et al. 2019, eq. 5);
Jensen-Shannon divergence (Lin 1991); spikes (OLMo's stability monitor); Student, Welch and Wilson from scipy.

Usage: make_metric_cases.py [OUT]. The result is kept under version control; run it again only when a definition is added.
"""
import json
import sys

import numpy as np
from scipy import stats
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp, softmax

rng = np.random.default_rng(20240611)
cases = []


def clean(value):
    if isinstance(value, dict):
        return {k: clean(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (np.floating, np.integer, np.bool_)):
        return value.item()
    return value


def case(op, name, inputs, expected, **params):
    cases.append(clean({"op": op, "name": name, "params": params, "in": inputs, "out": expected}))


def entropy(weights):
    return float(stats.entropy(weights)) if np.sum(weights) > 0 else 0.0


def load(name, indices, experts):
    chosen = indices[indices >= 0]
    n = np.bincount(chosen, minlength=experts).astype(float)
    mean = n.mean()
    case("load", name, {"indices_TK": indices.ravel()},
         {"share_E": n / n.sum(), "cv": n.std() / mean, "max_vio": n.max() / mean - 1, "imbalance": n.max() / mean,
          "effective_experts": np.exp(entropy(n)), "normalized_entropy": entropy(n) / np.log(experts) if experts > 1 else 1.0, "dead": int((n == 0).sum())},
         experts=experts, k=indices.shape[1])


def topk(logits, k):
    return np.argsort(-logits, axis=1, kind="stable")[:, :k]


def confidence(name, logits, k):
    logits = logits.astype(np.float32).astype(float)
    p = softmax(logits, axis=1)
    ordered = -np.sort(-p, axis=1)
    second = ordered[:, 1] if p.shape[1] > 1 else np.zeros(len(p))
    following = ordered[:, k] if k < p.shape[1] else np.zeros(len(p))
    case("confidence", name, {"logits_TE": logits.ravel()},
         {"entropy": np.mean([entropy(row) for row in p]), "top1": ordered[:, 0].mean(), "margin12": (ordered[:, 0] - second).mean(),
          "boundary_margin": (ordered[:, k - 1] - following).mean(), "chosen_mass": ordered[:, :k].sum(1).mean(), "logsumexp": logsumexp(logits, axis=1).mean()},
         k=k, experts=logits.shape[1])


def change(name, a, b):
    k = a.shape[1]
    overlap = np.mean([len({x for x in ra if x >= 0} & {x for x in rb if x >= 0}) / k for ra, rb in zip(a, b)])
    case("change", name, {"a_TK": a.ravel(), "b_TK": b.ravel()},
         {"overlap": overlap, "changed_slots": (a != b).mean(), "changed_first": (a[:, 0] != b[:, 0]).mean()}, k=k, experts=int(max(a.max(), b.max())) + 1)


def mutual_information(name, label, expert):
    keep = (label >= 0) & (expert >= 0)
    joint = np.zeros((label.max() + 1, expert.max() + 1))
    np.add.at(joint, (label[keep], expert[keep]), 1)
    p = joint / joint.sum()
    pl, pe = p.sum(1), p.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mi = np.nansum(np.where(p > 0, p * np.log(p / np.outer(pl, pe)), 0))
    smaller = min(entropy(pl), entropy(pe))
    case("mutual_information", name, {"label_T": label, "expert_T": expert},
         {"mi": max(mi, 0.0), "nmi": mi / smaller if smaller > 0 else 0.0, "h_label": entropy(pl), "h_expert": entropy(pe), "tokens": int(keep.sum())})


def joint_of(label, indices, labels, experts):
    joint = np.zeros((labels, experts))
    for l, row in zip(label, indices):
        for e in row:
            if l >= 0 and e >= 0:
                joint[l, e] += 1
    return joint


def npmi(name, label, indices, labels, experts):
    joint = joint_of(label, indices, labels, experts)
    p = joint / joint.sum()
    out = np.full((labels, experts), -1.0)
    for l in range(labels):
        for e in range(experts):
            if p[l, e] > 0:
                h = -np.log(p[l, e])
                out[l, e] = 1.0 if h == 0 else np.log(p[l, e] / (p[l].sum() * p[:, e].sum())) / h
    case("npmi", name, {"label_T": label, "indices_TK": indices.ravel()}, {"npmi_LE": out.ravel()}, labels=labels, experts=experts, k=indices.shape[1])


def coactivation(name, indices, experts):
    a = np.zeros((len(indices), experts))
    for t, row in enumerate(indices):
        for e in row:
            if e >= 0:
                a[t, e] = 1
    count = a.T @ a
    n = np.diag(count)
    conditional = np.divide(count, n[:, None], out=np.zeros_like(count), where=n[:, None] > 0)
    case("coactivation", name, {"indices_TK": indices.ravel()}, {"count_EE": count.ravel(), "conditional_EE": conditional.ravel()}, experts=experts, k=indices.shape[1])


def flow(name, a, b, ea, eb):
    count = np.zeros((ea, eb))
    for ra, rb in zip(a, b):
        for x in ra:
            for y in rb:
                if x >= 0 and y >= 0:
                    count[x, y] += 1
    case("flow", name, {"a_TK": a.ravel(), "b_TK": b.ravel()}, {"count_EE": count.ravel()}, experts_a=ea, experts_b=eb, k_a=a.shape[1], k_b=b.shape[1])


def modality_split(name, modality, indices, experts):
    joint = joint_of(modality, indices, 2, experts)
    m, e = joint.sum(1, keepdims=True), joint.sum(0, keepdims=True)
    case("modality_split", name, {"modality_T": modality, "indices_TK": indices.ravel()},
         {"p_expert_given_modality_ME": np.divide(joint, m, out=np.zeros_like(joint), where=m > 0).ravel(),
          "p_modality_given_expert_EM": np.divide(joint, e, out=np.zeros_like(joint), where=e > 0).T.ravel()}, experts=experts, k=indices.shape[1])


def vocabulary(name, token, indices, experts):
    shares = []
    for x in np.unique(token[token >= 0]):
        n = joint_of(np.where(token == x, 0, -1), indices, 1, experts)[0]
        if n.sum() > 0:
            shares.append(n.max() / n.sum())
    case("vocabulary", name, {"token_T": token, "indices_TK": indices.ravel()}, {"specialization": np.mean(shares)}, experts=experts, k=indices.shape[1])


def repetition(name, sequence, expert):
    pairs = [(expert[i] == expert[i - 1]) for i in range(1, len(expert)) if sequence[i] >= 0 and sequence[i] == sequence[i - 1] and expert[i] >= 0 and expert[i - 1] >= 0]
    case("repetition", name, {"sequence_T": sequence, "expert_T": expert}, {"rate": float(np.mean(pairs)) if pairs else 0.0})


def match(name, a, b, experts):
    keep = (a >= 0) & (b >= 0)
    count = np.zeros((experts, experts))
    np.add.at(count, (a[keep], b[keep]), 1)
    rows, columns = linear_sum_assignment(count, maximize=True)
    case("match_experts", name, {"a_T": a, "b_T": b}, {"agreement": count[rows, columns].sum() / keep.sum()}, experts=experts)


def cka(name, x, y):
    xc, yc = x - x.mean(0), y - y.mean(0)
    own = np.linalg.norm(xc.T @ xc) * np.linalg.norm(yc.T @ yc)
    case("cka", name, {"x_TD": x.ravel(), "y_TF": y.ravel()}, {"cka": np.linalg.norm(yc.T @ xc) ** 2 / own if own > 0 else 0.0}, d=x.shape[1], f=y.shape[1])


def jsd(name, p, q):
    p, q = np.asarray(p) / np.sum(p), np.asarray(q) / np.sum(q)
    m = (p + q) / 2
    case("jsd", name, {"p_E": p, "q_E": q}, {"jsd": 0.5 * stats.entropy(p, m) + 0.5 * stats.entropy(q, m)})


def spikes(name, series, window, sigmas):
    flags = []
    for i, x in enumerate(series):
        before = series[max(0, i - window):i]
        full = len(before) == window and np.std(before) >= 1e-10
        flags.append(int(full and x > np.mean(before) + sigmas * np.std(before)))
    case("spikes", name, {"series_S": series}, {"flag_S": np.array(flags)}, window=window, sigmas=sigmas)


def paired(name, a, b, confidence):
    d = a - b
    if np.all(d == d[0]):
        low = high = d[0]
        p = 1.0 if d[0] == 0 else 0.0
    else:
        result = stats.ttest_rel(a, b)
        low, high = result.confidence_interval(confidence)
        p = result.pvalue
    case("paired_t", name, {"a_N": a, "b_N": b}, {"mean_difference": d.mean(), "low": low, "high": high, "p": p}, confidence=confidence)


def welch(name, a, b, confidence):
    result = stats.ttest_ind(a, b, equal_var=False)
    low, high = result.confidence_interval(confidence)
    case("welch", name, {"a_N": a, "b_N": b}, {"mean_difference": a.mean() - b.mean(), "low": low, "high": high, "p": result.pvalue}, confidence=confidence)


def wilson(name, successes, trials, confidence):
    interval = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    case("wilson", name, {}, {"low": interval.low, "high": interval.high}, successes=successes, trials=trials, confidence=confidence)


def assignment(name, scores):
    rows, columns = linear_sum_assignment(scores, maximize=True)
    case("assignment", name, {"scores_NN": scores.ravel()}, {"sum": scores[rows, columns].sum()}, n=len(scores))


def quantiles(name, values, ps):
    case("quantiles", name, {"values": values, "ps": ps}, {"quantiles": np.quantile(values, ps)})


def choices(tokens, experts, k):
    return np.stack([rng.permutation(experts)[:k] for _ in range(tokens)])


some = choices(60, 8, 2)
holes = some.copy()
holes[::7, 1] = -1
holes[3] = -1
load("k2", some, 8)
load("with -1", holes, 8)
load("dead expert", np.array([[0], [0], [1], [3]]), 4)
load("k = E", np.stack([rng.permutation(4) for _ in range(9)]), 4)
load("single token", np.array([[2]]), 5)
load("one expert", np.zeros((6, 1), int), 1)

confidence("k2", rng.normal(size=(40, 8)) * 2, 2)
confidence("k = E", rng.normal(size=(10, 4)), 4)
confidence("ties", np.array([[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 0.0, 0.0]]), 1)
confidence("single token", np.array([[0.5, -1.0, 3.0]]), 1)
confidence("one expert", rng.normal(size=(3, 1)), 1)
confidence("huge", np.array([[500.0, -500.0, 499.0], [-500.0, -500.0, -500.0]]), 2)

change("k2", some, choices(60, 8, 2))
change("same sets, other order", some, some[:, ::-1])
change("k1", choices(30, 4, 1), choices(30, 4, 1))
change("with -1", holes, np.roll(holes, 3, axis=0))

label = rng.integers(0, 5, 300)
expert = np.where(rng.random(300) < 0.4, label % 4, rng.integers(0, 4, 300))
mutual_information("dependent", label, expert)
mutual_information("independent", rng.integers(0, 6, 200), rng.integers(0, 8, 200))
mutual_information("with -1", np.where(rng.random(300) < 0.1, -1, label), np.where(rng.random(300) < 0.1, -1, expert))
mutual_information("equal", label % 4, label % 4)
mutual_information("one label", np.zeros(20, int), rng.integers(0, 3, 20))
mutual_information("single token", np.array([2]), np.array([1]))
mutual_information("labels far apart", rng.integers(0, 7, 90) * 9_000_000, rng.integers(0, 5, 90))

npmi("k2", rng.integers(0, 3, 60), some, 3, 8)
npmi("with -1", np.where(rng.random(60) < 0.2, -1, rng.integers(0, 3, 60)), holes, 3, 8)
npmi("always together", np.zeros(5, int), np.ones((5, 1), int), 2, 3)
coactivation("k3", choices(50, 6, 3), 6)
coactivation("with -1 and a dead expert", np.array([[0, 1], [0, -1], [2, 0], [-1, -1]]), 4)
flow("k2 to k1", choices(40, 5, 2), choices(40, 3, 1), 5, 3)
flow("with -1", holes, some, 8, 8)
modality_split("k2", rng.integers(0, 2, 60), some, 8)
modality_split("one modality, unknown left out", np.where(np.arange(60) % 5 == 0, -1, 0), holes, 8)
vocabulary("k2", rng.integers(0, 12, 60), some, 8)
vocabulary("with -1", np.where(np.arange(60) % 3 == 0, -1, rng.integers(0, 4, 60)), holes, 8)
repetition("sequences", np.repeat(np.arange(6), 10), rng.integers(0, 3, 60))
repetition("with -1", np.where(np.arange(60) % 11 == 0, -1, np.repeat(np.arange(3), 20)), np.where(np.arange(60) % 7 == 0, -1, rng.integers(0, 2, 60)))
repetition("single token", np.array([0]), np.array([1]))
order = rng.permutation(6)
a = rng.integers(0, 6, 200)
match("permuted", a, order[a], 6)
match("noisy", a, np.where(rng.random(200) < 0.3, rng.integers(0, 6, 200), order[a]), 6)
match("with -1", np.where(rng.random(200) < 0.1, -1, a), order[a], 6)
x = rng.normal(size=(30, 4))
cka("independent", x, rng.normal(size=(30, 3)))
cka("rotated and scaled", x, 3 * x @ np.linalg.qr(rng.normal(size=(4, 4)))[0] + 1)
cka("constant", x, np.ones((30, 2)))
jsd("overlap", [0.5, 0.25, 0.25], [0.1, 0.6, 0.3])
jsd("disjoint", [1, 0], [0, 1])
jsd("equal", [0.2, 0.8], [0.2, 0.8])
series = rng.normal(size=400) * 0.1 + 3
series[[100, 200, 201, 350]] += [5, 5, 5, 0.7]
spikes("window 128", series, 128, 6)
spikes("window 32", series, 32, 4)
spikes("flat", np.concatenate([np.ones(140), [5.0], np.ones(10)]), 128, 6)
spikes("short", np.concatenate([np.zeros(60), [9.0]]), 128, 6)
paired("plain", rng.normal(size=12), rng.normal(size=12) + 0.3, 0.95)
paired("two", np.array([1.0, 2.0]), np.array([0.5, 1.7]), 0.9)
paired("no variance", np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0]), 0.95)
paired("equal", np.array([2.0, 3.0]), np.array([2.0, 3.0]), 0.95)
paired("large offset", rng.normal(size=30) + 1e6, rng.normal(size=30) + 1e6 + 0.5, 0.99)
welch("unequal", rng.normal(size=9), 3 * rng.normal(size=25) + 1, 0.95)
welch("two and three", np.array([1.0, 2.0]), np.array([5.0, 5.5, 7.0]), 0.95)
wilson("some", 13, 40, 0.95)
wilson("none", 0, 7, 0.95)
wilson("all", 5, 5, 0.99)
for size in (1, 2, 5, 9):
    assignment(f"{size}", rng.normal(size=(size, size)))
assignment("ties", np.ones((4, 4)))
quantiles("plain", rng.normal(size=11), np.array([0, 0.025, 0.5, 0.9, 1]))

out = sys.argv[1] if len(sys.argv) > 1 else __file__.rsplit("/", 1)[0] + "/metric_cases.json"
with open(out, "w", encoding="utf-8") as file:
    file.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(f"{len(cases)} cases in {out}")
