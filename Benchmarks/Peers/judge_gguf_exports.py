#!/usr/bin/env python3
"""Judges what `straightedge prune` writes of a GGUF file: GGUF by llama.cpp, Hugging Face folders by transformers. Needs
the packages numpy, torch, transformers, tokenizers, gguf and llama-cpp-python (0.3.36).

    judge_gguf_exports.py --program straightedge --model MODEL.gguf --tokens ids.jsonl [--layers 20,24] [--modes merge] [--text FILE]

The layers are removed and merged, each as GGUF and as a Hugging Face folder. Judged are:

- files: metadata and tensors that did not change, bit for bit, by the package gguf; every change is named;
- GGUF: llama.cpp's logits and perplexity beside ours. It rounds activations to eight bits, so the yardstick is the same
  comparison on the whole model: a pruned one may be off by half as much again of the spread of its logits, and its
  perplexity by 1 % and half as much again;
- folders: the logits of transformers in float32 beside ours, to 1e-4 of the largest; and the ids of tokenizer.json
  beside ours, on a text.

The exit status is 0 for PASS, 1 for FAIL.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from hugging_face import available_cores, load, read_sequences, settle_threads


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, metavar="STRAIGHTEDGE")
    parser.add_argument("--model", required=True, metavar="FILE.gguf")
    parser.add_argument("--tokens", required=True, metavar="FILE.jsonl", help="the ids: one JSON array a line")
    parser.add_argument("--layers", default="20,24")
    parser.add_argument("--modes", default="remove,merge")
    parser.add_argument("--text", metavar="FILE", help="for the tokenizer; this script where none is given")
    parser.add_argument("--sequences", type=int, default=12, help="that are judged by their logits")
    parser.add_argument("--length", type=int, default=64, help="tokens of each of them")
    parser.add_argument("--threads", type=int, default=available_cores())
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    settle_threads(arguments.threads)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from gguf import GGUFReader  # noqa: E402
from llama_cpp import Llama  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

failures = []


def check(holds, what):
    print(f"{'ok    ' if holds else 'WRONG '} {what}")
    if not holds:
        failures.append(what)


def run(*command):
    subprocess.run([str(part) for part in command], check=True)


# Logits


def ours(model, tokens, work):
    path = Path(work, "logits.safetensors")
    run(arguments.program, "hidden-states", model, "--tokens", tokens, "--only-logits", "--compute-type", "f32",
        "--device", "host", "--out", path, "--force")
    return load_file(path)["logits"]


def llama_cpp(model, sequences):
    llama = Llama(str(model), n_ctx=arguments.length, n_batch=arguments.length, logits_all=True, verbose=False,
                  n_threads=arguments.threads)
    rows = []
    for ids in sequences:
        llama.reset()
        llama.eval(ids)
        rows.append(np.array(llama.scores[: len(ids)]))
    return np.concatenate(rows)


def transformers_logits(folder, sequences):
    model = load(folder, arguments.threads)
    with torch.no_grad():
        return np.concatenate([model(torch.tensor([ids]), use_cache=False).logits[0].numpy() for ids in sequences])


def perplexity(logits, sequences):
    total, count, start = 0.0, 0, 0
    for ids in sequences:
        rows = logits[start : start + len(ids) - 1].astype(np.float64)
        start += len(ids)
        rows -= rows.max(1, keepdims=True)
        total -= (rows[np.arange(len(ids) - 1), ids[1:]] - np.log(np.exp(rows).sum(1))).sum()
        count += len(ids) - 1
    return float(np.exp(total / count))


def beside_llama_cpp(name, model, tokens, sequences, work):
    """How far the logits are apart, relative to their spread, and the relative difference of the perplexities."""
    got, want = ours(model, tokens, work), llama_cpp(model, sequences)
    off = float(np.sqrt(np.mean((got - want) ** 2)) / want.std())
    mine, theirs = perplexity(got, sequences), perplexity(want, sequences)
    print(f"       {name}: {off:.4f} of the logits' deviation; perplexity {mine:.4f}, llama.cpp {theirs:.4f}")
    return off, abs(mine / theirs - 1)


# Files


def judge_file(source, path, layers, changed):
    """That all is as it was but for the layers that are gone and the projections that changed."""
    old, new = GGUFReader(source), GGUFReader(path)
    architecture = old.fields["general.architecture"].contents()
    count = old.fields[f"{architecture}.block_count"].contents()
    kept = [layer for layer in range(count) if layer not in layers]
    check(new.fields[f"{architecture}.block_count"].contents() == len(kept), f"{path.name}: {len(kept)} layers")
    same = [key for key in old.fields if key in new.fields and old.fields[key].contents() == new.fields[key].contents()]
    different = sorted(set(old.fields) ^ set(new.fields) | (set(old.fields) - set(same)))
    expected = {f"{architecture}.block_count", "GGUF.tensor_count"}
    check(set(different) <= expected | {"GGUF.kv_count", "general.quantization_version"},
          f"{path.name}: metadata differ in {', '.join(different)}")
    old_tensors = {tensor.name: tensor for tensor in old.tensors}
    altered = []
    for tensor in new.tensors:
        parts = tensor.name.split(".")
        if parts[0] == "blk":
            parts[1] = str(kept[int(parts[1])])
        before = old_tensors.get(".".join(parts))
        if before is None or before.tensor_type != tensor.tensor_type or not np.array_equal(before.data, tensor.data):
            altered.append(f"{tensor.name} ({tensor.tensor_type.name})")
    check(all("ffn_down" in name for name in altered) and bool(altered) == changed,
          f"{path.name}: {len(new.tensors)} tensors, changed: {', '.join(altered[:6]) or 'none'}"
          + (f" and {len(altered) - 6} more" if len(altered) > 6 else ""))


def judge_tokenizer(folder, model, text):
    lines = [line for line in text.split("\n") if line.strip()]
    done = subprocess.run(
        [arguments.program, "tokenize", model, "--bos", "off"], input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True, text=True, check=True)
    want = [json.loads(line) for line in done.stdout.splitlines()]
    tokenizer = Tokenizer.from_file(str(Path(folder, "tokenizer.json")))
    got = [tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
    wrong = [line for line, mine, theirs in zip(lines, want, got) if mine != theirs]
    check(not wrong and len(want) == len(got), f"{folder.name}: ids of {len(lines)} lines, {len(wrong)} differ {wrong[:1]}")


def main():
    layers = [int(layer) for layer in arguments.layers.split(",")]
    sequences = [ids[: arguments.length] for ids in read_sequences(arguments.tokens) if len(ids) >= 2]
    sequences = sequences[: arguments.sequences]
    text = Path(arguments.text or __file__).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as work:
        tokens = Path(work, "ids.jsonl")
        tokens.write_text("".join(json.dumps(ids) + "\n" for ids in sequences))
        yardstick, perplexity_yardstick = beside_llama_cpp("whole", arguments.model, tokens, sequences, work)
        for mode in arguments.modes.split(","):
            place, folder = Path(work, f"{mode}-gguf"), Path(work, mode)
            for out, form in [(place, "gguf"), (folder, "huggingface")]:
                run(arguments.program, "prune", arguments.model, "--layers", arguments.layers, "--mode", mode,
                    "--tokens", arguments.tokens, "--out", out, "--format", form, "--no-curve", "--quiet")
            [file] = place.glob("*.gguf")
            judge_file(arguments.model, file, layers, changed=mode == "merge")
            off, of_perplexity = beside_llama_cpp(mode, file, tokens, sequences, work)
            check(off <= 1.5 * yardstick, f"{mode}: llama.cpp is as near as to the whole model")
            check(of_perplexity <= 0.01 + 1.5 * perplexity_yardstick, f"{mode}: perplexities are {of_perplexity:.2%} apart")
            got, want = ours(folder, tokens, work), transformers_logits(folder, sequences)
            largest = float(np.abs(got - want).max() / np.abs(want).max())
            check(largest <= 1e-4, f"{mode}: transformers' logits are {largest:.1e} of the largest apart")
            judge_tokenizer(folder, arguments.model, text)
    print("FAIL" if failures else "PASS")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
