# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers and the optimiser, each written down twice: token by token or step by step with gradients derived by hand, and once more in
another form without gradients (dense gates, one query at a time, sums over all steps), which also takes complex numbers, so that a gradient
can be checked by complex step. The first forms keep the type of their inputs: float64 for expected values, float32 for a fair tolerance.
"""
import numpy as np
from scipy.special import erf, softmax


def softmax_rows(z):
    """Softmax of the last axis, for real and complex numbers."""
    e = np.exp(z - z.real.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def gelu(a):
    return a * (1 + erf(a / np.sqrt(2).astype(a.real.dtype))) / 2


def gelu_slope(a):
    return (1 + erf(a / np.sqrt(2).astype(a.dtype))) / 2 + a * np.exp(-a * a / 2) / np.sqrt(2 * np.pi).astype(a.dtype)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


# ---- mixture of experts

def select(logits, k):
    return np.argsort(-logits, axis=1, kind="stable")[:, :k]


def priority_order(logits, policy):
    if policy == "position":
        return np.arange(len(logits))
    return np.argsort(-softmax_rows(logits).max(1), kind="stable")


def keep_choices(indices, order, experts, capacity):
    """All first choices before second ones, each time in the given order of tokens."""
    kept, used = np.zeros(indices.shape, np.uint8), np.zeros(experts, int)
    for j in range(indices.shape[1]):
        for t in order:
            e = indices[t, j]
            if used[e] < capacity:
                used[e] += 1
                kept[t, j] = 1
    return kept


def expert(i, e, x, activation):
    """One expert on one token: its output and what its gradient needs."""
    if activation == "swiglu":
        a, b = i["w1_EHD"][e] @ x, i["w3_EHD"][e] @ x
        s = sigmoid(a)
        h = a * s * b
        return i["w2_EDH"][e] @ h, (h, a, b, s)
    a = i["w1_EHD"][e] @ x + (i["b1_EH"][e] if "b1_EH" in i else 0)
    h = gelu(a)
    return i["w2_EDH"][e] @ h + (i["b2_ED"][e] if "b2_ED" in i else 0), (h, a)


def expert_gradient(i, g, e, x, activation, memory, df):
    """Adds to g the gradients of one expert on one token; returns that of the token."""
    h, a = memory[0], memory[1]
    g["w2_EDH"][e] += np.outer(df, h)
    if "b2_ED" in g:
        g["b2_ED"][e] += df
    dh = i["w2_EDH"][e].T @ df
    dx = 0
    if activation == "swiglu":
        b, s = memory[2], memory[3]
        db = dh * a * s
        g["w3_EHD"][e] += np.outer(db, x)
        dx = i["w3_EHD"][e].T @ db
        da = dh * b * s * (1 + a * (1 - s))
    else:
        da = dh * gelu_slope(a)
        if "b1_EH" in g:
            g["b1_EH"][e] += da
    g["w1_EHD"][e] += np.outer(da, x)
    return dx + i["w1_EHD"][e].T @ da


def moe(i, p, plan=None):
    """The layer token by token. plan: choices and drops made in float64, for the run in float32."""
    x, k = i["x_TD"], p["k"]
    logits = x @ i["router_ED"].T
    indices, kept = plan if plan else (select(logits, k), None)
    if kept is None:
        kept = np.ones(indices.shape, np.uint8) if "capacity" not in p else keep_choices(
            indices, priority_order(logits, p["policy"]), logits.shape[1], p["capacity"])
    probs = softmax_rows(logits)
    chosen = np.take_along_axis(probs, indices, 1)
    total = chosen.sum(1, keepdims=True)
    late = p["router"] == "topk_softmax"
    w = softmax_rows(np.take_along_axis(logits, indices, 1)) if late else chosen / total if p["renormalize"] else chosen
    g = {name: np.zeros_like(value) for name, value in i.items() if name != "seed_TD"}
    y, dw = np.zeros_like(x), np.zeros_like(w)
    for t, j in np.argwhere(kept):
        e = indices[t, j]
        f, memory = expert(i, e, x[t], p["activation"])
        y[t] += w[t, j] * f
        if "seed_TD" in i:
            dw[t, j] = i["seed_TD"][t] @ f
            g["x_TD"][t] += expert_gradient(i, g, e, x[t], p["activation"], memory, w[t, j] * i["seed_TD"][t])
    dlogits = np.zeros_like(logits)
    centred = dw - (w * dw).sum(1, keepdims=True)
    if late:
        np.put_along_axis(dlogits, indices, w * centred, 1)
    else:
        dp = np.zeros_like(logits)
        np.put_along_axis(dp, indices, centred / total if p["renormalize"] else dw, 1)
        dlogits = probs * (dp - (probs * dp).sum(1, keepdims=True))
    g["x_TD"] += dlogits @ i["router_ED"]
    g["router_ED"] += dlogits.T @ x
    return {"y_TD": y, "logits_TE": logits, "indices_TK": indices, "kept_TK": kept}, g


def moe_dense(i, p, indices, kept):
    """The second formulation: every expert on every token, times a gate that is zero where not chosen or dropped. Also for complex inputs."""
    z = np.einsum("td,ed->te", i["x_TD"], i["router_ED"])
    chosen, gate_mask = np.zeros(z.shape), np.zeros(z.shape)
    for t, row in enumerate(indices):
        chosen[t, row] = 1
        gate_mask[t, row] = kept[t]
    e = np.exp(z - z.real.max(1, keepdims=True))
    if p["router"] == "topk_softmax":
        top = np.where(chosen > 0, z.real, -np.inf).max(1, keepdims=True)
        late = np.where(chosen > 0, np.exp(np.where(chosen > 0, z - top, 0)), 0)
        gate = late / late.sum(1, keepdims=True)
    else:
        gate = e * chosen / ((e * chosen).sum(1, keepdims=True) if p["renormalize"] else e.sum(1, keepdims=True))
    a = np.einsum("ehd,td->teh", i["w1_EHD"], i["x_TD"]) + (i["b1_EH"] if "b1_EH" in i else 0)
    h = a / (1 + np.exp(-a)) * np.einsum("ehd,td->teh", i["w3_EHD"], i["x_TD"]) if p["activation"] == "swiglu" else gelu(a)
    f = np.einsum("edh,teh->ted", i["w2_EDH"], h) + (i["b2_ED"] if "b2_ED" in i else 0)
    return np.einsum("te,ted->td", gate * gate_mask, f)


# ---- attention

def attention(i, heads):
    x, mask = i["x_BTD"], i["mask_BT"]
    b, t, d = x.shape
    n = d // heads

    def split(a):
        return a.reshape(b, t, heads, n).transpose(0, 2, 1, 3)

    def join(a):
        return a.transpose(0, 2, 1, 3).reshape(b, t, d)

    scale = np.asarray(1 / np.sqrt(n), x.dtype)
    q, k, v = (split(x @ i[f"w{s}_DD"].T + i[f"b{s}_D"]) for s in "qkv")
    scores = np.where(mask[:, None, None, :] > 0, q @ k.transpose(0, 1, 3, 2) * scale, -np.inf)
    a = softmax(scores, axis=-1)
    o = join(a @ v)
    y = o @ i["wo_DD"].T + i["bo_D"]
    g = {}
    if "seed_BTD" not in i:
        return y, g
    flat, seed = x.reshape(-1, d), i["seed_BTD"]
    g["wo_DD"], g["bo_D"] = seed.reshape(-1, d).T @ o.reshape(-1, d), seed.sum((0, 1))
    do = split(seed @ i["wo_DD"])
    da = do @ v.transpose(0, 1, 3, 2)
    ds = a * (da - (a * da).sum(-1, keepdims=True)) * scale
    g["x_BTD"] = np.zeros_like(x)
    for s, dr in (("q", ds @ k), ("k", ds.transpose(0, 1, 3, 2) @ q), ("v", a.transpose(0, 1, 3, 2) @ do)):
        dr = join(dr)
        g[f"w{s}_DD"], g[f"b{s}_D"] = dr.reshape(-1, d).T @ flat, dr.sum((0, 1))
        g["x_BTD"] += dr @ i[f"w{s}_DD"]
    return y, g


def attention_naive(i, heads):
    """The second formulation, one query at a time. Also for complex inputs."""
    x = i["x_BTD"]
    b, t, d = x.shape
    n = d // heads
    joined = np.zeros((b, t, d), np.result_type(*[i[name] for name in i if name != "mask_BT"]))
    for c in range(b):
        keys = np.flatnonzero(i["mask_BT"][c])
        for head in range(heads):
            part = slice(head * n, head * n + n)
            k = [i["wk_DD"][part] @ x[c, u] + i["bk_D"][part] for u in keys]
            v = [i["wv_DD"][part] @ x[c, u] + i["bv_D"][part] for u in keys]
            for r in range(t):
                q = i["wq_DD"][part] @ x[c, r] + i["bq_D"][part]
                s = np.array([(q * one).sum() / n ** 0.5 for one in k])
                e = np.exp(s - s.real.max())
                joined[c, r, part] = sum(weight * one for weight, one in zip(e / e.sum(), v))
    return np.array([[i["wo_DD"] @ row + i["bo_D"] for row in one] for one in joined])


# ---- AdamW

def adamw(param, grads, p):
    m, v = np.zeros_like(param), np.zeros_like(param)
    for step, g in enumerate(grads[:p["steps"]], 1):
        m = p["beta1"] * m + (1 - p["beta1"]) * g
        v = p["beta2"] * v + (1 - p["beta2"]) * g * g
        root = np.sqrt(v / (1 - p["beta2"] ** step))
        param = param - p["lr"] * p["weight_decay"] * param - p["lr"] * (m / (1 - p["beta1"] ** step)) / (root + p["eps"])
    return param


def adamw_sums(param, grads, p):
    """The second formulation: moments as weighted sums over all steps so far, element by element."""
    out = []
    for n, x in enumerate(param):
        for s in range(1, p["steps"] + 1):
            m = sum(p["beta1"] ** (s - r) * grads[r - 1, n] for r in range(1, s + 1)) / sum(p["beta1"] ** (s - r) for r in range(1, s + 1))
            v = sum(p["beta2"] ** (s - r) * grads[r - 1, n] ** 2 for r in range(1, s + 1)) / sum(p["beta2"] ** (s - r) for r in range(1, s + 1))
            x = x * (1 - p["lr"] * p["weight_decay"]) - p["lr"] * m / (v ** 0.5 + p["eps"])
        out.append(x)
    return np.array(out)
