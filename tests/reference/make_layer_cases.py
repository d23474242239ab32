#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes reference cases of the layers: layer.moe, layer.moe_capacity, layer.attention and optim.adamw.

Expected values and gradients are computed in float64 with numpy, the gradients derived by hand. Every case is checked before it is written:
against a second, dense formulation of the same layer (a gate for every token and expert instead of a loop over choices), against derivatives
by complex step (exact to rounding), and by running the same formulas in float32, which must stay within a third of the case's tolerance.
No case rests on a rounding: logits that decide a choice or a priority are exactly equal or apart by more than 1e-3 and 2e-4.

Usage: make_layer_cases.py [FOLDER]
"""
import os
import sys

import numpy as np
from scipy.special import softmax

from case_file import fp32, write_case
from layer_rules import adamw, adamw_sums, attention, attention_naive, moe, moe_dense

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
GAP, PRIORITY_GAP = 1e-3, 2e-4
SOURCE = "numpy, float64, from the definition; gradients by hand, checked by complex step"


# ---- checks

def sound_gaps(values, gap=GAP):
    """Neighbours of a descending list are equal or clearly apart."""
    d = np.abs(np.diff(values, axis=-1))
    return bool(np.all((d == 0) | (d > gap)))


def check_gradients(inputs, grads, seed_name, value):
    """value(inputs) -> y. Compares grads with complex-step derivatives along random directions, of each input alone."""
    local = np.random.default_rng(5)
    for name, grad in grads.items():
        for _ in range(2):
            d = local.normal(size=grad.shape)
            moved = dict(inputs)
            moved[name] = inputs[name] + 1e-30j * d
            by_step = (value(moved) * inputs[seed_name]).sum().imag / 1e-30
            assert abs((grad * d).sum() - by_step) <= 1e-9 * (np.abs(grad * d).sum() + 1e-3), (name, (grad * d).sum(), by_step)


def check_single(got, expected, atol, rtol, what):
    for name, value in expected.items():
        if np.issubdtype(np.asarray(value).dtype, np.floating):
            bad = np.abs(got[name].astype(float) - value) - (atol + rtol * np.abs(value)) / 3
            assert got[name].dtype == np.float32 and bad.max() <= 0, (what, name, bad.max())


# ---- mixture of experts

def write_moe(what, p, i, atol=4e-6, rtol=4e-5):
    op = "layer.moe_capacity" if "capacity" in p else "layer.moe"
    i = {name: fp32(value) for name, value in i.items()}
    out, grads = moe(i, p)
    ordered = -np.sort(-out["logits_TE"], axis=1)[:, :p["k"] + 1]
    assert sound_gaps(ordered), what
    if p.get("policy") == "batch_priority":
        assert sound_gaps(np.sort(softmax(out["logits_TE"], axis=1).max(1)), PRIORITY_GAP), what
    indices, kept = out["indices_TK"], out["kept_TK"]
    assert np.allclose(out["y_TD"], moe_dense(i, p, indices, kept), rtol=1e-11, atol=1e-13), what
    single, single_grads = moe({name: value.astype(np.float32) for name, value in i.items()}, p, (indices, kept))
    out = {name: out[name] for name in (("y_TD", "kept_TK") if "capacity" in p else ("y_TD", "logits_TE", "indices_TK"))}
    check_single(single, out, atol, rtol, what)
    if "seed_TD" in i:
        check_gradients(i, grads, "seed_TD", lambda moved: moe_dense(moved, p, indices, kept))
        check_single(single_grads, grads, atol, rtol, what)
    else:
        grads = None
    write_case(FOLDER, op, what, p, i, out, grads, atol, rtol, SOURCE)
    return out


def experts_of(rng, t, e, d, h, activation, biases):
    """Random weights without tokens and router."""
    i = {"w1_EHD": rng.normal(size=(e, h, d)) / np.sqrt(d), "w2_EDH": rng.normal(size=(e, d, h)) / np.sqrt(h), "seed_TD": rng.normal(size=(t, d))}
    if activation == "swiglu":
        i["w3_EHD"] = rng.normal(size=(e, h, d)) / np.sqrt(d)
    if "1" in biases:
        i["b1_EH"] = rng.normal(size=(e, h)) / 2
    if "2" in biases:
        i["b2_ED"] = rng.normal(size=(e, d)) / 2
    return i


def random_moe(what, seed, t, e, k, d=8, h=6, router="softmax_topk", renormalize=False, activation="gelu", biases="12", scale=1.0, change=None, **capacity):
    """A random case, from the first seed at or after the given one whose choices are clear."""
    p = {"k": k, "router": router, "renormalize": renormalize, "activation": activation} | capacity
    for attempt in range(2000):
        rng = np.random.default_rng(seed * 1000 + attempt)
        i = {"x_TD": rng.normal(size=(t, d)), "router_ED": scale * rng.normal(size=(e, d)) / np.sqrt(d)}
        i |= experts_of(rng, t, e, d, h, activation, biases if activation == "gelu" else "")
        if change:
            change(i)
        z = fp32(i["x_TD"]) @ fp32(i["router_ED"]).T
        if sound_gaps(-np.sort(-z, axis=1)[:, :k + 1]) and (p.get("policy") != "batch_priority" or sound_gaps(np.sort(softmax(z, axis=1).max(1)), PRIORITY_GAP)):
            return write_moe(what, p, i)
    raise ValueError(what)


def given_logits(what, seed, logits, k, h=5, router="softmax_topk", renormalize=False, activation="gelu", biases="12", rows=1, **capacity):
    """Tokens and router chosen so that the logits are exactly the given ones, in any order of summation: x holds one power of two per token,
    the router the logits of as many kinds of token as there are. Large logits are shared between the two, so gradients stay moderate."""
    p = {"k": k, "router": router, "renormalize": renormalize, "activation": activation} | capacity
    logits = np.repeat(np.asarray(logits, float), rows, axis=0)
    kinds, kind = np.unique(logits, axis=0, return_inverse=True)
    d = max(4, len(kinds))
    rng = np.random.default_rng(seed)
    x, router_ed = np.zeros((len(logits), d)), np.zeros((logits.shape[1], d))
    share = 16 if np.abs(logits).max() > 100 else 1
    x[np.arange(len(logits)), kind.ravel()] = share
    router_ed[:, :len(kinds)] = kinds.T / share
    i = {"x_TD": x, "router_ED": router_ed} | experts_of(rng, len(logits), logits.shape[1], d, h, activation, biases if activation == "gelu" else "")
    assert np.array_equal(x @ router_ed.T, logits)
    return write_moe(what, p, i, atol=4e-6 if np.abs(logits).max() < 100 else 2e-4 if activation == "swiglu" else 5e-5)


TIES = [[1, 1, 1, 1, 1], [2, 0, 2, 0, 2], [0, 3, 0, 3, -1], [-1, -1, -1, 4, 4], [0, 0, 0, 0, 5], [1.5, -2, 1.5, 1.5, 1.5]]
LARGE = [[500, -500, -400, -450], [-500, 500, 500, -500], [-500, -500, -500, -500], [-499, -500, -498, -497], [0, -500, 500, 1], [499, 500, 498.5, -500]]


def moe_cases():
    late = dict(router="topk_softmax")
    random_moe("softmax_k1", 1, 12, 4, 1)
    random_moe("softmax_k2", 2, 12, 4, 2)
    random_moe("softmax_k2_renormalized", 3, 12, 4, 2, renormalize=True)
    random_moe("softmax_k1_renormalized_weight_1", 4, 7, 4, 1, renormalize=True)
    random_moe("softmax_k2_swiglu", 5, 12, 4, 2, activation="swiglu")
    random_moe("softmax_k3_swiglu_renormalized", 6, 9, 5, 3, activation="swiglu", renormalize=True)
    random_moe("topk_softmax_k1", 7, 9, 4, 1, **late)
    random_moe("topk_softmax_k2_swiglu", 8, 12, 4, 2, activation="swiglu", **late)
    same = [random_moe(f"topk_softmax_k3_renormalize_{word}", 9, 10, 5, 3, renormalize=word == "true", **late) for word in ("false", "true")]
    assert np.array_equal(same[0]["y_TD"], same[1]["y_TD"])
    random_moe("no_biases", 10, 8, 4, 2, biases="")
    random_moe("output_bias_only", 11, 8, 4, 2, biases="2")
    random_moe("hidden_bias_only", 12, 8, 4, 2, biases="1")
    random_moe("k_equals_E", 13, 6, 4, 4)
    random_moe("k_equals_E_swiglu_topk_softmax", 14, 6, 3, 3, activation="swiglu", **late)
    random_moe("one_token", 15, 1, 5, 2, renormalize=True)
    random_moe("one_token_one_expert", 16, 1, 1, 1, activation="swiglu")
    random_moe("one_dimension", 17, 6, 3, 2, d=1, h=1, scale=3.0)

    def never_first(i):
        i["x_TD"][:, 0] = 1
        i["router_ED"][2, 0] = -12

    out = random_moe("dead_expert", 18, 16, 4, 2, change=never_first)
    assert 2 not in out["indices_TK"]
    random_moe("T96", 19, 96, 8, 2, d=4, h=3)
    random_moe("T70_swiglu_renormalized", 20, 70, 8, 3, d=4, h=4, activation="swiglu", renormalize=True)
    random_moe("decided_router", 21, 10, 4, 2, scale=12.0, renormalize=True)
    random_moe("forward_only", 22, 6, 4, 2, change=lambda i: i.pop("seed_TD"))
    given_logits("ties_k2", 23, TIES, 2)
    given_logits("ties_k3_swiglu_topk_softmax", 24, TIES, 3, activation="swiglu", **late)
    given_logits("zero_router", 25, np.zeros((5, 4)), 2, renormalize=True)
    given_logits("logits_500_k1", 26, LARGE, 1)
    given_logits("logits_500_k3", 27, LARGE, 3)
    given_logits("logits_500_k2_renormalized_swiglu", 28, LARGE, 2, renormalize=True, activation="swiglu")
    given_logits("logits_500_k3_topk_softmax", 29, LARGE, 3, **late)


def capacity_cases():
    late = dict(router="topk_softmax")
    place, first = dict(policy="position"), dict(policy="batch_priority")
    random_moe("position_k1", 41, 12, 4, 1, capacity=3, **place)
    random_moe("position_k2", 42, 12, 4, 2, capacity=4, **place)
    out = random_moe("position_k2_renormalized", 43, 12, 4, 2, renormalize=True, capacity=4, **place)
    assert np.any(out["kept_TK"].sum(1) == 1)
    a = random_moe("priority_k1", 44, 12, 4, 1, capacity=2, **first)
    random_moe("priority_k2_renormalized", 45, 12, 4, 2, renormalize=True, capacity=4, **first)
    random_moe("priority_k2_swiglu", 46, 12, 4, 2, activation="swiglu", capacity=4, **first)
    random_moe("priority_k3_topk_softmax", 47, 10, 5, 3, capacity=4, **first, **late)
    random_moe("capacity_1", 48, 10, 4, 2, capacity=1, **place)
    random_moe("capacity_1_priority", 49, 10, 4, 2, capacity=1, **first)
    assert (a["kept_TK"] == 0).any() and not a["y_TD"][a["kept_TK"].sum(1) == 0].any()
    out = random_moe("capacity_T_drops_nothing", 50, 9, 4, 2, capacity=9, **first)
    assert out["kept_TK"].all()
    random_moe("capacity_above_T", 51, 5, 3, 2, capacity=20, **place)
    random_moe("k_equals_E", 52, 6, 4, 4, capacity=3, **place)
    random_moe("k_equals_E_priority_topk_softmax", 53, 6, 4, 4, capacity=3, **first, **late)
    random_moe("one_token", 54, 1, 4, 2, capacity=1, **first)

    def crowd(i):
        i["x_TD"][:, 0] = 1
        i["router_ED"][1, 0] = 3
        i["router_ED"][3, 0] = -9

    out = random_moe("crowded_and_dead_expert", 55, 16, 4, 2, change=crowd, capacity=5, **first)
    assert out["kept_TK"][:, 0].sum() == 5
    random_moe("T80_position", 56, 80, 8, 2, d=4, h=3, capacity=16, **place)
    random_moe("T64_priority_swiglu", 57, 64, 6, 2, d=6, h=4, activation="swiglu", renormalize=True, capacity=12, **first)
    given_logits("ties_position", 58, TIES, 2, capacity=2, **place)
    # Equal rows share a priority exactly: the lower token goes first. For a full softmax the order is 1, 0, 2 of the kinds; among the chosen
    # two it would be 2, 1, 0.
    kinds = [[2.5, 1, 1, 1, 1], [3, 2, -1, -1, -1], [4, 1, 3.75, 3.75, 3.75]]
    full, two = softmax(kinds, axis=1).max(1), [softmax(np.sort(row)[-2:]).max() for row in np.array(kinds)]
    assert list(np.argsort(-full)) != list(np.argsort(-np.array(two)))
    given_logits("equal_priorities", 59, kinds, 2, rows=3, capacity=4, **first)
    given_logits("priority_by_full_softmax", 60, kinds, 2, rows=2, capacity=3, **first, **late)
    given_logits("logits_500_position", 61, LARGE, 2, capacity=2, **place)
    given_logits("logits_500_priority", 62, LARGE, 3, capacity=2, renormalize=True, **first)


# ---- attention

def write_attention(what, seed, b, t, d, heads, mask=None, scale=1.0, change=None, backward=True, atol=4e-6, rtol=4e-5):
    rng = np.random.default_rng(seed)
    i = {"x_BTD": rng.normal(size=(b, t, d))}
    for s in "qkvo":
        i[f"w{s}_DD"], i[f"b{s}_D"] = scale * rng.normal(size=(d, d)) / np.sqrt(d), rng.normal(size=d) / 2
    if backward:
        i["seed_BTD"] = rng.normal(size=(b, t, d))
    if change:
        change(i)
    i = {name: fp32(value) for name, value in i.items()}
    i["mask_BT"] = np.ones((b, t), np.uint8) if mask is None else np.array(mask, np.uint8)
    y, grads = attention(i, heads)
    assert np.allclose(y, attention_naive(i, heads), rtol=1e-11, atol=1e-12), what
    check_gradients(i, grads, "seed_BTD", lambda moved: attention_naive(moved, heads))
    single, single_grads = attention({name: value if name == "mask_BT" else value.astype(np.float32) for name, value in i.items()}, heads)
    check_single({"y": single}, {"y": y}, atol, rtol, what)
    check_single(single_grads, grads, atol, rtol, what)
    write_case(FOLDER, "layer.attention", what, {"heads": heads}, i, {"y_BTD": y}, grads or None, atol, rtol, SOURCE)


def attention_cases():
    write_attention("one_head", 71, 2, 5, 8, 1)
    write_attention("two_heads", 72, 2, 5, 8, 2)
    write_attention("four_heads", 73, 1, 7, 8, 4)
    write_attention("heads_equal_D", 74, 2, 4, 6, 6)
    write_attention("odd_head_width", 75, 1, 5, 6, 2)
    write_attention("padded_ends", 76, 3, 6, 8, 2, [[1] * 6, [1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0]])
    write_attention("holes_in_the_mask", 77, 2, 6, 8, 4, [[0, 1, 0, 1, 1, 0], [1, 0, 1, 0, 1, 0]])
    write_attention("one_key", 78, 1, 4, 4, 2, [[0, 0, 1, 0]])
    write_attention("one_token", 79, 1, 1, 8, 2)
    write_attention("one_token_many_samples", 80, 5, 1, 4, 2)
    write_attention("T64", 81, 1, 64, 4, 2, atol=1e-5)
    write_attention("T67_half_masked", 82, 1, 67, 6, 3, [[u % 2 for u in range(67)]], atol=1e-5)
    write_attention("decided", 83, 2, 6, 8, 2, scale=2.5, atol=5e-5)
    write_attention("forward_only", 84, 1, 4, 4, 1, backward=False)

    def equal_tokens(i):
        i["x_BTD"][:, 1:] = i["x_BTD"][:, :1]

    def zero_biases(i):
        for s in "qkvo":
            i[f"b{s}_D"][:] = 0

    def large_scores(i):
        """Scores +-1000 / sqrt(D / heads) between tokens of one axis, 0 between others."""
        zero_biases(i)
        i["wq_DD"], i["wk_DD"] = np.eye(4) * 50, np.eye(4) * 20
        i["x_BTD"][:] = 0
        for u, (axis, sign) in enumerate([(0, 1), (0, -1), (1, 1), (2, -1), (3, 1)]):
            i["x_BTD"][0, u, axis] = sign

    def no_content(i):
        i["x_BTD"][:] = 0

    write_attention("equal_tokens", 85, 2, 5, 8, 2, change=equal_tokens)
    write_attention("zero_biases", 86, 2, 5, 8, 2, change=zero_biases)
    write_attention("scores_500", 87, 1, 5, 4, 1, change=large_scores, atol=2e-5)
    write_attention("scores_707_two_heads", 88, 1, 5, 4, 2, [[1, 1, 1, 0, 1]], change=large_scores, atol=2e-5)
    write_attention("biases_only", 89, 1, 3, 4, 2, change=no_content)


# ---- AdamW

def write_adamw(what, seed, n, steps, lr=1e-2, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01, make=None, atol=1e-6, rtol=1e-5):
    rng = np.random.default_rng(seed)
    p = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": weight_decay, "steps": steps}
    param, grads = fp32(rng.normal(size=n)), rng.normal(size=(steps, n))
    grads = fp32(make(grads) if make else grads)
    expected = adamw(param, grads, p)
    assert np.allclose(expected, adamw_sums(param, grads, p), rtol=1e-10, atol=1e-13), what
    single = adamw(param.astype(np.float32), grads.astype(np.float32), p)
    check_single({"param_N": single}, {"param_N": expected}, atol, rtol, what)
    write_case(FOLDER, "optim.adamw", what, p, {"param_N": param, "grads_SN": grads}, {"param_N": expected}, None, atol, rtol,
               "numpy, float64, from the definition (Loshchilov and Hutter; eps as in torch.optim.AdamW)")


def adamw_cases():
    write_adamw("one_step", 91, 9, 1)
    write_adamw("ten_steps", 92, 9, 10)
    write_adamw("no_decay", 93, 9, 10, weight_decay=0.0)
    write_adamw("one_element", 94, 1, 5, weight_decay=0.1)
    write_adamw("many_steps", 95, 12, 120, lr=3e-3, weight_decay=0.05, atol=3e-6)
    write_adamw("many_elements", 96, 200, 8, beta2=0.98, eps=1e-6)
    write_adamw("zero_gradients_decay_only", 97, 6, 20, weight_decay=0.5, make=lambda g: 0 * g)
    write_adamw("zero_gradients_no_decay", 98, 6, 4, weight_decay=0.0, make=lambda g: 0 * g)
    write_adamw("no_momentum", 99, 7, 6, beta1=0.0)
    write_adamw("gradients_near_eps", 100, 8, 6, make=lambda g: g * 1e-8)
    write_adamw("large_eps", 101, 8, 6, eps=0.5)
    write_adamw("mixed_magnitudes", 102, 8, 12, make=lambda g: g * 10.0 ** np.arange(-6, 10, 2))
    write_adamw("rare_gradients", 103, 6, 15, make=lambda g: g * (np.arange(15)[:, None] % 5 == np.arange(6) % 5))
    write_adamw("late_first_gradient", 104, 4, 8, make=lambda g: g * (np.arange(8)[:, None] >= 5))


moe_cases()
capacity_cases()
attention_cases()
adamw_cases()
