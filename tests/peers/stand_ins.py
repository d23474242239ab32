#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes stand-ins for the CUDA libraries that the Python half of PyTorch's wheel wants to load even where there is no GPU: libraries of the
same names whose functions end the program. Nothing calls them on the CPU, and 2.7 GB need not be fetched for a comparison on it. With
`./run setup --cuda` the real ones are there and none of this is needed.

Usage: stand_ins.py TORCH_FOLDER OUT_FOLDER     needs readelf and gcc; afterwards LD_LIBRARY_PATH=OUT_FOLDER
"""
import os
import re
import subprocess
import sys

# What `import torch` loads of the wheel beside the libraries that ./run setup completes.
LOADED = ("libtorch_python.so", "libtorch_cuda.so", "libc10_cuda.so", "libtorch_nvshmem.so")


def readelf(*arguments):
    return subprocess.run(["readelf", "--wide", *arguments], check=True, capture_output=True, text=True).stdout


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.+)\]", readelf("--dynamic", path))


def undefined(path):
    """Names of the symbols that another library must bring, weak ones left out."""
    return {columns[7].split("@")[0] for columns in map(str.split, readelf("--dyn-syms", path).splitlines())
            if len(columns) >= 8 and columns[6] == "UND" and columns[4] == "GLOBAL"}


def defined(path):
    return {columns[7].split("@")[0] for columns in map(str.split, readelf("--dyn-syms", path).splitlines())
            if len(columns) >= 8 and columns[6] not in ("UND", "Ndx") and columns[4] in ("GLOBAL", "WEAK", "UNIQUE")}


def main(torch, out):
    lib = os.path.join(torch, "lib")
    nvidia = os.path.join(os.path.dirname(torch), "nvidia")
    there = {name: os.path.join(folder, name) for root in (nvidia, lib) for folder, _, names in os.walk(root) for name in names if ".so" in name}
    system = dict(re.findall(r"^\s*(\S+) \(.*=> (\S+)$", subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout, re.M))
    files = [there[name] for name in LOADED if name in there]
    missing = sorted({name for file in files for name in needed(file)} - set(there) - set(system))
    if not missing:
        print("nothing is missing")
        return
    wanted = set().union(*map(undefined, files))
    for name in {name for file in files for name in needed(file)} - set(missing):
        wanted -= defined(there.get(name) or system[name])
    # What CUDA's libraries bring all begins so.
    names = sorted(name for name in wanted if re.match(r"(nv|cu|nccl|cudnn|cublas)[A-Za-z0-9_]*$", name))
    os.makedirs(out, exist_ok=True)
    source = os.path.join(out, "stand_ins.c")
    with open(source, "w") as file:
        file.write("void abort(void);\n" + "".join(f"void {name}(void) {{ abort(); }}\n" for name in names))
    first = os.path.join(out, missing[0])
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-fno-builtin", "-o", first, source], check=True)
    for name in missing[1:]:
        link = os.path.join(out, name)
        if os.path.lexists(link):
            os.remove(link)
        # Empty: the first one has all the functions.
        subprocess.run(["gcc", "-shared", "-o", link, "-x", "c", "/dev/null"], check=True)
    print(f"{len(missing)} stand-ins with {len(names)} functions: {' '.join(missing)}")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
