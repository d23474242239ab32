#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the written cases of layers and of the optimiser against PyTorch in float64: layer.moe and layer.moe_capacity by a plain loop with
autograd, layer.attention by torch.nn.MultiheadAttention, optim.adamw by torch.optim.AdamW. Nothing is shared with the scripts that wrote them.

Usage: check_layers_with_torch.py [FOLDER]     needs torch and safetensors
"""
import glob
import json
import os
import sys
from collections import Counter

import torch
from safetensors import safe_open

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
checked = Counter()


def moe(i, p):
    x, k = i["x_TD"], p["k"]
    logits = x @ i["router_ED"].T
    order = torch.sort(logits, dim=1, descending=True, stable=True).indices[:, :k]
    probs = torch.softmax(logits, 1)
    w = probs.gather(1, order)
    if p["router"] == "topk_softmax":
        w = torch.softmax(logits.gather(1, order), 1)
    elif p["renormalize"]:
        w = w / w.sum(1, keepdim=True)
    tokens = list(range(len(x)))
    if p.get("policy") == "batch_priority":
        tokens.sort(key=lambda t: -probs[t].max().item())
    room = [p.get("capacity", len(x) * k)] * logits.shape[1]
    kept = torch.zeros(order.shape, dtype=torch.uint8)
    rows = [torch.zeros(x.shape[1], dtype=x.dtype) for _ in tokens]
    for j in range(k):
        for t in tokens:
            e = order[t, j].item()
            if room[e] == 0:
                continue
            room[e] -= 1
            kept[t, j] = 1
            a = torch.nn.functional.linear(x[t], i["w1_EHD"][e], i["b1_EH"][e] if "b1_EH" in i else None)
            h = torch.nn.functional.silu(a) * (i["w3_EHD"][e] @ x[t]) if p["activation"] == "swiglu" else torch.nn.functional.gelu(a)
            rows[t] = rows[t] + w[t, j] * torch.nn.functional.linear(h, i["w2_EDH"][e], i["b2_ED"][e] if "b2_ED" in i else None)
    return {"y_TD": torch.stack(rows), "logits_TE": logits, "indices_TK": order, "kept_TK": kept}


def attention(i, p):
    x = i["x_BTD"]
    layer = torch.nn.MultiheadAttention(x.shape[2], p["heads"], batch_first=True, dtype=torch.float64)
    weights = {"in_proj_weight": torch.cat([i[f"w{s}_DD"] for s in "qkv"]), "in_proj_bias": torch.cat([i[f"b{s}_D"] for s in "qkv"]),
               "out_proj.weight": i["wo_DD"], "out_proj.bias": i["bo_D"]}
    y, _ = torch.func.functional_call(layer, weights, (x, x, x), {"key_padding_mask": i["mask_BT"] == 0, "need_weights": False})
    return {"y_BTD": y}


def adamw(i, p):
    param = torch.nn.Parameter(i["param_N"].detach().clone())
    optimiser = torch.optim.AdamW([param], lr=p["lr"], betas=(p["beta1"], p["beta2"]), eps=p["eps"], weight_decay=p["weight_decay"])
    for g in i["grads_SN"][:p["steps"]]:
        param.grad = g.detach().clone()
        optimiser.step()
    return {"param_N": param.detach()}


RULES = {"layer.moe": (moe, "seed_TD"), "layer.moe_capacity": (moe, "seed_TD"), "layer.attention": (attention, "seed_BTD"), "optim.adamw": (adamw, None)}

for path in sorted(glob.glob(f"{FOLDER}/layer.*.safetensors") + glob.glob(f"{FOLDER}/optim.*.safetensors")):
    with safe_open(path, "pt") as file:
        meta, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    rule, seed = RULES[meta["op"]]
    # Values from transformers carry the rounding of its float32 softmax.
    slack = {"rtol": 1e-5, "atol": 1e-6} if "transformers" in meta["source"] else {"rtol": 1e-6, "atol": 1e-9}
    i = {name[3:]: value.double().requires_grad_() if value.is_floating_point() else value for name, value in tensors.items() if name.startswith("in.")}
    out = rule(i, json.loads(meta["params"]))
    for name, value in tensors.items():
        if name.startswith("out."):
            got = out[name[4:]].detach()
            assert got.shape == value.shape and torch.allclose(got.double(), value.double(), **slack), (path, name)
    if seed in i:
        y = out["y_TD" if "y_TD" in out else "y_BTD"]
        inputs = {name: value for name, value in i.items() if value.is_floating_point() and name != seed}
        assert {"grad." + name for name in inputs} == {name for name in tensors if name.startswith("grad.")}, path
        for name, got in zip(inputs, torch.autograd.grad((y * i[seed]).sum(), list(inputs.values()), allow_unused=True)):
            want = tensors["grad." + name].double()
            got = torch.zeros_like(want) if got is None else got
            assert torch.allclose(got, want, **slack), (path, name, (got - want).abs().max())
    checked[meta["op"]] += 1
print(dict(checked))
