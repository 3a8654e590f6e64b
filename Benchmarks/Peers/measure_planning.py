#!/usr/bin/env python3
"""Measures what a plan costs beside a full pass over its held-out tokens: processor seconds, of all threads, and elapsed ones.

    measure_planning.py --straightedge PATH --model MODEL --tokens FILE.jsonl [--held-out-tokens N] [--runs N]

A plan looks at each layer's removal and replacement, so at two candidates a layer. Each costs a part of a full pass, for
what lies before its layer is computed once for all: half a pass of the layers on average, and a pass of the head.
Printed is the plan's time over that of as many full passes as there are candidates. `straightedge evaluate` on the same
tokens is the full pass, once before and once after each plan; of both, what a run with almost no tokens takes is
left out: it reads the model. Means are compared, so that other programs on the machine bear on both. The exit status is 0
where both ratios are at most 0.66, else 1.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

LIMIT = 0.66


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--straightedge", required=True, metavar="PATH")
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokens", required=True, metavar="FILE.jsonl")
    parser.add_argument("--held-out-tokens", type=int, default=8192)
    parser.add_argument("--runs", type=int, default=1, help="of the plan")
    return parser.parse_args()


def seconds(command):
    """Processor and elapsed seconds of a run."""
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([sum(after[:2]) - sum(before[:2]), time.monotonic() - start])


def held_out(sequences, token_count):
    """The last sequences, as many as it takes to have so many tokens; a plan keeps at most half of all."""
    kept = []
    while sequences and sum(map(len, kept)) < token_count:
        kept.insert(0, sequences.pop())
    return kept


def main():
    arguments = parse_arguments()
    tool = [arguments.straightedge]
    sequences = [json.loads(line) for line in open(arguments.tokens)]
    kept = held_out(list(sequences), arguments.held_out_tokens)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "kept.jsonl").write_text("".join(f"{json.dumps(ids)}\n" for ids in kept))
        (folder / "one.jsonl").write_text(f"{json.dumps(kept[0][:2])}\n")
        evaluate = tool + ["evaluate", arguments.model, "--tokens"]
        plan = tool + ["plan", arguments.model, "--drop", 1, "--tokens", arguments.tokens]
        plan += ["--held-out-tokens", arguments.held_out_tokens, "--force", "--out", folder / "plan.json"]
        loading_runs, full_runs, plan_runs = [], [], []
        for _ in range(arguments.runs):
            loading_runs.append(seconds(evaluate + [folder / "one.jsonl"]))
            full_runs.append(seconds(evaluate + [folder / "kept.jsonl"]))
            plan_runs.append(seconds(plan))
            full_runs.append(seconds(evaluate + [folder / "kept.jsonl"]))
        document = json.loads((folder / "plan.json").read_text())
    # At most half of all tokens are held out: with fewer than these, the two would not be the same work.
    judged = document["run"]["held_out_tokens"]
    if judged != sum(map(len, kept)):
        sys.exit(f"the plan held out {judged} tokens, the full pass takes {sum(map(len, kept))}: give more tokens")
    modes = ["remove", "replace", "merge"]
    count = sum(isinstance(candidate.get(mode), dict) for candidate in document["candidates"] for mode in modes)
    loading = np.mean(loading_runs, axis=0)
    full, planning = np.mean(full_runs, axis=0) - loading, np.mean(plan_runs, axis=0) - loading
    ratios = planning / (count * full)
    print(f"{sum(map(len, kept))} held-out tokens of {sum(map(len, sequences))}; {count} candidates")
    print("seconds                    processor    elapsed")
    for name, values in [("loading, left out below", loading), ("full pass", full), ("plan", planning)]:
        print(f"{name:24}  {values[0]:10.2f} {values[1]:10.2f}")
    print(f"plan / ({count} full passes)   {ratios[0]:10.3f} {ratios[1]:10.3f}")
    passes = bool((ratios <= LIMIT).all())
    print(f"at most {LIMIT}: {'PASS' if passes else 'FAIL'}")
    return 0 if passes else 1


if __name__ == "__main__":
    sys.exit(main())
