#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What a newcomer's first command does on a machine without a display, with few steps: three runs, sixteen pictures, a figure; then again,
# which must reuse them; then with a window. Arguments: source folder, build folder.
set -euo pipefail
source=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export EXPERTSCOPE_BUILD=$2 EXPERTSCOPE_DEMO_RUNS=$scratch/runs EXPERTSCOPE_DEMO_OUT=$scratch/demo
unset DISPLAY WAYLAND_DISPLAY QT_QPA_PLATFORM
few=(--set train.steps=12 --set train.evaluate_samples=16 --set train.evaluate_every=6 --set train.checkpoint_every=6
     --set record.probe_samples=8 --set record.probe_random_routers=1)
fail() { echo "demo: $*" >&2; cat "$scratch"/*.log >&2; exit 1; }

"$source/run" demo "${few[@]}" >"$scratch/first.log" 2>&1 || fail "the first call ended with $?"
for run in sparse dense scaled-dense; do [[ -s $scratch/runs/demo-$run/run.toml ]] || fail "no run demo-$run"; done
for workspace in train inspect compare figures; do
  for theme in light dark; do
    for size in 1280x800 1680x1000; do
      picture=$scratch/demo/$workspace-$theme-$size.png
      # Width and height stand in bytes 16 to 23 of a PNG.
      read -r w3 w4 h3 h4 < <(od -An -tu1 -j18 -N2 "$picture" | tr '\n' ' '; od -An -tu1 -j22 -N2 "$picture")
      [[ $((w3 * 256 + w4))x$((h3 * 256 + h4)) == "$size" ]] || fail "$picture is not $size"
      [[ -s ${picture%.png}.json ]] || fail "no data of $picture"
    done
  done
done
grep -q '"expert-routing"' "$scratch/demo/figures-light-1280x800.json" || fail "the Figures workspace does not show the figure"
for kind in pdf svg png; do [[ -s $scratch/demo/expert-routing.$kind ]] || fail "no figure.$kind"; done

"$source/run" demo "${few[@]}" >"$scratch/second.log" 2>&1 || fail "the second call ended with $?"
[[ $(grep -c "is trained already" "$scratch/second.log") == 3 ]] || fail "the second call did not reuse the runs"

# With a display the window opens at once, on a folder that is still empty, and training goes on beside it.
export EXPERTSCOPE_DEMO_RUNS=$scratch/beside EXPERTSCOPE_DEMO_WINDOW=--close-when-finished
DISPLAY=:none QT_QPA_PLATFORM=offscreen "$source/run" demo "${few[@]}" >"$scratch/third.log" 2>&1 || fail "the call with a display ended with $?"
for run in sparse dense scaled-dense; do [[ -s $scratch/beside/demo-$run/run.toml ]] || fail "no run demo-$run beside the window"; done
