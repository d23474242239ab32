#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes one plausible thing of a router or a loss at a time, builds, and asks whether a test notices.

Each *.patch of this folder says in its first line what it changes and in its line "Tests:" who should notice: test programs by their CTest
name, and reference:OPERATION for the cases of tests/reference as `expertscope doctor` computes them. Programs are asked first; the first
test that fails has killed the mutation. Nothing is done to the tree itself: a copy is patched and built in a folder of its own.

Usage: run_mutations.py [--check | --list] [--work FOLDER] [--program FILE] [--jobs N] [NAME...]
--check  only whether every patch still applies, to the letter
NAME     a patch, or a pattern such as 'top-p-*'; all unless given
Exit status: 0 all killed (or all apply), 1 some survived, or could not be judged, 2 a wrong call.
"""
import argparse
import fnmatch
import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COPIED = ("CMakeLists.txt", "cmake", "engine", "datasets", "analysis", "tests")
TIMEOUT_S = 300


class Mutation:
    def __init__(self, path):
        self.path, self.name = path, path.stem
        lines = path.read_text().splitlines()
        self.what = lines[0]
        tests = [line for line in lines if line.startswith("Tests: ")]
        if len(tests) != 1:
            sys.exit(f"{path} does not say which tests should notice it")
        self.tests = tests[0].split()[1:]
        self.files = [line[6:] for line in lines if line.startswith("+++ b/")]

    def patch(self, tree, *options):
        return subprocess.run(["patch", "-p1", "--fuzz=0", "--silent", "--no-backup-if-mismatch", *options, "-d", str(tree), "-i", str(self.path)],
                              capture_output=True, text=True)


def mutations(names):
    found = [Mutation(path) for path in sorted(HERE.glob("*.patch"))]
    for name in names:
        if not any(fnmatch.fnmatch(mutation.name, name) for mutation in found):
            sys.exit(f"there is no mutation '{name}'; --list says which there are")
    return [mutation for mutation in found if not names or any(fnmatch.fnmatch(mutation.name, name) for name in names)]


def check(chosen):
    bad = 0
    for mutation in chosen:
        outcome = mutation.patch(ROOT, "--dry-run", "--force")
        if outcome.returncode:
            bad += 1
            print(f"{mutation.name} does not apply:\n{outcome.stdout}{outcome.stderr}")
    print(f"{len(chosen) - bad} of {len(chosen)} mutations apply")
    return 1 if bad or not chosen else 0


def copy_tree(to):
    """Makes `to` equal to the tree; files that are equal already keep their times, so that little is built anew."""
    wanted = set()
    for part in COPIED:
        files = [ROOT / part] if (ROOT / part).is_file() else [path for path in (ROOT / part).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        for path in files:
            target = to / path.relative_to(ROOT)
            wanted.add(target)
            if not target.exists() or not filecmp.cmp(path, target, shallow=False):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    for path in to.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()


class Scratch:
    def __init__(self, work, program, jobs):
        self.tree, self.build, self.program, self.jobs = work / "source", work / "build", program, jobs

    def prepare(self):
        copy_tree(self.tree)
        if not (self.build / "build.ninja").exists():
            self.run("cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DEXPERTSCOPE_VIEWS=OFF", "-DEXPERTSCOPE_BENCHMARKS=OFF",
                     f"-DCMAKE_PROJECT_INCLUDE={HERE / 'one_by_one.cmake'}", "-DCMAKE_CXX_FLAGS_RELEASE=-O1", f"-DEXPERTSCOPE_TORCH_DIR={(ROOT / '.deps' / 'torch').resolve()}")

    def run(self, *command, **options):
        outcome = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
        if outcome.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}\n{outcome.stdout[-4000:]}{outcome.stderr[-4000:]}")
        return outcome.stdout

    @staticmethod
    def target(test):
        return "es_engine" if test.startswith("reference:") else test.replace("/", "_")

    def compile(self, tests):
        environment = dict(os.environ, CCACHE_BASEDIR=str(self.tree), CCACHE_NOHASHDIR="1")
        self.run("cmake", "--build", self.build, "-j", self.jobs, "--target", *sorted({self.target(test) for test in tests}), env=environment)

    def failure(self, test):
        """What failed of a test; empty when nothing did."""
        environment = dict(os.environ, OMP_WAIT_POLICY="passive", ES_BINARY_DIR=str(self.build))
        try:
            if test.startswith("reference:"):
                return self.reference_failure(test[len("reference:"):], environment)
            outcome = subprocess.run([str(self.build / "tests" / self.target(test))], capture_output=True, text=True, env=environment, cwd=self.build, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return f"no end after {TIMEOUT_S} s"
        if outcome.returncode == 0:
            return ""
        failed = re.findall(r"^\[  FAILED  \] ([^ ,]+)(?:, where.*)? \(", outcome.stdout, re.M)
        return ", ".join(failed) if failed else f"exit status {outcome.returncode}"

    def reference_failure(self, operation, environment):
        with tempfile.TemporaryDirectory() as folder:
            cases = list((ROOT / "tests" / "reference").glob(f"{operation}.*.safetensors"))
            if not cases:
                raise RuntimeError(f"there are no reference cases of {operation}")
            for case in cases:
                os.symlink(case, Path(folder) / case.name)
            environment["EXPERTSCOPE_ENGINE"] = str(self.build / "lib" / "libes_engine.so")
            outcome = subprocess.run([str(self.program), "doctor", "--reference", folder], capture_output=True, text=True, env=environment, timeout=TIMEOUT_S)
        if outcome.returncode == 0:
            return ""
        failed = [line.split()[1] for line in outcome.stdout.splitlines() if line.startswith("FAIL ")]
        return ", ".join(failed) if failed else (outcome.stdout + outcome.stderr).strip().splitlines()[-1]

    def judge(self, mutation, tests):
        """("killed", test, what failed), ("survived", "", "") or ("unclear", "", why)."""
        originals = {file: (self.tree / file).read_bytes() for file in mutation.files if (self.tree / file).exists()}
        applied = mutation.patch(self.tree)
        try:
            if applied.returncode:
                return "unclear", "", "the patch does not apply: " + (applied.stdout + applied.stderr).strip().replace("\n", "; ")
            for test in tests:
                try:
                    self.compile([test])
                except RuntimeError as problem:
                    return "unclear", "", "it does not compile: " + str(problem)
                if failed := self.failure(test):
                    return "killed", test, failed
            return "survived", "", ""
        finally:
            for file, content in originals.items():
                (self.tree / file).write_bytes(content)
            for leftover in self.tree.rglob("*.rej"):
                leftover.unlink()


def judge_all(scratch, chosen, wanted, counts):
    """Asks of each mutation its tests that are `wanted`; returns the mutations that survive them."""
    asked = {mutation: [test for test in mutation.tests if wanted(test)] for mutation in chosen}
    tests = list(dict.fromkeys(test for mutation in chosen for test in asked[mutation]))
    if not tests:
        return chosen
    print(f"Building {len(tests)} tests without a mutation in {scratch.build}", flush=True)
    scratch.compile(tests)
    # A test that fails anyway proves nothing.
    if broken := [f"{test}: {failed}" for test in tests if (failed := scratch.failure(test))]:
        raise RuntimeError("These tests fail without any mutation:\n" + "\n".join(broken))
    left = []
    for mutation in chosen:
        begin = time.monotonic()
        verdict, test, why = scratch.judge(mutation, asked[mutation])
        if verdict == "survived":
            left.append(mutation)
            continue
        counts[verdict] += 1
        by = f"by {test} ({why})" if verdict == "killed" else why
        print(f"{verdict:<9} {mutation.name:<44} {by}  [{time.monotonic() - begin:.0f} s]", flush=True)
    return left


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--work", type=Path, default=ROOT / "build-mutations")
    parser.add_argument("--program", type=Path, default=ROOT / "build" / "bin" / "expertscope")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if arguments.help:
        print(__doc__)
        return 0
    chosen = mutations(arguments.names)
    if arguments.list:
        for mutation in chosen:
            print(f"{mutation.name:<44} {mutation.what}")
        return 0
    if arguments.check:
        return check(chosen)
    if check(chosen):
        return 1

    scratch = Scratch(arguments.work.resolve(), arguments.program.resolve(), arguments.jobs)
    counts = {"killed": 0, "unclear": 0}
    try:
        scratch.prepare()
        # Test programs first: they are small. The whole engine, which reference cases need, is built for those that they did not notice.
        left = judge_all(scratch, chosen, lambda test: not test.startswith("reference:"), counts)
        left = judge_all(scratch, left, lambda test: test.startswith("reference:"), counts)
    except RuntimeError as problem:
        print(problem)
        return 1
    for mutation in left:
        print(f"survived  {mutation.name:<44} {mutation.what}")
    print(f"{counts['killed']} killed, {len(left)} survived, {counts['unclear']} unclear")
    return 0 if counts["killed"] == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
