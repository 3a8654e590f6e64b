#!/usr/bin/env python3
"""Judges `straightedge evaluate --choices` by transformers in float32, with lm-evaluation-harness's definitions.

    judge_choices.py --straightedge PATH --model FILE.gguf --questions FILE.jsonl

A line of the questions is {"context": ..., "choices": [...], "answer": index}. The log-likelihood of a choice is that of its
tokens behind the context's, both encoded together; spaces at the end of a context go over to the choice. Accuracy is the
share of questions whose answer has the largest one, plain and over the choice's length in characters. Both shares have
to be equal, and each log-likelihood within 1e-4 nats. Texts without digits are wanted: transformers' tokenizer of a GGUF file does not split them as the model was
trained with. The exit status is 0 for PASS, 1 for FAIL. Needs the packages torch, transformers and gguf.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from hugging_face import available_cores, settle_threads


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--straightedge", required=True, metavar="PATH")
    parser.add_argument("--model", required=True, metavar="FILE.gguf")
    parser.add_argument("--questions", required=True, metavar="FILE.jsonl")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    settle_threads(available_cores())

import torch  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402


def likelihood(model, tokenizer, context, choice):
    """The sum of the choice's log-probabilities."""
    kept = context.rstrip()
    choice = context[len(kept):] + choice
    whole = tokenizer(kept + choice, add_special_tokens=False).input_ids
    count = len(whole) - len(tokenizer(kept, add_special_tokens=False).input_ids)
    with torch.no_grad():
        logits = model(torch.tensor([whole])).logits[0, :-1].log_softmax(-1)
    targets = torch.tensor(whole[1:])
    return logits.gather(1, targets[:, None])[-count:].sum().item()


def main():
    path = pathlib.Path(arguments.model)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    questions = [json.loads(line) for line in open(arguments.questions, encoding="utf-8")]
    plain = normalized = 0
    likelihoods = []
    for question in questions:
        scores = [likelihood(model, tokenizer, question["context"], choice) for choice in question["choices"]]
        likelihoods += scores
        lengths = [len(choice) for choice in question["choices"]]
        plain += max(range(len(scores)), key=scores.__getitem__) == question["answer"]
        normalized += max(range(len(scores)), key=lambda i: scores[i] / lengths[i]) == question["answer"]
    want = plain / len(questions), normalized / len(questions)
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/choices.json"
        subprocess.run(
            [arguments.straightedge, "evaluate", arguments.model, "--choices", arguments.questions, "--out", out],
            check=True, stdout=subprocess.DEVNULL)
        choices = json.loads(pathlib.Path(out).read_text())["choices"]
    got = choices["accuracy"], choices["accuracy_normalized"]
    print(f"{len(questions)} questions: accuracy {got[0]:.4f} and {want[0]:.4f}, normalized {got[1]:.4f} and {want[1]:.4f}")
    worst = max(abs(a - b) for a, b in zip(sum(choices["log_likelihoods"], []), likelihoods, strict=True))
    print(f"log-likelihoods differ by at most {worst:.1e} nats")
    passes = worst <= 1e-4 and all(abs(a - b) < 1e-12 for a, b in zip(got, want))
    print("PASS" if passes else "FAIL")
    return 0 if passes else 1


if __name__ == "__main__":
    sys.exit(main())
