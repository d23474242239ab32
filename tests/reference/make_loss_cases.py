#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the reference cases of the auxiliary losses (loss.*), with their gradients to the logits.

Definitions: Switch Transformer (Fedus et al. 2022); GShard's loss by first choices (Lepikhin et al. 2021, as V-MoE codes it); the loss divided by k
(Megatron-LM, DeepSeekMoE) and the one that is not (Mixtral in transformers); importance and load (V-MoE, Riquelme et al. 2021); router z-loss
(ST-MoE, Zoph et al. 2022); local and global entropy (LIMoE, Mustafa et al. 2022); sequence-wise balance (DeepSeek-V2 and V3).
Values and gradients are array formulas derived by hand in float64. The check is a second form in plain loops over complex numbers: its value
must agree, and so must its derivative by the complex step (Squire and Trapp 1998), which has no cancellation.

Usage: make_loss_cases.py [FOLDER]     needs numpy and scipy; takes seconds; the same bytes on every run
"""
import cmath
import math
import os
import sys

import numpy as np
from scipy.special import erf, ndtr

from case_checks import GAP, drawn, emit, separated
from case_file import fp32

folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(20240702)


# ---- array formulas: value and gradient ----
def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def through_softmax(p, g):
    """The gradient to the logits of a loss whose gradient to the probabilities is g."""
    return p * (g - (p * g).sum(1, keepdims=True))


def pair(loss, gradient):
    return {"loss": np.asarray(loss, gradient.dtype), "grad.logits_TE": gradient}


def counted(indices, experts):
    return np.bincount(indices[indices >= 0], minlength=experts)


def product(p, share):
    """E Σ share_e P_e, the shares constant."""
    tokens, experts = p.shape
    share = share.astype(p.dtype)
    return experts * (share * p.mean(0)).sum(), through_softmax(p, np.broadcast_to(experts * share / tokens, p.shape))


def balance(x, q):
    i, p = x["indices_TK"], softmax(x["logits_TE"])
    return pair(*product(p, counted(i, p.shape[1]) / i.size))


def gshard(x, q):
    i, p = x["indices_TK"], softmax(x["logits_TE"])
    return pair(*product(p, counted(i[:, 0], p.shape[1]) / len(i)))


def balance_unnormalized(x, q):
    i, p = x["indices_TK"], softmax(x["logits_TE"])
    return pair(*product(p, counted(i, p.shape[1]) / len(i)))


def sequence_balance(x, q):
    i, p, s = x["indices_TK"], softmax(x["logits_TE"]), x["sequence_T"]
    ids, loss, gradient = np.unique(s[s >= 0]), 0, np.zeros_like(p)
    for one in ids:
        value, gradient[s == one] = product(p[s == one], counted(i[s == one], p.shape[1]) / i[s == one].size)
        loss += value / len(ids)
    return pair(loss, gradient / p.dtype.type(len(ids)))


def squared_cv(v):
    """var/mean² over experts, population, and its gradient; the full gradient, also through the mean."""
    mean, deviation = v.mean(), v - v.mean()
    value = (deviation ** 2).mean() / mean ** 2
    return value, 2 * deviation / (len(v) * mean ** 2) - 2 * value / (len(v) * mean)


def importance(x, q):
    p = softmax(x["logits_TE"])
    value, g = squared_cv(p.sum(0))
    return pair(value, through_softmax(p, np.broadcast_to(g, p.shape)))


def load(x, q):
    z, sigma = x["logits_TE"], x["logits_TE"].dtype.type(q["sigma"])
    tokens = np.arange(len(z))
    noisy = z + x["noise_TE"]
    at = np.argsort(-noisy, axis=1, kind="stable")[:, q["k"] - 1]
    u = (z - noisy[tokens, at][:, None]) / sigma
    value, g = squared_cv(ndtr(u).mean(0))
    density = np.exp(-u * u / 2) / z.dtype.type(math.sqrt(2 * math.pi))
    gradient = g / len(z) * density / sigma
    gradient[tokens, at] -= gradient.sum(1)
    return pair(value, gradient.astype(z.dtype))


def z_loss(x, q):
    z = x["logits_TE"]
    lse = z.max(1) + np.log(np.exp(z - z.max(1, keepdims=True)).sum(1))
    return pair((lse ** 2).mean(), 2 * lse[:, None] / z.dtype.type(len(z)) * softmax(z))


def log_or_zero(p):
    return np.log(p, out=np.zeros_like(p), where=p > 0)


def local_entropy(x, q):
    p, m = softmax(x["logits_TE"]), x["modality_T"]
    ids, loss, gradient = np.unique(m[m >= 0]), 0, np.zeros_like(p)
    for one in ids:
        inside = p[m == one]
        h = -(inside * log_or_zero(inside)).sum(1)
        loss += h.mean() / len(ids)
        gradient[m == one] = -inside * (log_or_zero(inside) + h[:, None]) / p.dtype.type(len(inside) * len(ids))
    return pair(loss, gradient)


def global_entropy(x, q):
    p, m = softmax(x["logits_TE"]), x["modality_T"]
    ids, loss, gradient = np.unique(m[m >= 0]), 0, np.zeros_like(p)
    for one in ids:
        inside = p[m == one]
        mean = inside.mean(0)
        missing = q["tau"] + (mean * log_or_zero(mean)).sum()
        if missing > 0:
            loss += missing / len(ids)
            g = (log_or_zero(mean) + 1) / p.dtype.type(len(inside) * len(ids))
            gradient[m == one] = through_softmax(inside, np.broadcast_to(g, inside.shape))
    return pair(loss, gradient)


# ---- plain loops, values only, real or complex logits (lists of rows) ----
def row_softmax(row):
    top = max(v.real for v in row)
    e = [cmath.exp(v - top) for v in row]
    return [v / sum(e) for v in e]


def mean(values):
    return sum(values) / len(values)


def mean_share_product(rows, choices, k):
    """E Σ n_e/(kT) P_e over the given tokens."""
    p, experts = [row_softmax(row) for row in rows], len(rows[0])
    n = [sum(1 for c in choices for e in c if e == expert) for expert in range(experts)]
    return experts * sum(n[e] / (k * len(rows)) * mean([row[e] for row in p]) for e in range(experts))


def spread(values):
    m = mean(values)
    return mean([(v - m) ** 2 for v in values]) / (m * m)


def entropy(p):
    return -sum(v * cmath.log(v) for v in p if v.real > 0)


def groups(labels):
    return [[t for t, l in enumerate(labels) if l == one] for one in sorted(set(labels)) if one >= 0]


def loop_balance(z, x, q):
    return mean_share_product(z, x["indices_TK"].tolist(), x["indices_TK"].shape[1])


def loop_gshard(z, x, q):
    p, experts = [row_softmax(row) for row in z], len(z[0])
    first = [row[0] for row in x["indices_TK"].tolist()]
    return experts ** 2 * mean([first.count(e) / len(z) * mean([row[e] for row in p]) for e in range(experts)])


def loop_unnormalized(z, x, q):
    return mean_share_product(z, x["indices_TK"].tolist(), 1)


def loop_sequence(z, x, q):
    i = x["indices_TK"].tolist()
    return mean([mean_share_product([z[t] for t in ts], [i[t] for t in ts], len(i[0])) for ts in groups(x["sequence_T"].tolist())])


def loop_importance(z, x, q):
    p = [row_softmax(row) for row in z]
    return spread([sum(row[e] for row in p) for e in range(len(z[0]))])


def loop_load(z, x, q):
    rows = []
    for row, noise in zip(z, x["noise_TE"].tolist()):
        noisy = [a + b for a, b in zip(row, noise)]
        threshold = sorted(noisy, key=lambda v: -v.real)[q["k"] - 1]  # stable: of equal ones the lower index counts as the larger
        rows.append([complex(1 - 0.5 * (1 + erf((threshold - v) / (q["sigma"] * math.sqrt(2))))) for v in row])
    return spread([mean([row[e] for row in rows]) for e in range(len(z[0]))])


def loop_z(z, x, q):
    out = []
    for row in z:
        top = max(v.real for v in row)
        out.append((top + cmath.log(sum(cmath.exp(v - top) for v in row))) ** 2)
    return mean(out)


def loop_local(z, x, q):
    return mean([mean([entropy(row_softmax(z[t])) for t in ts]) for ts in groups(x["modality_T"].tolist())])


def loop_global(z, x, q):
    parts = []
    for ts in groups(x["modality_T"].tolist()):
        p = [row_softmax(z[t]) for t in ts]
        missing = q["tau"] - entropy([mean([row[e] for row in p]) for e in range(len(z[0]))])
        parts.append(missing if missing.real > 0 else 0.0)
    return mean(parts)


def checked(loop):
    """The value by loops and, by the complex step, the gradient: everywhere in small cases, at some twenty entries in others."""
    def run(x, q):
        z = [[complex(v) for v in row] for row in x["logits_TE"].tolist()]
        tokens, experts = len(z), len(z[0])
        places = np.arange(tokens * experts)
        if len(places) > 64:
            places = np.random.default_rng(5).choice(places, 20, replace=False)
        gradient = np.full((tokens, experts), np.nan)
        for place in places:
            t, e = divmod(int(place), experts)
            z[t][e] += 1e-30j
            gradient[t, e] = complex(loop(z, x, q)).imag / 1e-30
            z[t][e] = complex(z[t][e].real)
        found = {"loss": np.asarray(complex(loop(z, x, q)).real)}
        expected = FORMULAS[loop](x, q)["grad.logits_TE"]
        return found | {"grad.logits_TE": np.where(np.isnan(gradient), expected, gradient)}
    return run


FORMULAS = {loop_balance: balance, loop_gshard: gshard, loop_unnormalized: balance_unnormalized, loop_sequence: sequence_balance, loop_importance: importance,
            loop_load: load, loop_z: z_loss, loop_local: local_entropy, loop_global: global_entropy}


def write(op, what, loop, source, inputs, atol=1e-6, rtol=1e-5, **params):
    emit(folder, "loss." + op, what, params, inputs, FORMULAS[loop], checked(loop), source, atol, rtol)


# ---- losses of counts ----
def top(z, k):
    return np.argsort(-z, axis=1, kind="stable")[:, :k]


def dead(tokens, experts, which):
    z = separated(rng, tokens, experts)
    z[:, which] -= 30
    return fp32(z)


HUGE = np.array([[500, -500, 0, 499.5], [-500, -500, -500, -500], [500, 500, 500, -500], [-500, 500, 499, 498]], float)
TIES = np.concatenate([np.zeros((1, 6)), [[1, 1, 0, 0, 1, 0], [0, 2, 0, 2, 0, 2]], rng.integers(-2, 3, (6, 6)) / 2])
CYCLE = np.array([np.roll([2.0, 1.0, 0.0, -1.0], t) for t in range(8)])  # every expert gets the same over the tokens
counts = [("balance", loop_balance, 2, "E Σ f P with f = n/(kT) (Megatron-LM, DeepSeekMoE eqs 12 to 14); counts carry no gradient"),
          ("balance_unnormalized", loop_unnormalized, 2, "E Σ n/T P, not divided by k (Mixtral in transformers, flaxformer); counts carry no gradient"),
          ("gshard", loop_gshard, 2, "E² mean(c P), c the share of first choices, whatever k (GShard as V-MoE codes it); counts carry no gradient"),
          ("switch", loop_balance, 1, "E Σ f P at k = 1 (Switch Transformer eq. 4 without alpha); counts carry no gradient")]
for op, loop, k, source in counts:
    plain, wide = separated(rng, 64, 8), separated(rng, 12, 16, 2.0)
    some = plain[:20]
    elsewhere = np.stack([rng.permutation(8)[:k] for _ in some])
    holes = np.where(rng.random((20, 1)) < 0.2, -1, top(some, k))
    cases = [("plain", plain, top(plain, k)), ("wide", wide, top(wide, min(4 * k, 4) if k > 1 else 1)), ("choices_of_another_rule", some, elsewhere),
             ("ties", TIES, top(TIES, k)), ("huge", HUGE, top(HUGE, k)), ("dead_expert", dead(16, 6, 2), None), ("one_token", separated(rng, 1, 7), None),
             ("balanced", CYCLE, top(CYCLE, k)), ("flat", np.zeros((4, 4)), top(CYCLE, k)[:4]), ("no_choice", some, holes), ("nobody_chose", plain[:4], np.full((4, k), -1)),
             ("one_expert", separated(rng, 5, 1), np.zeros((5, 1), int))]
    if k > 1:
        small = separated(rng, 9, 4)
        cases += [("k_equals_e", small, top(small, 4)), ("k1", small, top(small, 1))]
    if k > 1 and op != "gshard":  # with GShard a hole before a choice could be read in two ways
        cases.append(("no_second_choice", some, np.where([False, True] & (rng.random((20, 2)) < 0.4), -1, top(some, k))))
    for what, z, i in cases:
        write(op, what, loop, source, {"logits_TE": z, "indices_TK": top(z, k) if i is None else i})

source = "DeepSeek-V2 and V3's sequence-wise loss without alpha, on softmax probabilities: mean over sequences of E Σ f P within each; counts carry no gradient"


def sequence(what, z, i, s):
    write("sequence_balance", what, loop_sequence, source, {"logits_TE": z, "indices_TK": i, "sequence_T": np.asarray(s, int)})


z = separated(rng, 72, 8)
ids = np.sort(rng.integers(0, 6, 72))
sequence("plain", z, top(z, 2), ids)
z, ids = z[:24], ids[::3]
sequence("interleaved_ids_far_apart", z, top(z, 2), np.array([7, 4000000000, 12])[np.arange(24) % 3])
sequence("left_out", z, top(z, 2), np.where(rng.random(24) < 0.3, -1, ids))
sequence("no_choice", z, np.where(rng.random((24, 1)) < 0.2, -1, top(z, 2)), ids)
sequence("lengths_1_and_8", z[:9], top(z[:9], 3), [3] + [1] * 8)
sequence("one_sequence", z[:12], top(z[:12], 2), [0] * 12)
sequence("one_token", z[:1], top(z[:1], 2), [5])
sequence("one_token_left_in", z[:4], top(z[:4], 2), [-1, -1, 2, -1])
sequence("k_equals_e", z[:10, :4], top(z[:10, :4], 4), [0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
sequence("balanced", CYCLE, top(CYCLE, 1), [0, 0, 0, 0, 1, 1, 1, 1])
sequence("ties", TIES, top(TIES, 2), [0, 0, 0, 0, 1, 1, 1, 1, 1])
sequence("huge", HUGE, top(HUGE, 2), [0, 0, 1, 1])
z = dead(16, 6, 2)
sequence("dead_expert", z, top(z, 2), np.arange(16) // 4)
# ---- importance and load ----
source = "V-MoE (Riquelme et al. 2021, appendix A): squared coefficient of variation of the summed probabilities, population variance"
for what, z in [("plain", separated(rng, 64, 8)), ("wide", separated(rng, 12, 16, 2.0)), ("ties", TIES), ("huge", HUGE), ("one_token", separated(rng, 1, 7)),
                ("dead_expert", dead(16, 6, 2)), ("balanced", CYCLE), ("flat", np.zeros((4, 4))), ("all_to_one", fp32(rng.normal(size=(8, 4)) + [12, 0, 0, 0])),
                ("one_expert", separated(rng, 5, 1))]:
    write("importance", what, loop_importance, source, {"logits_TE": z})

source = "V-MoE (Riquelme et al. 2021, appendix A): chance to be among the k best under fresh noise at every expert; the threshold, a noisy logit, carries gradient"


def loads(what, z, noise, k, sigma):
    # (threshold - logit)/sigma errs by 1e-7 of the logits over sigma, and the density's slope carries it on: rtol 2e-5.
    ordered = -np.sort(-(z + noise), axis=1)
    gaps = ordered[:, :-1] - ordered[:, 1:]
    assert np.all((gaps == 0) | (gaps > GAP)), what
    write("load", what, loop_load, source, {"logits_TE": z, "noise_TE": noise}, 1e-6, 2e-5, k=k, sigma=sigma)


def noisy(tokens, experts, sigma):
    z = separated(rng, tokens, experts)
    return z, np.concatenate([drawn_row(z[t:t + 1], sigma) for t in range(tokens)])


def drawn_row(row, sigma):
    return drawn(lambda: fp32(rng.normal(size=row.shape) * sigma), lambda n: row.size == 1 or np.min(np.diff(np.sort(row + n, axis=1))) > 2 * GAP)


loads("plain", *noisy(64, 8, 0.125), 2, 0.125)
loads("k1", *noisy(64, 8, 0.5), 1, 0.5)
loads("wide", *noisy(12, 16, 1.0), 4, 1.0)
loads("k_equals_e", *noisy(12, 4, 0.25), 4, 0.25)
loads("one_token", *noisy(1, 6, 0.5), 2, 0.5)
loads("one_expert", *noisy(5, 1, 0.5), 1, 1.0)
loads("no_noise", separated(rng, 16, 6), np.zeros((16, 6)), 2, 0.25)
loads("dead_expert", dead(16, 6, 2), np.zeros((16, 6)), 2, 0.25)
loads("balanced", CYCLE, np.array([np.roll([0.25, -0.125, 0.0, 0.125], t) for t in range(8)]), 2, 0.5)
loads("flat", np.zeros((4, 4)), np.tile([0.5, 0.25, 0, -0.25], (4, 1)), 2, 0.5)
loads("ties", np.array([[1, 0, 0, -1], [0, 0, 2, -2], [0.5, 0.5, 0.5, 1]]), np.array([[0, 0.25, 0.25, 0], [0.125, 0.125, 0, 0], [0, 0, 0, 0]]), 1, 0.5)
# The k-th and the next noisy logit are equal: the lower index is the k-th and takes the threshold's gradient.
loads("ties_at_the_threshold", np.array([[2, 1, 1, 0], [0.5, 1, 0.25, 3], [0, 0, 0, 0.25]]), np.array([[0, 0.25, 0.25, 0], [0.5, 0, 0.75, 0], [0, 0, 0, 0]]), 2, 0.5)
loads("huge", HUGE, rng.integers(-4, 5, (4, 4)) / 16, 2, 0.25)

# ---- z-loss ----
source = "ST-MoE (Zoph et al. 2022, eq. 5): mean over tokens of the squared logsumexp"
for what, z in [("plain", separated(rng, 64, 8)), ("wide", separated(rng, 12, 16, 2.0)), ("ties", TIES), ("huge", HUGE), ("all_huge_negative", np.full((3, 5), -500.0)),
                ("one_token", separated(rng, 1, 7)), ("dead_expert", dead(16, 6, 2)), ("one_expert", separated(rng, 5, 1)),
                ("zero_logsumexp", np.full((4, 4), -math.log(4)))]:
    # exp(logit - logsumexp) errs by the rounding of a logsumexp of 500, some 3e-5.
    write("z", what, loop_z, source, {"logits_TE": fp32(z)}, rtol=1e-4 if "huge" in what else 1e-5)
# ---- entropies ----
source = "LIMoE (Mustafa et al. 2022): mean over modalities of the mean token entropy, nats; p log p is 0 with gradient 0 at p = 0"
PAIR = separated(rng, 64, 8)
half = rng.integers(0, 2, 64)
flags = np.where(rng.random(24) < 0.3, -1, half[:24])
modal = [("plain", PAIR, half), ("left_out", PAIR[:24], flags), ("one_modality", PAIR[:12], [0] * 12), ("second_modality_alone", PAIR[:12], [1] * 12), ("unequal", PAIR[:20], [0] + [1] * 19),
         ("three_modalities", PAIR[:30], np.arange(30) % 3), ("gap_in_the_ids", PAIR[:10], np.arange(10) % 2 * 5), ("one_token", PAIR[:1], [1]), ("ties", TIES, np.arange(9) % 2),
         ("huge", HUGE, [0, 1, 0, 1]), ("dead_expert", dead(16, 6, 2), np.arange(16) % 2), ("one_expert", separated(rng, 5, 1), [0, 0, 1, 1, 0]),
         ("zero_probabilities", np.array([[500, -500, -500], [-500, 500, -500], [0, 0, -500]]), [0, 0, 1]), ("flat", np.zeros((4, 4)), [0, 1, 0, 1])]
for what, z, m in modal:
    write("local_entropy", what, loop_local, source, {"logits_TE": z, "modality_T": np.asarray(m, int)})

source = "LIMoE (Mustafa et al. 2022): mean over modalities of max(0, tau - entropy of the mean probabilities), clamped for each modality"


def global_case(what, z, m, tau):
    # The value is a small difference of tau and an entropy near it: atol 2e-6.
    m = np.asarray(m, int)
    if what != "balanced":  # there the clamp may fall either way: value and gradient are 0 on both sides
        for one in np.unique(m[m >= 0]):
            mean_p = softmax(fp32(z)[m == one]).mean(0)
            assert abs(tau + (mean_p * log_or_zero(mean_p)).sum()) > 1e-3, what
    write("global_entropy", what, loop_global, source, {"logits_TE": z, "modality_T": m}, 2e-6, 1e-5, tau=tau)


for what, z, m in modal:
    if what not in ("one_expert", "flat"):
        global_case(what, z, m, 2.5)
global_case("one_expert", separated(rng, 5, 1), [0, 0, 1, 1, 0], 0.5)
global_case("all_above_tau", PAIR, half, 0.5)
narrow = np.where(half[:, None] == 1, PAIR, PAIR + np.array([8, 8, 0, 0, 0, 0, 0, 0]))
global_case("one_of_two_clamped", fp32(narrow), half, math.log(4))
global_case("balanced", CYCLE, [0, 0, 0, 0, 1, 1, 1, 1], math.log(4))

names = [name for name in os.listdir(folder) if name.startswith("loss.")]
print(f"{len(names)} loss cases in {folder}")
