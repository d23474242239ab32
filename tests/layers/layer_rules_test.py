#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads every #include of the tree and fails on an edge that the architecture forbids, a file of more than 800 lines, or a source without its licence line.

    layer_rules_test.py SOURCE_DIR     exit 0 when all rules hold, else 1 with one line a breach
    layer_rules_test.py --self-test    proves that each rule can fail
"""
import pathlib
import re
import sys
import tempfile

# Longest prefix wins. A target may include itself and what is listed.
TARGETS = {
    "engine/base": "es_base", "engine/config": "es_config", "engine/store": "es_store", "engine/session": "es_session", "engine/reference": "es_reference",
    "engine": "es_engine", "datasets": "es_datasets", "analysis": "es_analysis", "views": "es_views", "app": "es_app",
}
MAY = {
    "es_base": set(),
    "es_config": {"es_base"},
    "es_store": {"es_base", "es_config"},
    "es_reference": {"es_base"},
    "es_session": {"es_base", "es_config", "es_store", "es_reference"},
    "es_datasets": {"es_base", "es_config"},
    "es_analysis": {"es_base", "es_config", "es_store", "es_reference"},
    "es_engine": {"es_base", "es_config", "es_store", "es_session", "es_reference", "es_datasets"},
    "es_views": {"es_base", "es_config", "es_store", "es_session", "es_analysis"},
    "es_app": {"es_base", "es_config", "es_store", "es_session", "es_reference", "es_analysis", "es_views"},
}
EXTERNAL = {  # library -> pattern of its headers, targets that may use it
    "Torch": (re.compile(r"^(torch|ATen|c10)/"), {"es_engine"}),
    "Qt": (re.compile(r"^(Q[A-Z]\w*|Qt\w*/.*|qcustomplot\.h)$"), {"es_views", "es_app"}),
    "OpenCV": (re.compile(r"^opencv2/"), {"es_datasets"}),
    "HDF5": (re.compile(r"^(hdf5|H5\w*)\.h"), {"es_store"}),
    "SQLite": (re.compile(r"^sqlite3\.h"), {"es_store"}),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.M)
LONGEST_FILE = 800


def target_of(path):
    for prefix in sorted(TARGETS, key=len, reverse=True):
        if path == prefix or path.startswith(prefix + "/"):
            return TARGETS[prefix]
    return None


def breaches(root):
    root = pathlib.Path(root)
    found = []
    for top in ("engine", "datasets", "analysis", "views", "app", "tests"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".h", ".cpp", ".cu"):
                continue
            name = file.relative_to(root).as_posix()
            text = file.read_text(encoding="utf-8")
            if not text.startswith("// SPDX-License-Identifier: GPL-3.0-or-later"):
                found.append(f"{name}: the first line is not the licence line")
            if text.count("\n") > LONGEST_FILE:
                found.append(f"{name}: {text.count(chr(10))} lines; split it by meaning (at most {LONGEST_FILE})")
            target = target_of(name)
            if target is None:
                continue
            if file.suffix == ".h" and "#pragma once" not in text:
                found.append(f"{name}: no #pragma once")
            for quoted, angled in INCLUDE.findall(text):
                if quoted:
                    other = target_of(quoted)
                    if other and other != target and other not in MAY[target]:
                        found.append(f"{name}: {target} must not include {quoted} of {other}")
                    if not other:
                        found.append(f'{name}: "{quoted}" is not a path from the top of the tree')
                for library, (pattern, allowed) in EXTERNAL.items():
                    if pattern.match(angled or quoted) and target not in allowed:
                        found.append(f"{name}: {target} must not include {angled or quoted} ({library})")
            if target == "es_engine" and file.suffix == ".cu" and re.search(r"#include <(torch|ATen|c10)/", text):
                found.append(f"{name}: CUDA sources include no Torch header")
    return found


def self_test():
    head = "// SPDX-License-Identifier: GPL-3.0-or-later\n#pragma once\n"
    cases = {
        "views/a.h": head + "#include <torch/nn.h>\n",
        "engine/b.h": head + "#include <QString>\n",
        "analysis/c.h": head + '#include "views/a.h"\n',
        "app/d.cpp": head + '#include "engine/model/vl_moe.h"\n',
        "engine/base/e.h": head + '#include "engine/store/records.h"\n',
        "views/f.h": head + "#include <opencv2/core.hpp>\n",
        "engine/g.h": "#pragma once\n",
        "engine/h.h": head + "int x;\n" * 900,
        "datasets/i.h": head + '#include "neighbour.h"\n',
    }
    for name, text in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / name
            file.parent.mkdir(parents=True)
            file.write_text(text)
            if not breaches(folder):
                print(f"the rule that {name} breaks did not notice")
                return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--self-test":
        sys.exit(self_test())
    lines = breaches(sys.argv[1])
    print("\n".join(lines) if lines else "all layer rules hold")
    sys.exit(1 if lines else 0)
