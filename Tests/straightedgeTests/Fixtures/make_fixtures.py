#!/usr/bin/env python3
"""Makes smollm2.json beside this script: scores of the first layers of SmolLM2-135M on two windows of 512 tokens,
computed in float64 by numpy from Hugging Face's float32 hidden states. Needs torch, transformers, tokenizers, gguf.

    make_fixtures.py MODEL.gguf TEXT        the two files that Scripts/fetch prints
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM

model_path, text_path = map(Path, sys.argv[1:])
fields = gguf.GGUFReader(model_path).fields


def strings(key):
    return [bytes(fields[key].parts[i]).decode() for i in fields[key].data]


vocabulary = {token: index for index, token in enumerate(strings("tokenizer.ggml.tokens"))}
merges = [tuple(merge.split(" ")) for merge in strings("tokenizer.ggml.merges")]
tokenizer = Tokenizer(models.BPE(vocabulary, merges))
# The digits' step is lost where transformers converts the file's tokenizer.
tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
)
ids = tokenizer.encode(text_path.read_text(encoding="utf-8")[:20000]).ids[:1024]

model = AutoModelForCausalLM.from_pretrained(model_path.parent, gguf_file=model_path.name, dtype=torch.float32).eval()
with torch.no_grad():
    states = model.model(torch.tensor(ids).reshape(2, 512), output_hidden_states=True).hidden_states
streams = [state.reshape(1024, -1).double().numpy() for state in states[:4]]

views = {"all_tokens": np.ones(1024, bool), "without_first_token": np.arange(1024) % 512 > 0}
scores = {}
for name, kept in views.items():
    scores[name] = []
    for x, y in zip(streams, streams[1:]):
        x, y = x[kept] - x[kept].mean(0), y[kept] - y[kept].mean(0)
        b = y - x
        residual = np.sum((b - x @ np.linalg.lstsq(x, b, rcond=None)[0]) ** 2)
        nuclear = np.linalg.svd(x.T @ y, compute_uv=False).sum()
        scores[name].append(
            {
                "linearity": 1 - residual / np.sum(y**2),
                "linearity_without_residual": 1 - residual / np.sum(b**2),
                "orthogonal_procrustes": nuclear**2 / (np.sum(x**2) * np.sum(y**2)),
            }
        )
text = json.dumps({"first_ids": ids[:16], "views": scores}, indent=1)
(Path(__file__).parent / "smollm2.json").write_text(text + "\n")
