#!/usr/bin/env python3
"""Judges logits: runs the same ids through transformers in float32 and compares. Needs the packages numpy, torch,
transformers and gguf.

    judge_logits.py --model MODEL --tokens ids.jsonl --ours logits.f32 --shape 8192,49152 [--tolerance 2e-3]

MODEL is a GGUF file or a Hugging Face folder; the file of logits is raw little-endian float32 (tokens, vocabulary), the
sequences one after the other. An argmax that differs is a tie where the library's own two largest logits lie no further
apart than twice the largest difference at that token, or than twice the tolerance where that is less. The exit status
is 0 for PASS, 1 for FAIL.
"""

import argparse
import sys
from pathlib import Path

from hugging_face import available_cores, check_ids, load, offsets_of, read_sequences, settle_threads


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, metavar="FILE-OR-FOLDER")
    parser.add_argument("--tokens", required=True, metavar="FILE.jsonl", help="the ids: one JSON array a line")
    parser.add_argument("--ours", required=True, metavar="FILE.f32")
    parser.add_argument("--shape", required=True, metavar="TOKENS,VOCABULARY", help="of the file of logits")
    parser.add_argument("--tolerance", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=available_cores())
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    settle_threads(arguments.threads)

import numpy as np  # noqa: E402
import torch  # noqa: E402


def main():
    shape = tuple(int(part) for part in arguments.shape.replace("x", ",").split(","))
    size = Path(arguments.ours).stat().st_size
    if len(shape) != 2 or size != 4 * shape[0] * shape[1]:
        sys.exit(f"{arguments.ours} has {size} bytes, float32 of shape {shape} would have {4 * int(np.prod(shape))}")
    ours = np.memmap(arguments.ours, dtype="<f4", mode="r", shape=shape)
    sequences = read_sequences(arguments.tokens)
    offsets = offsets_of(sequences)
    model = load(arguments.model, arguments.threads)
    check_ids(sequences, model)
    if shape != (offsets[-1], model.config.vocab_size):
        sys.exit(f"expected logits of shape {(offsets[-1], model.config.vocab_size)}, not {shape}")

    largest, place, squares = -1.0, None, 0.0
    different, ties, infinite = [], 0, 0
    for index, ids in enumerate(sequences):
        with torch.no_grad():
            theirs = model(torch.tensor([ids]), use_cache=False).logits[0].numpy()
        mine = np.asarray(ours[offsets[index] : offsets[index + 1]])
        infinite += int((~np.isfinite(mine)).sum())
        off = np.abs(mine - theirs)
        squares += float((off.astype(np.float64) ** 2).sum())
        of_token = off.max(1)
        if of_token.max() > largest:
            largest, place = float(of_token.max()), (index, int(of_token.argmax()))
        pair = np.partition(theirs, -2, axis=1)[:, -2:]
        gap = pair[:, 1] - pair[:, 0]
        for position in np.flatnonzero(mine.argmax(1) != theirs.argmax(1)):
            if gap[position] <= 2 * min(float(of_token[position]), arguments.tolerance):
                ties += 1
            else:
                different.append((index, int(position), float(gap[position])))

    print(f"{shape[0]} tokens in {len(sequences)} sequences, vocabulary {shape[1]}")
    print(f"largest difference {largest:.3e}, at sequence {place[0]}, position {place[1]}")
    print(f"root mean square difference {(squares / (shape[0] * shape[1])) ** 0.5:.3e}")
    print(f"argmax differs at {len(different)} positions, and at {ties} more where the library's own are tied")
    for index, position, gap in different[:20]:
        print(f"  sequence {index}, position {position}: the library's two largest are {gap:.3e} apart")
    if infinite:
        print(f"{infinite} values are not finite")
    passed = largest <= arguments.tolerance and not different and not infinite
    print("PASS" if passed else f"FAIL (tolerance {arguments.tolerance})")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
