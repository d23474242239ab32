#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The demo of everyday objects on a machine without a display, with few steps and with scenes alone (the tests of
# data sets convert the rest): one run with the truth of its scenes, four pictures of
# Inspect; then again, which must reuse it. Arguments: source folder, build folder. Exit status 77 where its pictures are not installed.
set -euo pipefail
source=$1
for package in tuxpaint-stamps-default openclipart-svg; do
  [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) == ii* ]] ||
    { echo "skipped: $package is not installed; './run setup --objects' does it" >&2; exit 77; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export EXPERTSCOPE_BUILD=$2 EXPERTSCOPE_DEMO_RUNS=$scratch/runs EXPERTSCOPE_DEMO_OUT=$scratch/demo
unset DISPLAY WAYLAND_DISPLAY QT_QPA_PLATFORM
few=(--objects --set data.cache="$scratch/data" --set data.set=scenes --set data.scenes=200 --set data.image_size=48 --set train.steps=4 --set train.evaluate_samples=16 --set train.evaluate_every=2
     --set train.checkpoint_every=2 --set record.probe_samples=48 --set record.probe_random_routers=1)
fail() { echo "demo --objects: $*" >&2; cat "$scratch"/*.log >&2; exit 1; }

"$source/run" demo "${few[@]}" >"$scratch/first.log" 2>&1 || fail "the first call ended with $?"
[[ -s $scratch/runs/objects-sparse/run.toml ]] || fail "no run objects-sparse"
for size in 1280x800 1680x1000; do
  for theme in light dark; do [[ -s $scratch/demo/objects-inspect-$theme-$size.png ]] || fail "no picture of Inspect ($theme, $size)"; done
done
"$2/bin/expertscope" analyze "$scratch/runs/objects-sparse" --metric specialisation --csv >"$scratch/table.csv" 2>"$scratch/analyze.log" || fail "analyze ended with $?"
grep -q ",colour," "$scratch/table.csv" || fail "no truth of the scenes in the table of specialisation"

"$source/run" demo "${few[@]}" >"$scratch/second.log" 2>&1 || fail "the second call ended with $?"
grep -q "is trained already" "$scratch/second.log" || fail "the second call did not reuse the run"

# With a display the window opens at once, on a folder that is still empty.
export EXPERTSCOPE_DEMO_RUNS=$scratch/beside EXPERTSCOPE_DEMO_WINDOW=--close-when-finished
DISPLAY=:none QT_QPA_PLATFORM=offscreen "$source/run" demo "${few[@]}" >"$scratch/third.log" 2>&1 || fail "the call with a display ended with $?"
[[ -s $scratch/beside/objects-sparse/run.toml ]] || fail "no run beside the window"
