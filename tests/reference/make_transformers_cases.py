#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes cases of layer.moe from Hugging Face transformers: the sparse blocks of Mixtral and of Qwen3-VL-MoE with random weights.

Both blocks take the softmax over all experts, choose the k best and divide their weights by the sum (softmax_topk with renormalize), which
equals the softmax over the chosen logits; their experts are swiglu without biases. Each block's cases are therefore written in both forms.
The blocks run in float64 but take their softmax in float32, so values are good to about 1e-7. gate_up_proj is split into w1 (the gate) and
w3. Gradients come from PyTorch's autograd. Each case must agree with the formulas of layer_rules.py before it is written.

Usage: make_transformers_cases.py [FOLDER]     needs torch and transformers
"""
import os
import sys

import numpy as np
import torch
import transformers
from transformers.models.mixtral.configuration_mixtral import MixtralConfig
from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock
from transformers.models.qwen3_vl_moe.configuration_qwen3_vl_moe import Qwen3VLMoeTextConfig
from transformers.models.qwen3_vl_moe.modeling_qwen3_vl_moe import Qwen3VLMoeTextSparseMoeBlock

from case_file import fp32, write_case
from layer_rules import moe

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
ATOL, RTOL = 4e-6, 4e-5


def mixtral(d, h, e, k):
    return MixtralSparseMoeBlock, MixtralConfig(hidden_size=d, intermediate_size=h, num_local_experts=e, num_experts_per_tok=k, num_attention_heads=2,
                                                num_key_value_heads=2, hidden_act="silu", router_jitter_noise=0.0)


def qwen3_vl_moe(d, h, e, k):
    return Qwen3VLMoeTextSparseMoeBlock, Qwen3VLMoeTextConfig(hidden_size=d, moe_intermediate_size=h, num_experts=e, num_experts_per_tok=k,
                                                              num_attention_heads=2, num_key_value_heads=2, hidden_act="silu")


def clear(logits, k):
    ordered = -np.sort(-logits, axis=1)[:, :k + 1]
    return np.all(np.abs(np.diff(ordered, axis=1)) > 1e-3)


def case(name, make, what, seed, b, s, d, h, e, k, late, dead=None):
    """One case of b sequences of s tokens. late: written with the router topk_softmax."""
    block_class, config = make(d, h, e, k)
    config._experts_implementation = "eager"
    block = block_class(config).double().eval()
    for attempt in range(200):
        rng = np.random.default_rng(seed * 1000 + attempt)
        x = fp32(rng.normal(size=(b, s, d)))
        router = rng.normal(size=(e, d)) / np.sqrt(d) * 1.5
        if dead is not None:
            x[:, :, 0] = 1
            router[dead, 0] = -12
        router = fp32(router)
        if clear(x.reshape(-1, d) @ router.T, k):
            break
    else:
        raise ValueError(what)
    gate_up, down = fp32(rng.normal(size=(e, 2 * h, d)) / np.sqrt(d)), fp32(rng.normal(size=(e, d, h)) / np.sqrt(h))
    seed_td = fp32(rng.normal(size=(b * s, d)))
    with torch.no_grad():
        for parameter, value in ((block.gate.weight, router), (block.experts.gate_up_proj, gate_up), (block.experts.down_proj, down)):
            assert parameter.shape == value.shape
            parameter.copy_(torch.from_numpy(value))
    tokens = torch.from_numpy(x.copy()).requires_grad_()
    y = block(tokens)
    assert y.dtype == torch.float64
    (y.reshape(-1, d) * torch.from_numpy(seed_td)).sum().backward()
    with torch.no_grad():
        logits, _, indices = block.gate(tokens)

    def numpy(tensor):
        return tensor.detach().numpy()

    inputs = {"x_TD": x.reshape(-1, d), "router_ED": router, "w1_EHD": gate_up[:, :h], "w3_EHD": gate_up[:, h:], "w2_EDH": down, "seed_TD": seed_td}
    outputs = {"y_TD": numpy(y).reshape(-1, d), "logits_TE": numpy(logits).astype(float), "indices_TK": numpy(indices)}
    both = numpy(block.experts.gate_up_proj.grad)
    grads = {"x_TD": numpy(tokens.grad).reshape(-1, d), "router_ED": numpy(block.gate.weight.grad), "w1_EHD": both[:, :h], "w3_EHD": both[:, h:],
             "w2_EDH": numpy(block.experts.down_proj.grad)}
    assert dead is None or dead not in outputs["indices_TK"]
    params = {"k": k, "router": "topk_softmax" if late else "softmax_topk", "renormalize": not late, "activation": "swiglu"}
    own, own_grads = moe(inputs, params)
    for ours, theirs in ((own, outputs), (own_grads, grads)):
        for key, value in theirs.items():
            assert np.allclose(ours[key], value, rtol=RTOL / 8, atol=ATOL / 8), (what, key, np.abs(ours[key] - value).max())
    write_case(FOLDER, "layer.moe", f"{name}_{what}", params, {key: np.ascontiguousarray(value) for key, value in inputs.items()}, outputs, grads, ATOL, RTOL,
               f"transformers {transformers.__version__}, {block_class.__name__}, float64 (its softmax float32), torch {torch.__version__.split('+')[0]}")


torch.manual_seed(0)
for name, make, seed in (("mixtral", mixtral, 500), ("qwen3_vl_moe", qwen3_vl_moe, 600)):
    case(name, make, "k2", seed + 1, 2, 6, 8, 6, 4, 2, late=False)
    case(name, make, "k2_topk_softmax", seed + 2, 1, 10, 8, 6, 4, 2, late=True)
    case(name, make, "E8_k3_T64", seed + 3, 4, 16, 6, 4, 8, 3, late=False)
    case(name, make, "one_token_k1", seed + 4, 1, 1, 12, 6, 5, 1, late=False)
    case(name, make, "k_equals_E", seed + 5, 2, 4, 8, 6, 3, 3, late=True)
    case(name, make, "dead_expert", seed + 6, 1, 12, 8, 6, 4, 2, late=False, dead=1)
    case(name, make, "D32", seed + 7, 1, 5, 32, 4, 2, 1, late=True)
