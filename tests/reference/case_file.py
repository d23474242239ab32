# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes reference case files: one safetensors file a case, byte for byte the same on every run.

A case holds `__metadata__` (op, params as JSON text, atol, rtol, source and, for malformed cases, expect and status) and the tensors
in.NAME, out.NAME and grad.NAME. Python floats and float arrays are stored as fp32, integer arrays as int64, bool and uint8 arrays as uint8;
scalars stay 0-d. Inputs should be rounded with fp32() before expected values are computed from them in float64.

The format is written here by hand (8 bytes of header length, JSON header, data) because the order of metadata keys in the official writer
is not fixed, which would change the files from run to run.
"""
import json
import os
import struct

import numpy as np

DTYPES = {np.dtype(np.float32): "F32", np.dtype(np.int64): "I64", np.dtype(np.uint8): "U8"}


def fp32(x):
    """x rounded to fp32 and widened again: what a program that reads the stored input sees."""
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def stored(x):
    """x in the type it has in the file. Never changes the shape: 0-d stays 0-d."""
    a = np.asarray(x)
    if a.dtype == np.bool_ or a.dtype == np.uint8:
        return a.astype(np.uint8)
    if np.issubdtype(a.dtype, np.integer):
        return a.astype(np.int64)
    if np.issubdtype(a.dtype, np.floating):
        return a.astype(np.float32)
    raise TypeError(f"no stored type for {a.dtype}")


def write_safetensors(path, tensors, metadata):
    header, chunks, offset = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors):
        a = stored(tensors[name])
        data = a.tobytes(order="C")
        header[name] = {"dtype": DTYPES[a.dtype], "shape": list(a.shape), "data_offsets": [offset, offset + len(data)]}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def _tensors(inputs, outputs, grads):
    named = {}
    for prefix, group in (("in", inputs), ("out", outputs), ("grad", grads)):
        for name, value in (group or {}).items():
            named[f"{prefix}.{name}"] = value
    return named


def _write(folder, op, what, params, tensors, atol, rtol, source, extra):
    path = os.path.join(folder, f"{op}.{what}.safetensors")
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(path) and path in _written:
        raise ValueError(f"written twice: {path}")
    _written.add(path)
    text = params if isinstance(params, str) else json.dumps(params, sort_keys=True)
    metadata = {"op": op, "params": text, "atol": repr(float(atol)), "rtol": repr(float(rtol)), "source": source} | extra
    write_safetensors(path, tensors, metadata)
    return path


_written = set()


def write_case(folder, op, what, params, inputs, outputs, grads, atol=1e-6, rtol=1e-5, source="", expect=None):
    """Writes `<folder>/<op>.<what>.safetensors`. inputs, outputs and grads: name without prefix -> array or scalar (grads may be None).
    expect only for malformed cases (then better write_malformed). Expected values must be finite."""
    if expect is None:
        for group in (outputs, grads):
            for name, value in (group or {}).items():
                if not np.all(np.isfinite(stored(value))):
                    raise ValueError(f"{op}.{what}: {name} is not finite")
        if not source:
            raise ValueError(f"{op}.{what}: say where the expected values come from")
    extra = {} if expect is None else {"expect": expect}
    return _write(folder, op, what, params, _tensors(inputs, outputs, grads), atol, rtol, source, extra)


def write_malformed(folder, op, what, params, inputs, outputs, expect, grads=None, status="bad case"):
    """Writes `<folder>/malformed/<op>.<what>.safetensors`, a case that must be refused. expect: a short piece of the reason that the message
    should hold; status: the word of the report's line, `bad case` or `unknown op`. params may be text, to write broken JSON."""
    return _write(os.path.join(folder, "malformed"), op, what, params, _tensors(inputs, outputs, grads), 1e-6, 1e-5,
                  "a malformed case: nothing is to be computed", {"expect": expect, "status": status})
