#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes reference cases of the metrics on real numbers (cka, jsd, spikes, retrieval) and of the statistics (paired t, Welch, Wilson).

Definitions: linear CKA (Kornblith et al. 2019, eq. 5); Jensen-Shannon divergence (Lin 1991); spikes as in OLMo's stability monitor; recall at k
as for picture-text retrieval, with ties counted by their expectation; Student's and Welch's tests and intervals from scipy; Wilson's score
interval (1927). Each value is computed twice: cka from Gram matrices and by covariances, jsd from entropies and by scipy's distance, the
expected recall from binomial coefficients and by all orders of the tied items, tests by scipy and by formula.

Usage: make_statistic_op_cases.py [FOLDER]
"""
import itertools
import math
import os
import sys
import warnings

import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon
from scipy.special import betainc

from case_file import fp32, write_case

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
SOURCE = "numpy and scipy, float64, from the definition; checked by a second formula"
rng = np.random.default_rng(20240703)
warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)  # scipy on a sample without variance, which is meant


def emit(op, what, params, inputs, outputs, again, atol=1e-6, rtol=1e-5, slack=1e-9):
    """Writes the case when `again`, the same outputs by another way, agrees."""
    assert set(outputs) == set(again), what
    for name, value in outputs.items():
        assert np.shape(value) == np.shape(again[name]) and np.allclose(value, again[name], rtol=slack, atol=1e-11), (op, what, name, value, again[name])
    write_case(FOLDER, op, what, params, inputs, outputs, None, atol, rtol, SOURCE)


# ---- cka
def cka(what, x, y, atol=2e-6, rtol=2e-5):
    x, y = fp32(x), fp32(y)
    xc, yc = x - x.mean(0), y - y.mean(0)
    own = np.linalg.norm(xc.T @ xc) * np.linalg.norm(yc.T @ yc)
    assert own == 0 or own > 1e-6
    h = np.eye(len(x)) - 1 / len(x)
    k, l = h @ x @ x.T @ h, h @ y @ y.T @ h
    again = np.sum(k * l) / math.sqrt(np.sum(k * k) * np.sum(l * l)) if own > 0 else 0.0
    emit("metric.cka", what, {}, {"x_TD": x, "y_TD": y}, {"cka": np.linalg.norm(yc.T @ xc) ** 2 / own if own > 0 else 0.0}, {"cka": again}, atol, rtol)


x = rng.normal(size=(30, 4))
cka("independent", x, rng.normal(size=(30, 4)))
cka("itself", x, x)
cka("rotated_scaled_and_moved", x, 3 * x @ np.linalg.qr(rng.normal(size=(4, 4)))[0] + 1)
cka("noisy_map", rng.normal(size=(80, 6)) * np.arange(1, 7), rng.normal(size=(80, 6)))
cka("T100_related", *(lambda z: (z, z @ rng.normal(size=(5, 5)) + rng.normal(size=(100, 5))))(rng.normal(size=(100, 5))))
cka("constant_0_of_0", x, np.ones((30, 4)))
cka("both_constant", np.zeros((5, 2)), np.full((5, 2), 3.0))
cka("one_token", np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]]))
cka("two_tokens", np.array([[1.0, 2], [0, 5]]), np.array([[3.0, -1], [4, 4]]))
cka("far_from_zero", rng.normal(size=(20, 3)) + 8, rng.normal(size=(20, 3)) - 16, 1e-5, 1e-4)
cka("orthogonal", np.array([[1.0], [1], [-1], [-1]]), np.array([[1.0], [-1], [1], [-1]]))
cka("more_features_than_tokens", rng.normal(size=(4, 9)), rng.normal(size=(4, 9)))


# ---- jsd
def jsd(what, p, q):
    p, q = (np.asarray(v, float) / np.sum(v) for v in (p, q))
    p, q = fp32(p), fp32(q)
    m = (p + q) / 2
    value = stats.entropy(m) - (stats.entropy(p) + stats.entropy(q)) / 2
    emit("metric.jsd", what, {}, {"p_E": p, "q_E": q}, {"jsd": max(value, 0.0)}, {"jsd": jensenshannon(p, q) ** 2}, slack=1e-6)


jsd("overlap", [0.5, 0.25, 0.25], [0.1, 0.6, 0.3])
jsd("disjoint_ln_2", [1, 0], [0, 1])
jsd("equal", [0.25, 0.75], [0.25, 0.75])
jsd("one_expert", [1], [1])
jsd("E64", rng.random(64), rng.random(64) ** 4)
jsd("zeros_in_each", [0.5, 0, 0.5, 0], [0.5, 0.25, 0, 0.25])
jsd("dead_expert_in_both", [0.75, 0, 0.25], [0.125, 0, 0.875])
jsd("uniform_and_one", np.ones(8), np.eye(8)[3])
jsd("very_small_share", [1, 1e-6, 1e-30], [1, 1e-3, 1e-20])


# ---- spikes
def spikes(what, series, window, sigmas, expected=None):
    series = fp32(series)
    flags, again = np.zeros(len(series), np.uint8), np.zeros(len(series), np.uint8)
    for s in range(window, len(series)):
        before = series[s - window:s]
        mean, std = before.mean(), before.std()
        assert std < 1e-11 or std > 1e-9, what
        if std >= 1e-10:
            distance = (series[s] - mean) / std - sigmas
            assert abs(distance) > 1e-2, (what, s)
            flags[s] = distance > 0
    for s, value in enumerate(series.tolist()):
        before = series[:s].tolist()[-window:]
        if len(before) == window:
            mean = math.fsum(before) / window
            std = math.sqrt(math.fsum((b - mean) ** 2 for b in before) / window)
            again[s] = std >= 1e-10 and value > mean + sigmas * std
    assert expected is None or list(np.flatnonzero(flags)) == expected, (what, np.flatnonzero(flags))
    emit("metric.spikes", what, {"window": window, "sigmas": sigmas}, {"series_S": series}, {"flag_S": flags}, {"flag_S": again})


series = rng.normal(size=400) * 0.1 + 3
series[[100, 200, 201, 350]] += [5, 5, 9, 0.9]
spikes("window_128", series, 128, 6, [200, 201, 350])
spikes("window_32", series, 32, 4)
spikes("low_values_are_no_spikes", -series, 32, 4)
spikes("flat_then_high", np.concatenate([np.ones(140), [5.0], np.ones(10)]), 128, 6, [])
spikes("no_full_window", np.concatenate([np.zeros(60), [9.0]]), 128, 6, [])
spikes("first_full_window", np.concatenate([np.arange(8) % 2, [9.0]]), 8, 6, [8])
spikes("one_value", np.array([4.0]), 4, 3, [])
spikes("std_below_1e-10", np.concatenate([np.arange(16) % 2 * 1e-11, [1.0], np.zeros(4)]), 16, 6, [])
spikes("std_above_1e-10", np.concatenate([np.arange(16) % 2 * 1e-8, [1e-6], np.zeros(4)]), 16, 6, [16])
spikes("population_std", np.array([0, 2, 0, 2, 3.05, 1.0]), 4, 2, [4])
spikes("spikes_raise_the_threshold", np.array([0.0, 1, 0, 1, 9, 9, 9, 9, 30]), 4, 3, [4])
spikes("window_2", np.array([0.0, 1, 5, 3, 3, 10, 3, 3, 4]), 2, 3, [2])


# ---- retrieval
def recall_one(scores, match, k):
    """Expected recall of one query: chance that a matching item is among the k first when equal scores stand in random order."""
    best = scores[match].max()
    above, level = int((scores > best).sum()), scores == best
    places, n, m = min(k, len(scores)) - above, int(level.sum()), int((level & match).sum())
    return 0.0 if places <= 0 else 1 - (math.comb(n - m, places) / math.comb(n, places) if places <= n else 0)


def recall_orders(scores, match, k):
    """The same by going through all orders of the items with the best match's score."""
    best = max(s for s, hit in zip(scores, match) if hit)
    above = sum(s > best for s in scores)
    level = [hit for s, hit in zip(scores, match) if s == best]
    if len(level) == 1:
        return float(above < k)
    orders = list(itertools.permutations(level))
    return sum(any(order[:max(0, k - above)]) for order in orders) / len(orders)


def retrieval(what, similarity, group_i, group_t, ks):
    similarity, group_i, group_t = fp32(similarity), np.asarray(group_i), np.asarray(group_t)
    match = group_i[:, None] == group_t[None, :]
    assert match.any()
    values = np.unique(similarity)
    assert len(values) == 1 or np.diff(values).min() > 1e-6
    out, again = [], []
    for scores, hits in ((similarity, match), (similarity.T, match.T)):
        rows = [r for r in range(len(scores)) if hits[r].any()]
        out.append(np.array([np.mean([recall_one(scores[r], hits[r], k) for r in rows]) for k in ks]))
        again.append(np.array([np.mean([recall_orders(scores[r].tolist(), hits[r].tolist(), k) for r in rows]) for k in ks]))
    emit("metric.retrieval", what, {"ks": ks}, {"similarity_IT": similarity, "group_I": group_i, "group_T": group_t},
         {"recall_i2t_K": out[0], "recall_t2i_K": out[1]}, {"recall_i2t_K": again[0], "recall_t2i_K": again[1]})


five = np.repeat(np.arange(13), 5)
distinct = rng.permutation(13 * 65).reshape(13, 65) / 512 + 0.6 * (np.arange(13)[:, None] == five[None, :])
retrieval("pairs", rng.permutation(100).reshape(10, 10) / 64 + np.eye(10), np.arange(10), np.arange(10), [1, 5, 10])
retrieval("five_texts_a_picture_T65", distinct, np.arange(13), five, [1, 5, 10])
retrieval("one_pair", [[0.5]], [0], [0], [1])
retrieval("perfect", np.eye(8) - 0.25, np.arange(8), np.arange(8), [1, 2])
retrieval("worst", -np.eye(6), np.arange(6), np.arange(6), [1, 5, 6])
retrieval("all_equal", np.zeros((4, 6)), [0, 1, 2, 3], [0, 0, 1, 2, 3, 3], [1, 2, 3, 4, 6])
retrieval("ties", rng.integers(0, 3, (7, 7)) / 4, np.arange(7), np.arange(7), [1, 3, 5])
retrieval("ties_several_matches", rng.integers(0, 3, (4, 8)) / 2, [0, 1, 2, 3], [0, 0, 0, 1, 1, 2, 3, 3], [1, 2, 4])
retrieval("k_above_the_items", rng.permutation(12).reshape(3, 4) / 8, [0, 1, 2], [0, 1, 1, 2], [1, 3, 4, 10, 1000])
retrieval("queries_without_match", rng.permutation(20).reshape(4, 5) / 16, [0, 1, 7, 2], [0, 1, 1, 9, 2], [1, 2])
retrieval("several_pictures_a_group", rng.permutation(30).reshape(5, 6) / 16, [4, 4, 100, 7, 7], [7, 4, 100, 100, 4, 7], [1, 2, 3])
retrieval("negative_and_large", rng.permutation(25).reshape(5, 5) * 40.0 - 500, np.arange(5), np.arange(5), [2, 1])


# ---- tests
def student(d, se, df, confidence):
    """Interval and two-sided p of a difference, by formula."""
    half = stats.t.isf((1 - confidence) / 2, df) * se
    x = df / (df + (d / se) ** 2)
    return {"mean_difference": d, "low": d - half, "high": d + half, "p": betainc(df / 2, 0.5, x)}


def no_variance(d):
    return {"mean_difference": d, "low": d, "high": d, "p": 1.0 if d == 0 else 0.0}


def paired_t(what, a, b, confidence, atol=2e-6, rtol=2e-5):
    a, b = fp32(a), fp32(b)
    d = a - b
    if np.all(d == d[0]):
        out, again = no_variance(d[0]), no_variance((a - b).mean())
    else:
        result = stats.ttest_rel(a, b)
        low, high = result.confidence_interval(confidence)
        out = {"mean_difference": d.mean(), "low": low, "high": high, "p": result.pvalue}
        again = student(a.mean() - b.mean(), math.sqrt(((d - d.mean()) ** 2).sum() / (len(d) - 1) / len(d)), len(d) - 1, confidence)
    emit("stat.paired_t", what, {"confidence": confidence}, {"a_N": a, "b_N": b}, out, again, atol, rtol)


def welch(what, a, b, confidence, atol=2e-6, rtol=2e-5):
    a, b = fp32(a), fp32(b)
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    if va + vb == 0:
        out, again = no_variance(a[0] - b[0]), no_variance(a.mean() - b.mean())
    else:
        result = stats.ttest_ind(a, b, equal_var=False)
        low, high = result.confidence_interval(confidence)
        out = {"mean_difference": a.mean() - b.mean(), "low": low, "high": high, "p": result.pvalue}
        df = (va + vb) ** 2 / (va ** 2 / (len(a) - 1) + vb ** 2 / (len(b) - 1))
        again = student(a.mean() - b.mean(), math.sqrt(va + vb), df, confidence)
    emit("stat.welch", what, {"confidence": confidence}, {"a_N": a, "b_M": b}, out, again, atol, rtol)


paired_t("twelve", rng.normal(size=12), rng.normal(size=12) + 0.3, 0.95)
paired_t("two", [1.0, 2.0], [0.5, 1.75], 0.9)
paired_t("no_variance", [2.0, 3.0, 4.0], [1.0, 2.0, 3.0], 0.95)
paired_t("no_variance_negative", [2.0, 3.0], [2.5, 3.5], 0.99)
paired_t("equal_p_1", [2.0, 3.0, 5.0], [2.0, 3.0, 5.0], 0.95)
paired_t("mean_0_with_variance", [1.0, 2.0, 3.0], [2.0, 2.0, 2.0], 0.95)
paired_t("N100", rng.normal(size=100), rng.normal(size=100) + 0.2, 0.95)
paired_t("large_offset", np.round(rng.normal(size=30) * 64) / 64 + 100_000, np.round(rng.normal(size=30) * 64) / 64 + 100_000.5, 0.99)
paired_t("very_small_p", rng.normal(size=40) * 0.1 + 5, rng.normal(size=40) * 0.1, 0.95)
paired_t("confidence_half", rng.normal(size=8), rng.normal(size=8), 0.5)
paired_t("binary_outcomes", rng.integers(0, 2, 64), rng.integers(0, 2, 64), 0.95)

welch("unequal", rng.normal(size=9), 3 * rng.normal(size=25) + 1, 0.95)
welch("two_and_three", [1.0, 2.0], [5.0, 5.5, 7.0], 0.95)
welch("one_side_constant", [2.0, 2.0, 2.0], [1.0, 2.5, 3.0, 4.0], 0.9)
welch("no_variance", [2.0, 2.0], [1.5, 1.5, 1.5], 0.95)
welch("no_variance_equal_p_1", [2.0, 2.0], [2.0, 2.0, 2.0], 0.95)
welch("same_samples", [1.0, 2.0, 4.0], [1.0, 2.0, 4.0], 0.95)
welch("N80_M120", rng.normal(size=80), 2 * rng.normal(size=120) + 0.4, 0.99)
welch("large_offset", np.round(rng.normal(size=20) * 64) / 64 + 100_000, np.round(rng.normal(size=15) * 64) / 64 + 100_001, 0.95)
welch("very_different_variance", rng.normal(size=6) * 100, rng.normal(size=50) * 0.01, 0.95, 1e-4)


def wilson(what, successes, trials, confidence, atol=1e-6):
    interval = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    z, share = stats.norm.isf((1 - confidence) / 2), successes / trials
    # The ends solve (share - p)^2 = z^2 p (1 - p) / trials.
    ends = np.sort(np.roots([1 + z * z / trials, -(2 * share + z * z / trials), share * share]).real)
    emit("stat.wilson", what, {"confidence": confidence}, {"successes": successes, "trials": trials},
         {"low": interval.low, "high": interval.high}, {"low": ends[0], "high": ends[1]}, atol, slack=1e-7)


wilson("some", 13, 40, 0.95)
wilson("none", 0, 7, 0.95)
wilson("all", 5, 5, 0.99)
wilson("one_trial_hit", 1, 1, 0.95)
wilson("one_trial_miss", 0, 1, 0.9)
wilson("half", 50, 100, 0.5)
wilson("many", 123_456, 1_000_000, 0.99)
wilson("rare", 3, 20_000_000, 0.95, 1e-10)
