#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes malformed cases of the layers, the optimiser, the metrics and the statistics into FOLDER/malformed: files that a reader must refuse with
a reason, never compute or crash on.

What makes a case malformed is the contract's list: unknown operation, parameter or tensor name, missing input, wrong shape, zero tokens,
k outside 1..E, an index of E or more, logits that are not finite, an attention mask that is all zero, heads that do not divide D. Each file is a
case of the right form with one fault, so the fault alone can be the reason; its expected outputs are zeros, since nothing is to be compared.
The metadata hold `status` (`bad case` or `unknown op`) and `expect`, a piece of text that the reason should contain.

Usage: make_malformed_layer_metric_cases.py [FOLDER]
"""
import os
import sys

import numpy as np

from case_file import write_malformed

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(20240704)
T, E, K, D, H = 3, 3, 2, 4, 2


def floats(*shape):
    return np.round(rng.normal(size=shape) * 64) / 64


def zeros(**shapes):
    return {name: np.zeros(shape, np.int64 if name in ("indices_TK", "count_EE", "permutation_E") else np.uint8 if name in ("kept_TK", "flag_S") else float)
            for name, shape in shapes.items()}


chosen, other = np.array([[0, 1], [2, 0], [1, 2]]), np.array([[1, 0], [2, 1], [0, 2]])
one, label = np.array([0, 2, 1]), np.array([1, 0, 1])
MOE = {"x_TD": floats(T, D), "router_ED": floats(E, D), "w1_EHD": floats(E, H, D), "w2_EDH": floats(E, D, H)}
GELU = {"b1_EH": floats(E, H), "b2_ED": floats(E, D)}
FORM = {"k": K, "router": "softmax_topk", "renormalize": False, "activation": "gelu"}
ATTENTION = {"x_BTD": floats(2, T, D), "mask_BT": np.ones((2, T), np.uint8)}
for letter in "qkvo":
    ATTENTION |= {f"w{letter}_DD": floats(D, D), f"b{letter}_D": floats(D)}

# op -> parameters, inputs, one output of the right shape
SOUND = {
    "layer.moe": (FORM, MOE | GELU, zeros(y_TD=(T, D))),
    "layer.moe_capacity": (FORM | {"capacity": 2, "policy": "position"}, MOE | GELU, zeros(kept_TK=(T, K))),
    "layer.attention": ({"heads": 2}, ATTENTION, zeros(y_BTD=(2, T, D))),
    "optim.adamw": ({"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01, "steps": 2}, {"param_N": floats(5), "grads_SN": floats(2, 5)},
                    zeros(param_N=(5,))),
    "metric.load": ({"experts": E}, {"indices_TK": chosen}, zeros(share_E=(E,))),
    "metric.confidence": ({"k": K}, {"logits_TE": floats(T, E)}, zeros(entropy=())),
    "metric.saturation": ({}, {"a_TK": chosen, "b_TK": other}, zeros(overlap=())),
    "metric.churn": ({}, {"a_TK": chosen, "b_TK": other}, zeros(changed_first=())),
    "metric.mutual_information": ({}, {"label_T": label, "expert_T": one}, zeros(mi=())),
    "metric.npmi": ({"labels": 2, "experts": E}, {"label_T": label, "indices_TK": chosen}, zeros(npmi_LE=(2, E))),
    "metric.coactivation": ({"experts": E}, {"indices_TK": chosen}, zeros(count_EE=(E, E))),
    "metric.flow": ({"experts_a": E, "experts_b": E}, {"a_TK": chosen, "b_TK": other}, zeros(count_EE=(E, E))),
    "metric.modality_split": ({"experts": E, "modalities": 2}, {"modality_T": label, "indices_TK": chosen}, zeros(p_expert_given_modality_ME=(2, E))),
    "metric.vocabulary": ({"experts": E}, {"token_T": label, "indices_TK": chosen}, zeros(specialization=())),
    "metric.repetition": ({}, {"sequence_T": label, "expert_T": one}, zeros(rate=())),
    "metric.match_experts": ({"experts": E}, {"a_T": one, "b_T": one}, zeros(agreement=())),
    "metric.cka": ({}, {"x_TD": floats(T, D), "y_TD": floats(T, D)}, zeros(cka=())),
    "metric.jsd": ({}, {"p_E": np.array([0.5, 0.5]), "q_E": np.array([0.25, 0.75])}, zeros(jsd=())),
    "metric.spikes": ({"window": 3, "sigmas": 2.0}, {"series_S": floats(6)}, zeros(flag_S=(6,))),
    "metric.retrieval": ({"ks": [1, 2]}, {"similarity_IT": floats(2, 3), "group_I": np.array([0, 1]), "group_T": np.array([0, 1, 1])}, zeros(recall_i2t_K=(2,))),
    "stat.paired_t": ({"confidence": 0.95}, {"a_N": floats(4), "b_N": floats(4)}, zeros(p=())),
    "stat.welch": ({"confidence": 0.95}, {"a_N": floats(4), "b_M": floats(5)}, zeros(p=())),
    "stat.wilson": ({"confidence": 0.95}, {"successes": 2, "trials": 5}, zeros(low=())),
}


def faulty(op, what, expect, params=None, inputs=None, outputs=None, without=()):
    """The sound case of op with the given parameters and tensors put in place of its own, and some inputs left out."""
    p, i, o = SOUND[op]
    i = {name: value for name, value in (i | (inputs or {})).items() if name not in without}
    write_malformed(FOLDER, op, what, params if isinstance(params, str) else p | (params or {}), i, o | (outputs or {}), expect)


def changed(x, place, value):
    out = np.array(x)
    out[place] = value
    return out


for op, (p, i, o) in SOUND.items():
    faulty(op, "unknown_parameter", "temperature", params={"temperature": 2.0})
    faulty(op, "unknown_input", "extra_T", inputs={"extra_T": np.zeros(T)})
    faulty(op, "unknown_output", "surprise", outputs={"surprise": 0.0})
    required = [name for name in i if name not in GELU]
    for name in required if not op.startswith("layer") else required[:2]:
        faulty(op, f"missing_{name}", name, without=(name,))
    name = required[-1]
    faulty(op, f"shape_{name}", name, inputs={name: np.stack([i[name], i[name]])})
    name = next(iter(o))
    faulty(op, "shape_of_output", name, outputs={name: np.stack([o[name], o[name]])})
    rows = {name: value[:0] for name, value in i.items() if np.ndim(value) and name.split("_")[1].startswith("T")}
    if rows and op != "metric.retrieval":
        empty = {name: value[:0] if name.rsplit("_", 1)[-1].startswith("T") else value for name, value in o.items()}
        write_malformed(FOLDER, op, "zero_tokens", p, i | rows, empty, "token")
    if "k" in p:
        faulty(op, "k_is_0", "k", params={"k": 0})
        faulty(op, "k_above_e", "k", params={"k": E + 1})
        faulty(op, "k_negative", "k", params={"k": -2})

# An index of E or more. One of two equal-sized inputs is at fault.
for op, name in (("load", "indices_TK"), ("npmi", "indices_TK"), ("coactivation", "indices_TK"), ("modality_split", "indices_TK"), ("vocabulary", "indices_TK"),
                 ("flow", "a_TK"), ("flow", "b_TK"), ("match_experts", "a_T"), ("match_experts", "b_T"), ("npmi", "label_T"), ("modality_split", "modality_T")):
    value = SOUND["metric." + op][1][name]
    faulty("metric." + op, f"index_too_large_{name}", name, inputs={name: changed(value, (1,) + (0,) * (value.ndim - 1), 2 if name in ("label_T", "modality_T") else E)})

# Inputs of different lengths; the second is asked for.
for op, name in (("metric.saturation", "b_TK"), ("metric.churn", "b_TK"), ("metric.flow", "b_TK"), ("metric.mutual_information", "expert_T"), ("metric.npmi", "indices_TK"),
                 ("metric.vocabulary", "indices_TK"), ("metric.modality_split", "indices_TK"), ("metric.repetition", "expert_T"), ("metric.match_experts", "b_T"),
                 ("metric.cka", "y_TD"), ("metric.jsd", "q_E"), ("metric.retrieval", "group_T"), ("stat.paired_t", "b_N")):
    faulty(op, f"length_{name}", name, inputs={name: SOUND[op][1][name][:-1]})
faulty("metric.saturation", "other_k", "b_TK", inputs={"b_TK": other[:, :1]})
faulty("metric.churn", "other_k", "b_TK", inputs={"b_TK": other[:, :1]})

# Numbers that are not finite.
for word, value in (("nan", np.nan), ("infinite", np.inf)):
    faulty("metric.confidence", f"{word}_logits", "logits_TE", inputs={"logits_TE": changed(SOUND["metric.confidence"][1]["logits_TE"], (1, 1), value)})
    faulty("layer.moe", f"{word}_token", "finite", inputs={"x_TD": changed(MOE["x_TD"], (1, 1), value)})
    faulty("layer.moe_capacity", f"{word}_router", "finite", inputs={"router_ED": changed(MOE["router_ED"], (0, 0), value)})

# Layers.
for op in ("layer.moe", "layer.moe_capacity"):
    faulty(op, "unknown_router", "router", params={"router": "oracle"})
    faulty(op, "unknown_activation", "activation", params={"activation": "tanh"})
    faulty(op, "swiglu_without_w3", "w3_EHD", params={"activation": "swiglu"}, without=("b1_EH", "b2_ED"))
    faulty(op, "seed_of_another_width", "seed_TD", inputs={"seed_TD": np.zeros((T, D + 1))})
    faulty(op, "experts_of_another_number", "w2_EDH", inputs={"w2_EDH": np.zeros((E + 1, D, H))})
    faulty(op, "hidden_of_another_width", "w2_EDH", inputs={"w2_EDH": np.zeros((E, D, H + 1))})
    faulty(op, "router_of_another_width", "router_ED", inputs={"router_ED": np.zeros((E, D - 1))})
    faulty(op, "bias_of_another_width", "b1_EH", inputs={"b1_EH": np.zeros((E, H + 1))})
faulty("layer.moe", "swiglu_with_bias", "b1_EH", params={"activation": "swiglu"}, inputs={"w3_EHD": MOE["w1_EHD"]}, without=("b2_ED",))
faulty("layer.moe", "gelu_with_w3", "w3_EHD", inputs={"w3_EHD": MOE["w1_EHD"]})
faulty("layer.moe", "params_not_json", "params", params='{"k": 2, "router"')
faulty("layer.moe_capacity", "unknown_policy", "policy", params={"policy": "random"})
faulty("layer.attention", "heads_do_not_divide_D", "heads", params={"heads": 3})
faulty("layer.attention", "heads_above_D", "heads", params={"heads": 8})
faulty("layer.attention", "heads_is_0", "heads", params={"heads": 0})
faulty("layer.attention", "mask_all_zero", "mask", inputs={"mask_BT": np.zeros((2, T), np.uint8)})
faulty("layer.attention", "mask_zero_for_one_sample", "mask", inputs={"mask_BT": np.array([[1, 1, 0], [0, 0, 0]], np.uint8)})
faulty("layer.attention", "mask_of_another_length", "mask_BT", inputs={"mask_BT": np.ones((2, T + 1), np.uint8)})
faulty("layer.attention", "wv_not_square", "wv_DD", inputs={"wv_DD": np.zeros((D, D + 1))})
write_malformed(FOLDER, "layer.attention", "zero_tokens", {"heads": 2}, ATTENTION | {"x_BTD": np.zeros((2, 0, D)), "mask_BT": np.ones((2, 0), np.uint8)},
                zeros(y_BTD=(2, 0, D)), "token")
faulty("optim.adamw", "gradients_of_another_length", "grads_SN", inputs={"grads_SN": np.zeros((2, 4))})

# Operations that do not exist.
for op in ("layer.nonesuch", "metric.nonesuch", "stat.nonesuch", "optim.sgd"):
    write_malformed(FOLDER, op, "unknown_op", {}, {"logits_TE": np.zeros((2, 2))}, {"y": 0.0}, op, status="unknown op")
