# SPDX-License-Identifier: GPL-3.0-or-later
"""The routers' rules twice: as array formulas (names without prefix, any float type) and as plain loops in double precision (check_*).

Both take (inputs, params) and give the outputs of the case. Ties go to the lower index. The two forms share no code, so that a slip in one
shows: the loops use math and explicit scans, Sinkhorn's loops even work with logarithms.
"""
import itertools
import math

import numpy as np
from scipy.optimize import linear_sum_assignment, linprog


# ---- array formulas ----
def softmax(z, axis=1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e)).astype(z.dtype)


def best(scores, k):
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def routed(indices, weights, probs):
    return {"indices_TK": indices, "weights_TK": weights, "probs_TE": probs}


def softmax_topk(x, q):
    p = softmax(x["logits_TE"])
    i = best(x["logits_TE"], q["k"])
    w = np.take_along_axis(p, i, 1)
    return routed(i, w / w.sum(1, keepdims=True) if q["renormalize"] else w, p)


def topk_softmax(x, q):
    z = x["logits_TE"]
    i = best(z, q["k"])
    return routed(i, softmax(np.take_along_axis(z, i, 1)), softmax(z))


def noisy_topk(x, q):
    return softmax_topk({"logits_TE": x["logits_TE"] + x["noise_TE"]}, {"k": q["k"], "renormalize": False})


def weigh(s, i, q):
    w = np.take_along_axis(s, i, 1)
    if q["normalize"]:
        w = w / (w.sum(1, keepdims=True) + w.dtype.type(1e-20))
    return routed(i, w * w.dtype.type(q["scale"]), s)


def sigmoid_topk(x, q):
    s = sigmoid(x["logits_TE"])
    return weigh(s, best(s + x.get("bias_E", 0), q["k"]), q)


def group_limited(x, q):
    z = x["logits_TE"]
    s = softmax(z) if q["score"] == "softmax" else sigmoid(z)
    chosen_by = s + x.get("bias_E", np.zeros(1, z.dtype))
    tokens, experts = z.shape
    grouped = chosen_by.reshape(tokens, q["groups"], experts // q["groups"])
    ordered = -np.sort(-grouped, axis=2)
    of_group = ordered[:, :, 0] if q["group_score"] == "max" else ordered[:, :, :2].sum(2)
    kept = np.zeros(of_group.shape, bool)
    np.put_along_axis(kept, best(of_group, q["groups_kept"]), True, 1)
    masked = np.where(kept[:, :, None], grouped, -np.inf).reshape(tokens, experts)
    return weigh(s, best(masked, q["k"]), q)


def unit(x, axis):
    return x / np.maximum(np.sqrt((x * x).sum(axis, keepdims=True)), x.dtype.type(1e-12))


def cosine(x, q):
    h = unit(x["hidden_TD"] @ x["proj_PD"].T, 1)
    z = h @ unit(x["centroid_EP"], 1).T / h.dtype.type(q["tau"])
    return softmax_topk({"logits_TE": z}, {"k": q["k"], "renormalize": False}) | {"logits_TE": z}


def expert_choice(x, q):
    by_expert = softmax(x["logits_TE"]).T
    i = best(by_expert, q["capacity"])
    return {"token_indices_EC": i, "weights_EC": np.take_along_axis(by_expert, i, 1)}


def sinkhorn_plan(z, q):
    """The balanced matrix d1·K·d0 and the errors of each round."""
    tokens, experts = z.shape
    kernel = np.exp(z - z.max(1, keepdims=True))
    d1, errors = np.ones(experts, z.dtype), []
    while len(errors) < q["max_iterations"] and (not errors or errors[-1] > q["tolerance"]):
        d0 = 1 / (tokens * (kernel * d1).sum(1))
        new = 1 / (experts * (kernel * d0[:, None]).sum(0))
        errors.append(float(np.abs(new - d1).mean()))
        d1 = new
    return d1 * kernel * d0[:, None], errors


def sinkhorn(x, q):
    z = x["logits_TE"]
    i = best(sinkhorn_plan(z, q)[0], q["k"])
    p = sigmoid(z) if q["k"] == 1 else softmax(z)
    return routed(i, np.take_along_axis(p, i, 1), p)


def soft_moe(x, q):
    def normed(v, axis):
        return v / np.sqrt((v * v).sum(axis, keepdims=True) + v.dtype.type(1e-6))
    z = x["scale"] * (normed(x["hidden_TD"], 1) @ normed(x["phi_DS"], 0))
    return {"dispatch_TS": softmax(z, 0), "combine_TS": softmax(z, 1)}


def top_p(x, q):
    z, width = x["logits_TE"], q["max_k"]
    p, i = softmax(z), best(z, z.shape[1])
    below = np.cumsum(np.take_along_axis(p, i, 1), axis=1) < z.dtype.type(q["p"])
    counts = np.minimum(1 + below.sum(1), width)
    used = np.arange(width) < counts[:, None]
    i = i[:, :width]
    return routed(np.where(used, i, -1), np.where(used, np.take_along_axis(p, i, 1), 0), p) | {"counts_T": counts}


def bias_update(x, q):
    n = x["counts_E"]
    return {"bias_E": x["bias_E"] + x["bias_E"].dtype.type(q["rate"]) * np.sign(n.sum() - n * len(n))}


def capacity(x, q):
    i, p = x["indices_TK"], x["probs_TE"]
    order = np.argsort(-p.max(1), kind="stable") if q["policy"] == "batch_priority" else np.arange(len(i))
    kept = np.zeros(i.shape, bool)
    flat = i[order].T.ravel()
    for e in range(p.shape[1]):
        rank, place = np.divmod(np.flatnonzero(flat == e)[:q["capacity"]], len(i))
        kept[order[place], rank] = True
    return {"kept_TK": kept}


def base(x, q):
    s = x["scores_TE"]
    slots = np.repeat(np.arange(s.shape[1]), s.shape[0] // s.shape[1])
    _, columns = linear_sum_assignment(s[:, slots], maximize=True)
    return {"expert_T": slots[columns]}


# ---- plain loops ----
def scan(values, k):
    """The k largest, best first, by repeated search; an equal later value never wins."""
    left, out = list(range(len(values))), []
    for _ in range(k):
        top = left[0]
        for j in left:
            if values[j] > values[top]:
                top = j
        out.append(top)
        left.remove(top)
    return out


def soft_row(row):
    top = max(row)
    e = [math.exp(v - top) for v in row]
    return [v / math.fsum(e) for v in e]


def logistic(v):
    return 1 / (1 + math.exp(-v)) if v > 0 else math.exp(v) / (1 + math.exp(v))


def gathered(rows):
    i, w, p = (np.array(column) for column in zip(*rows))
    return routed(i, w, p)


def check_softmax_topk(x, q):
    rows = []
    for row in x["logits_TE"].tolist():
        p, i = soft_row(row), scan(row, q["k"])
        total = sum(p[e] for e in i) if q["renormalize"] else 1.0
        rows.append((i, [p[e] / total for e in i], p))
    return gathered(rows)


def check_topk_softmax(x, q):
    rows = []
    for row in x["logits_TE"].tolist():
        i = scan(row, q["k"])
        rows.append((i, soft_row([row[e] for e in i]), soft_row(row)))
    return gathered(rows)


def check_noisy_topk(x, q):
    rows = []
    for clean, noise in zip(x["logits_TE"].tolist(), x["noise_TE"].tolist()):
        row = [a + b for a, b in zip(clean, noise)]
        p, i = soft_row(row), scan(row, q["k"])
        rows.append((i, [p[e] for e in i], p))
    return gathered(rows)


def check_sigmoid_topk(x, q):
    rows = []
    for row in x["logits_TE"].tolist():
        s = [logistic(v) for v in row]
        i = scan([v + (float(x["bias_E"][e]) if "bias_E" in x else 0.0) for e, v in enumerate(s)], q["k"])
        total = sum(s[e] for e in i) + 1e-20 if q["normalize"] else 1.0
        rows.append((i, [s[e] / total * q["scale"] for e in i], s))
    return gathered(rows)


def check_group_limited(x, q):
    rows = []
    for row in x["logits_TE"].tolist():
        s = soft_row(row) if q["score"] == "softmax" else [logistic(v) for v in row]
        c = [v + (float(x["bias_E"][e]) if "bias_E" in x else 0.0) for e, v in enumerate(s)]
        size = len(row) // q["groups"]
        of_group = []
        for g in range(q["groups"]):
            inside = sorted(c[g * size:(g + 1) * size], reverse=True)
            of_group.append(inside[0] if q["group_score"] == "max" else sum(inside[:2]))
        kept = scan(of_group, q["groups_kept"])
        allowed = sorted(e for g in kept for e in range(g * size, (g + 1) * size))
        i = [allowed[j] for j in scan([c[e] for e in allowed], q["k"])]
        total = sum(s[e] for e in i) + 1e-20 if q["normalize"] else 1.0
        rows.append((i, [s[e] / total * q["scale"] for e in i], s))
    return gathered(rows)


def check_cosine(x, q):
    logits = []
    for h in x["hidden_TD"].tolist():
        y = [math.fsum(a * b for a, b in zip(row, h)) for row in x["proj_PD"].tolist()]
        logits.append([])
        for v in x["centroid_EP"].tolist():
            norms = max(math.hypot(*y), 1e-12) * max(math.hypot(*v), 1e-12)
            logits[-1].append(math.fsum(a * b for a, b in zip(y, v)) / norms / q["tau"])
    found = check_softmax_topk({"logits_TE": np.array(logits)}, {"k": q["k"], "renormalize": False})
    return found | {"logits_TE": np.array(logits)}


def check_expert_choice(x, q):
    p = [soft_row(row) for row in x["logits_TE"].tolist()]
    columns = [[row[e] for row in p] for e in range(len(p[0]))]
    i = [scan(column, q["capacity"]) for column in columns]
    return {"token_indices_EC": np.array(i), "weights_EC": np.array([[c[t] for t in ts] for c, ts in zip(columns, i)])}


def check_sinkhorn(x, q):
    z = x["logits_TE"].tolist()
    tokens, experts = len(z), len(z[0])

    def lse(values):
        top = max(values)
        return top + math.log(math.fsum(math.exp(v - top) for v in values))
    b, rounds, error = [0.0] * experts, 0, math.inf
    while rounds < q["max_iterations"] and error > q["tolerance"]:
        a = [-math.log(tokens) - lse([v + bj for v, bj in zip(row, b)]) for row in z]
        new = [-math.log(experts) - lse([row[e] + ai for row, ai in zip(z, a)]) for e in range(experts)]
        error = sum(abs(math.exp(n) - math.exp(o)) for n, o in zip(new, b)) / experts
        b, rounds = new, rounds + 1
    rows = []
    for row in z:
        # Rounded, because the sums of logarithms that are equal by symmetry differ in their last bits.
        i = scan([round(v + bj, 9) for v, bj in zip(row, b)], q["k"])
        p = [logistic(v) for v in row] if q["k"] == 1 else soft_row(row)
        rows.append((i, [p[e] for e in i], p))
    return gathered(rows)


def check_soft_moe(x, q):
    def normed(v):
        n = math.sqrt(math.fsum(a * a for a in v) + 1e-6)
        return [a / n for a in v]
    h = [normed(row) for row in x["hidden_TD"].tolist()]
    f = [normed(column) for column in x["phi_DS"].T.tolist()]
    z = [[float(x["scale"]) * math.fsum(a * b for a, b in zip(row, column)) for column in f] for row in h]
    return {"dispatch_TS": np.array([soft_row(list(column)) for column in zip(*z)]).T, "combine_TS": np.array([soft_row(row) for row in z])}


def check_top_p(x, q):
    rows, counts = [], []
    for row in x["logits_TE"].tolist():
        p = soft_row(row)
        i, total = [], 0.0
        for e in scan(row, len(row)):
            i.append(e)
            total += p[e]
            if total >= q["p"] or len(i) == q["max_k"]:
                break
        counts.append(len(i))
        pad = q["max_k"] - len(i)
        rows.append((i + [-1] * pad, [p[e] for e in i] + [0.0] * pad, p))
    return gathered(rows) | {"counts_T": np.array(counts)}


def check_bias_update(x, q):
    n = [int(v) for v in x["counts_E"]]
    mean, out = sum(n) / len(n), []
    for count, b in zip(n, x["bias_E"].tolist()):
        out.append(b + q["rate"] if count < mean else b - q["rate"] if count > mean else b)
    return {"bias_E": np.array(out)}


def check_capacity(x, q):
    i, p = x["indices_TK"], x["probs_TE"]
    order = scan([max(row) for row in p.tolist()], len(i)) if q["policy"] == "batch_priority" else range(len(i))
    room, kept = [q["capacity"]] * p.shape[1], np.zeros(i.shape, bool)
    for rank in range(i.shape[1]):
        for t in order:
            e = int(i[t, rank])
            if e >= 0 and room[e] > 0:
                room[e] -= 1
                kept[t, rank] = True
    return {"kept_TK": kept}


def check_base(x, q):
    """Every balanced assignment for few tokens, the transport problem as a linear program for more."""
    s = x["scores_TE"]
    tokens, experts = s.shape
    if tokens <= 6:
        slots = [e for e in range(experts) for _ in range(tokens // experts)]
        plans = sorted({plan: sum(s[t, e] for t, e in enumerate(plan)) for plan in itertools.permutations(slots)}.items(), key=lambda item: -item[1])
        assert len(plans) == 1 or plans[0][1] - plans[1][1] > 1e-2, "the optimum is not unique"
        return {"expert_T": np.array(plans[0][0])}
    rows = np.kron(np.eye(tokens), np.ones(experts))
    columns = np.kron(np.ones(tokens), np.eye(experts))
    right = np.concatenate([np.ones(tokens), np.full(experts, tokens // experts)])
    plan = linprog(-s.ravel(), A_eq=np.vstack([rows, columns]), b_eq=right, method="highs").x.reshape(tokens, experts)
    assert np.all(np.abs(plan - plan.round()) < 1e-6)
    return {"expert_T": plan.argmax(1)}
