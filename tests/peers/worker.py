#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes turns with bench_peers: reads a line of JSON, does what it says, answers with a line of JSON. Ends with its input.

{"do": "hello"}                                        versions, threads
{"do": "mixtral", "file", "answer", "k", "experts"}    sets a Mixtral block up on the file's weights; outputs and gradients go into "answer"
{"do": "step", "weights", "batch", "fused", ...}       sets a training step up; answers the loss of the weights as they are
{"do": "turn"}                                         once more of what was set up: {"ms": ..., "processor_ms": ...}
{"do": "loss"}                                         of the last step
{"do": "memory", "steps", ... as for step}             MB resident before the model, and at the worst of the steps
"""
import json
import os
import sys
import time

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.models.mixtral.configuration_mixtral import MixtralConfig
from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

from eager_vl_moe import Step


def timed(function):
    """Wall and processor time, ms."""
    wall, processor = time.perf_counter(), time.process_time()
    function()
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - processor) * 1e3


def mixtral(question):
    t = load_file(question["file"])
    experts, hidden, width = t["w1"].shape
    config = MixtralConfig(hidden_size=width, intermediate_size=hidden, num_local_experts=experts, num_experts_per_tok=question["k"], num_attention_heads=2,
                           num_key_value_heads=2, hidden_act="silu", router_jitter_noise=0.0, experts_implementation=question["experts"])
    if config._experts_implementation != question["experts"]:
        raise RuntimeError(f"transformers computes the experts by {config._experts_implementation}")
    block = MixtralSparseMoeBlock(config)
    with torch.no_grad():
        block.gate.weight.copy_(t["router"])
        block.experts.gate_up_proj.copy_(torch.cat([t["w1"], t["w3"]], 1))
        block.experts.down_proj.copy_(t["w2"])
    x, seed = t["x"][None].requires_grad_(), t["seed"][None]

    def turn():
        x.grad = None
        block.zero_grad(set_to_none=True)
        turn.y = block(x)
        turn.y.backward(seed)

    turn()
    w1, w3 = block.experts.gate_up_proj.grad.chunk(2, 1)
    save_file({name: tensor.detach().contiguous() for name, tensor in {"y": turn.y[0], "x": x.grad[0], "router": block.gate.weight.grad, "w1": w1, "w3": w3,
                                                                       "w2": block.experts.down_proj.grad}.items()}, question["answer"])

    def measured():
        # Dropping the gradients is not part of anybody's time.
        x.grad = None
        block.zero_grad(set_to_none=True)
        return timed(lambda: block(x).backward(seed))

    return {}, measured


def step(question):
    made = Step(question, load_file(question["weights"]), load_file(question["batch"]), question["fused"])
    with torch.no_grad():
        loss = made.model(made.batch).item()
    return {"loss": loss}, lambda: timed(made), made


def status_mb(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key + ":")) / 1024


def memory(question):
    before = status_mb("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak is counted from here
    made = Step(question, load_file(question["weights"]), load_file(question["batch"]), question["fused"])
    for _ in range(question["steps"]):
        made()
    return {"before": before, "peak": status_mb("VmHWM")}


def main():
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print must not get between the answers
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    turn = made = None
    for line in sys.stdin:
        question = json.loads(line)
        what = question["do"]
        if what == "hello":
            answer = {"torch": torch.__version__, "transformers": transformers.__version__, "threads": torch.get_num_threads()}
        elif what == "mixtral":
            answer, turn = mixtral(question)
        elif what == "step":
            answer, turn, made = step(question)
        elif what == "turn":
            answer = dict(zip(("ms", "processor_ms"), turn()))
        elif what == "loss":
            answer = {"loss": made.loss}
        elif what == "memory":
            answer = memory(question)
        else:
            raise ValueError(f"nothing known to do for {what}")
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
