#!/usr/bin/env python3
"""Trains a tiny LLaMA on a text, byte by byte, and keeps checkpoints on the way: what `straightedge sweep` looks at.
Needs the packages torch, transformers, safetensors.

    train_checkpoints.py TEXT OUT [--steps 0,1,3,10,30,100,300] [--seed 0]

OUT gets a folder step0, step1, ... for each checkpoint, as save_pretrained writes it, and ids.jsonl: 64 sequences of
the text's end, which the training does not see, one token a byte. The corpus is small and the model learns little
more than the frequencies of letters: it stands for the shape of a training run, not for a language model.
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

SEQUENCES, LENGTH, BATCH = 64, 64, 16


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("text", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", default="0,1,3,10,30,100,300")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    steps = sorted({int(step) for step in arguments.steps.split(",")})
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)
    ids = torch.tensor(list(arguments.text.read_bytes()[:1_000_000]))
    held_out = ids[-SEQUENCES * LENGTH :].view(SEQUENCES, LENGTH)
    ids = ids[: -SEQUENCES * LENGTH]
    arguments.out.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row) for row in held_out.tolist()]
    (arguments.out / "ids.jsonl").write_text("\n".join(lines) + "\n")

    config = LlamaConfig(
        vocab_size=256,
        hidden_size=64,
        intermediate_size=176,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(steps[-1] + 1):
        if step in steps:
            model.save_pretrained(arguments.out / f"step{step}")
            with torch.no_grad():
                loss = model(input_ids=held_out, labels=held_out).loss
            print(f"step {step}: {loss:.3f} nats a byte on the held-out text")
        begins = torch.randint(len(ids) - LENGTH, (BATCH,))
        batch = torch.stack([ids[begin : begin + LENGTH] for begin in begins.tolist()])
        optimizer.zero_grad()
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
