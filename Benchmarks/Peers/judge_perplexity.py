#!/usr/bin/env python3
"""Judges an evaluation: scores the same ids with transformers in float32, and compares with the file that
`straightedge evaluate MODEL --tokens ids.jsonl --out ours.json` wrote. Needs the packages numpy, torch, transformers and
gguf.

    judge_perplexity.py --model MODEL --tokens ids.jsonl --ours ours.json [--against MODEL2] [--tolerance 1e-5]

MODEL is a GGUF file or a Hugging Face folder. Give ids, not a text: transformers' conversion of a GGUF file's tokenizer
may give others than the model was made with. Logits are float32, what is made of them float64. The tolerance is that of
the cross-entropy in nats per token, of its standard error, and of the mean divergence where there is MODEL2; of the
tokens that are the most probable ones, and of those on which both models agree, as many may differ as have their two
largest logits within twice the tolerance of 2e-3 that judge_logits.py has. The exit status is 0 for PASS, 1 for FAIL.
"""

import argparse
import json
import sys

from hugging_face import available_cores, check_ids, load, read_sequences, settle_threads

LOGIT_TOLERANCE = 2e-3


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, metavar="FILE-OR-FOLDER")
    parser.add_argument("--against", metavar="FILE-OR-FOLDER")
    parser.add_argument("--tokens", required=True, metavar="FILE.jsonl", help="the ids: one JSON array a line")
    parser.add_argument("--ours", required=True, metavar="FILE.json")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    parser.add_argument("--threads", type=int, default=available_cores())
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    settle_threads(arguments.threads)

import numpy as np  # noqa: E402
import torch  # noqa: E402


def ratio(sums, counts):
    """The mean over tokens, and its error over sequences."""
    pairs = [(total, count) for total, count in zip(sums, counts) if count > 0]
    total = sum(count for _, count in pairs)
    mean = sum(value for value, _ in pairs) / total
    if len(pairs) < 2:
        return mean, None
    squares = sum((value - mean * count) ** 2 for value, count in pairs)
    return mean, (len(pairs) / (len(pairs) - 1) * squares) ** 0.5 / total


def logits_of(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0, :-1]


def log_probabilities(logits):
    return torch.log_softmax(logits.double(), -1)


def near_ties(logits):
    """At how many tokens the two largest logits are so near that either may be called the largest."""
    pair = torch.topk(logits, 2, dim=-1).values
    return int((pair[:, 0] - pair[:, 1] <= 2 * LOGIT_TOLERANCE).sum())


class Judgement:
    def __init__(self):
        self.passed = True

    def compare(self, name, ours, theirs, tolerance):
        if ours is None or theirs is None:
            good, difference = ours is theirs, "-"
        else:
            good, difference = abs(ours - theirs) <= tolerance, f"{abs(ours - theirs):.2e}"
        self.passed &= good
        print(f"  {name:34} {ours!s:22} {theirs!s:22} {difference:9} {'' if good else f'FAIL, allowed {tolerance:.1e}'}")


def main():
    sequences = read_sequences(arguments.tokens)
    report = json.load(open(arguments.ours))
    model = load(arguments.model, arguments.threads)
    check_ids(sequences, model)
    reference = load(arguments.against, arguments.threads) if arguments.against else None
    nats, correct, counts, divergences, agreements, ties = [], [], [], [], [], 0
    for ids in sequences:
        logits, targets = logits_of(model, ids), torch.tensor(ids[1:])
        rows = log_probabilities(logits)
        counts.append(len(ids) - 1)
        nats.append(float(-rows.gather(1, targets[:, None]).sum()))
        correct.append(int((logits.argmax(-1) == targets).sum()))
        ties += near_ties(logits)
        if reference is not None:
            others = logits_of(reference, ids)
            p = log_probabilities(others)
            divergences += (p.exp() * (p - rows)).sum(-1).tolist()
            agreements.append(int((others.argmax(-1) == logits.argmax(-1)).sum()))
            ties += near_ties(others)

    figures, judgement = report["figures"], Judgement()
    total, tolerance = sum(counts), arguments.tolerance
    entropy, error = ratio(nats, counts)
    accuracy, accuracy_error = ratio(correct, counts)
    share = (ties + 0.5) / total
    print(f"{total} tokens scored in {len(sequences)} sequences; at {ties} the largest logit is nearly tied")
    print(f"  {'':34} {'ours':22} {'theirs':22} difference")
    judgement.compare("tokens_scored", figures["tokens_scored"], total, 0)
    judgement.compare("cross_entropy", figures["cross_entropy"], entropy, tolerance)
    judgement.compare("cross_entropy_standard_error", figures["cross_entropy_standard_error"], error, tolerance)
    perplexity = float(np.exp(entropy))
    judgement.compare("perplexity", figures["perplexity"], perplexity, tolerance * perplexity)
    judgement.compare("accuracy", figures["accuracy"], accuracy, share)
    judgement.compare("accuracy_standard_error", figures["accuracy_standard_error"], accuracy_error, share)
    if reference is not None:
        ours = report["against"]["comparison"]
        starts = np.cumsum([0] + counts)
        sums = [sum(divergences[begin:end]) for begin, end in zip(starts, starts[1:])]
        divergence, divergence_error = ratio(sums, counts)
        judgement.compare("kl_divergence", ours["kl_divergence"], divergence, tolerance)
        judgement.compare(
            "kl_divergence_standard_error", ours["kl_divergence_standard_error"], divergence_error, tolerance)
        names = ["median", "90_percent", "99_percent", "largest"]
        for name, value in zip(names, np.quantile(divergences, [0.5, 0.9, 0.99, 1])):
            # That of single tokens, which move by more than the mean does.
            judgement.compare(f"kl_divergence_{name}", ours[f"kl_divergence_{name}"], float(value), 2e-3 * value + 1e-6)
        agreement, _ = ratio(agreements, counts)
        judgement.compare("agreement", ours["agreement"], agreement, share)
    print("PASS" if judgement.passed else "FAIL")
    return 0 if judgement.passed else 1


if __name__ == "__main__":
    sys.exit(main())
