# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scripts for routers and losses share: drawing inputs without near-ties, and writing a case only after three checks.

emit() computes the expected values in float64 by the array form of a rule, demands agreement with a second form written as plain loops,
then runs the array form once more in fp32 and demands that it stays within half of the case's tolerance, with equal integers. The last check
shows that the tolerance is fair and that no expected choice hangs on fp32 rounding.
"""
import numpy as np

from case_file import fp32, stored, write_case

GAP = 1e-4
INTEGERS = ("indices_TK", "modality_T", "sequence_T", "counts_E")


def as_inputs(inputs, dtype):
    """Float inputs rounded to fp32 and given in dtype; integers untouched."""
    out = {}
    for name, value in inputs.items():
        a = np.asarray(value)
        out[name] = fp32(a).astype(dtype) if np.issubdtype(a.dtype, np.floating) else a
    return out


def close(name, a, b, atol, rtol):
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise AssertionError(f"{name}: shapes {a.shape} and {b.shape}")
    if np.issubdtype(b.dtype, np.floating):
        error = np.abs(a.astype(np.float64) - b)
        bad = ~(error <= atol + rtol * np.abs(b))
    else:
        bad = a != b
    if np.any(bad):
        where = np.argwhere(bad)[0]
        raise AssertionError(f"{name} at {where}: {a[tuple(where)]} against {b[tuple(where)]}")


def emit(folder, op, what, params, inputs, fast, slow, source, atol=1e-6, rtol=1e-5):
    """fast and slow: (inputs, params) -> outputs, where a name `grad.X` is a gradient. slow may return fewer."""
    label = f"{op}.{what}"
    inputs = {name: np.asarray(value, int if name in INTEGERS else float) for name, value in inputs.items()}
    wide = fast(as_inputs(inputs, np.float64), params)
    for name, value in slow(as_inputs(inputs, np.float64), params).items():
        close(f"{label} loops, {name}", value, wide[name], 1e-10, 1e-9)
    narrow = fast(as_inputs(inputs, np.float32), params)
    for name, value in wide.items():
        close(f"{label} fp32, {name}", narrow[name], np.asarray(value), atol / 2, rtol / 2)
        assert np.all(np.isfinite(stored(value)))
    outputs = {n: v for n, v in wide.items() if not n.startswith("grad.")}
    grads = {n[5:]: v for n, v in wide.items() if n.startswith("grad.")}
    write_case(folder, op, what, params, inputs, outputs, grads, atol, rtol, source)


def decided(scores, k, relative=False):
    """Whether the k best of each row, and their order, are clear: neighbours in rank are equal or GAP apart."""
    ordered = -np.sort(-np.atleast_2d(scores), axis=1)
    gaps = ordered[:, :-1] - ordered[:, 1:]
    if relative:
        gaps = np.divide(gaps, ordered[:, :-1], out=np.zeros_like(gaps), where=ordered[:, :-1] > 0)
    gaps = gaps[:, :k]
    return bool(np.all((gaps == 0) | (gaps > GAP)))


def separated(rng, tokens, experts, spread=1.5, gap=2e-3):
    """Normal numbers, fp32-exact, whose rows hold no two values closer than gap."""
    rows = []
    while len(rows) < tokens:
        row = fp32(rng.normal(size=experts) * spread)
        if experts == 1 or np.min(np.diff(np.sort(row))) > gap:
            rows.append(row)
    return np.array(rows).reshape(tokens, experts)


def drawn(make, good, attempts=2000):
    """The first of make()'s results that is good."""
    for _ in range(attempts):
        x = make()
        if good(x):
            return x
    raise AssertionError("no inputs with clear decisions")
