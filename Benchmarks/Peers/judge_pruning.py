#!/usr/bin/env python3
"""Judges `straightedge plan` and `straightedge prune` on a LLaMA model in GGUF by transformers and float64 fits in numpy.
Needs the packages numpy, torch, transformers and gguf.

    judge_pruning.py --straightedge PATH --model FILE.gguf --tokens FILE.jsonl [--held-out-tokens N] [--drop N]

The lines of the token file have one length. Compared are the perplexities on the held-out lines

- of the model without each single layer, and with its least-squares map in its place (`plan`),
- of the model with 1 to N layers cut, chosen greedily, in all three modes (`prune`'s curve), maps being fitted one after
  another on the stream of the model as it is cut, to the stream of the whole one,

and beside the merged models, as they are by default (ridge), what ReplaceMe's formula gives on the same tokens: least squares
of the MLP's output to what is missing, without bias and without centring, on the activations of the whole model. The exit
status is 0 for PASS, 1 for FAIL.
"""

import argparse
import json
import math
import pathlib
import shutil
import subprocess
import tempfile

from hugging_face import available_cores, settle_threads

TOLERANCE = 1e-3


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--straightedge", required=True, metavar="PATH")
    parser.add_argument("--model", required=True, metavar="FILE.gguf")
    parser.add_argument("--tokens", required=True, metavar="FILE.jsonl")
    parser.add_argument("--held-out-tokens", type=int, default=2048)
    parser.add_argument("--drop", type=int, default=8)
    parser.add_argument("--by", default="perplexity")
    parser.add_argument("--keep", metavar="FOLDER", help="where plans and results stay")
    parser.add_argument("--skip-single", action="store_true", help="judge the greedy cuts only")
    parser.add_argument("--skip-greedy", action="store_true", help="judge the single layers only")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    settle_threads(available_cores())

import numpy as np  # noqa: E402
import torch  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402


class Decoder:
    """The layers of a transformers model, applied one by one to batches of sequences of one length."""

    def __init__(self, path):
        path = pathlib.Path(path)
        self.model = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="sdpa"
        ).eval()
        self.layers = self.model.model.layers

    def embed(self, ids):
        return self.model.model.embed_tokens(ids)

    def apply(self, layer, x, weight=None):
        """What leaves a layer, and what its MLP added; `weight` takes the place of its last projection's."""
        positions = torch.arange(x.shape[1])[None]
        embeddings = self.model.model.rotary_emb(x, positions)
        mask = torch.full((x.shape[1], x.shape[1]), -math.inf).triu(1)[None, None]
        kept = []
        projection = self.layers[layer].mlp.down_proj
        stored = projection.weight.data
        if weight is not None:
            projection.weight.data = weight
        hook = self.layers[layer].mlp.register_forward_hook(lambda _, __, output: kept.append(output))
        rows = []
        for part in x.split(8):
            output = self.layers[layer](part, attention_mask=mask, position_ids=positions, position_embeddings=embeddings)
            rows.append(output[0] if isinstance(output, tuple) else output)
        hook.remove()
        projection.weight.data = stored
        return torch.cat(rows), torch.cat(kept)

    def perplexity(self, x, ids):
        total, count = 0.0, 0
        for part, targets in zip(x.split(4), ids.split(4)):
            logits = self.model.lm_head(self.model.model.norm(part)).double()
            losses = torch.nn.functional.cross_entropy(
                logits[:, :-1].reshape(-1, logits.shape[-1]), targets[:, 1:].reshape(-1), reduction="none"
            )
            total, count = total + losses.sum().item(), count + losses.numel()
        return math.exp(total / count)


def rows(x):
    return x.reshape(-1, x.shape[-1]).double().numpy()


def affine_fit(x, y):
    """Least squares of y - x on x with an intercept."""
    x, b = rows(x), rows(y) - rows(x)
    mean_x, mean_b = x.mean(0), b.mean(0)
    matrix = np.linalg.lstsq(x - mean_x, b - mean_b, rcond=None)[0]
    return matrix, mean_b - mean_x @ matrix


def apply_map(fit, x):
    matrix, bias = fit
    flat = rows(x)
    return torch.from_numpy(flat + flat @ matrix + bias).float().reshape(x.shape)


def merged_weight(decoder, layer, transform):
    """(outputs, inputs): W ← TᵀW."""
    weight = decoder.layers[layer].mlp.down_proj.weight.data.double()
    return (torch.from_numpy(transform).T @ weight).float()


def runs(layers):
    found = []
    for layer in sorted(layers):
        if found and found[-1][1] == layer:
            found[-1] = (found[-1][0], layer + 1)
        else:
            found.append((layer, layer + 1))
    return found


def walk(decoder, ids, edits):
    x = decoder.embed(ids)
    for layer in range(len(decoder.layers)):
        edit = edits.get(layer)
        if edit is None:
            x, _ = decoder.apply(layer, x)
        elif edit[0] == "merge":
            x, _ = decoder.apply(layer, x, weight=edit[1])
        elif edit[0] == "map":
            x = apply_map(edit[1], x)
    return x


def cut(decoder, ids, layers, mode, on_original=False):
    """What becomes of each layer that does not stay as it is."""
    edits = {}
    original = pruned = decoder.embed(ids)
    layer, found = 0, runs(layers)
    starts = {first: (first, end) for first, end in found}
    while layer < len(decoder.layers):
        if layer in starts:
            first, end = starts[layer]
            x = original if on_original else pruned
            for index in range(first, end):
                original, _ = decoder.apply(index, original)
            edits[first] = ("drop",)
            if mode == "replace":
                fit = affine_fit(x, original)
                edits[first] = ("map", fit)
                pruned = apply_map(fit, pruned)
            for index in range(first + 1, end):
                edits[index] = ("drop",)
            layer = end
            continue
        if mode == "merge" and layer + 1 in starts:
            first, end = starts[layer + 1]
            whole, whole_added = decoder.apply(layer, original)
            kept, added = decoder.apply(layer, pruned)
            goal = whole
            for index in range(first, end):
                goal, _ = decoder.apply(index, goal)
            if on_original:
                transform = np.linalg.lstsq(rows(whole_added), rows(goal) - rows(whole) + rows(whole_added), rcond=None)[0]
            else:
                transform = np.linalg.lstsq(rows(added), rows(goal) - rows(kept) + rows(added), rcond=None)[0]
            weight = merged_weight(decoder, layer, transform)
            edits[layer] = ("merge", weight)
            pruned, _ = decoder.apply(layer, pruned, weight=weight)
            original = goal
            for index in range(first, end):
                edits[index] = ("drop",)
            layer = end
            continue
        same = original is pruned
        original, _ = decoder.apply(layer, original)
        pruned = original if same else decoder.apply(layer, pruned)[0]
        layer += 1
    return edits


class Verdict:
    def __init__(self):
        self.worst, self.failed = 0.0, False

    def hold(self, name, got, want):
        difference = abs(got / want - 1)
        self.worst = max(self.worst, difference)
        bad = not difference <= TOLERANCE
        self.failed = self.failed or bad
        print(f"  {name:28} {got:12.4f} {want:12.4f}  {difference:.1e}{'  FAIL' if bad else ''}", flush=True)


def run(arguments, *command):
    subprocess.run([arguments.straightedge, *map(str, command)], check=True, stdout=subprocess.DEVNULL)


def judge_single(arguments, decoder, folder, fit_ids, held_out, verdict):
    plan = folder / "single.json"
    run(arguments, "plan", arguments.model, "--drop", 1, "--tokens", arguments.tokens, "--held-out-tokens",
        arguments.held_out_tokens, "--out", plan, "--force", "--quiet")
    plan = json.loads(plan.read_text())
    print("single layers: straightedge, judge, difference")
    verdict.hold("the whole model", plan["base"]["perplexity"], decoder.perplexity(walk(decoder, held_out, {}), held_out))
    x = decoder.embed(fit_ids)
    for candidate in plan["candidates"]:
        layer = int(candidate["layers"].split(":")[0])
        y, _ = decoder.apply(layer, x)
        for mode, edit in (("remove", ("drop",)), ("replace", ("map", affine_fit(x, y)))):
            want = decoder.perplexity(walk(decoder, held_out, {layer: edit}), held_out)
            verdict.hold(f"layer {layer} {mode}", candidate[mode]["perplexity"], want)
        x = y


def prune(arguments, plan, out, *options):
    """The curve of the model with the plan's layers cut."""
    run(arguments, "prune", arguments.model, "--plan", plan, "--mode", "remove", "--tokens", arguments.tokens,
        "--held-out-tokens", arguments.held_out_tokens, "--out", out, "--quiet", *options)
    curve = json.loads((out / "manifest.json").read_text())["curve"]
    shutil.rmtree(out)
    return curve


def judge_greedy(arguments, decoder, folder, fit_ids, held_out, verdict):
    plan, out = folder / "greedy.json", folder / "pruned"
    run(arguments, "plan", arguments.model, "--drop", arguments.drop, "--by", arguments.by, "--greedy", "--protect",
        "first:1", "--tokens", arguments.tokens, "--held-out-tokens", arguments.held_out_tokens, "--out", plan, "--force",
        "--quiet", "--no-damage" if arguments.by not in ("perplexity", "joint") else "--damage")
    curve = prune(arguments, plan, out, "--fit", "least-squares")
    defaults = {(point["mode"], len(point["cut"])): point["perplexity"] for point in prune(arguments, plan, out)}
    print("greedy cuts: straightedge, judge, difference")
    for point in curve:
        edits = cut(decoder, fit_ids, point["cut"], point["mode"])
        want = decoder.perplexity(walk(decoder, held_out, edits), held_out)
        verdict.hold(f"{len(point['cut'])} layers {point['mode']}", point["perplexity"], want)
        if point["mode"] == "merge":
            edits = cut(decoder, fit_ids, point["cut"], "merge", on_original=True)
            peer = decoder.perplexity(walk(decoder, held_out, edits), held_out)
            default = defaults["merge", len(point["cut"])]
            print(f"  {'by default (ridge)':28} {default:12.4f} {peer:12.4f}  {default / peer - 1:+.2%}, ReplaceMe's formula", flush=True)


def main():
    lines = [json.loads(line) for line in pathlib.Path(arguments.tokens).read_text().splitlines()]
    first, count = len(lines), 0
    while first > (len(lines) + 1) // 2 and count < arguments.held_out_tokens:
        first -= 1
        count += len(lines[first])
    fit_ids, held_out = torch.tensor(lines[:first]), torch.tensor(lines[first:])
    decoder, verdict = Decoder(arguments.model), Verdict()
    with tempfile.TemporaryDirectory() as temporary, torch.no_grad():
        folder = pathlib.Path(arguments.keep or temporary)
        folder.mkdir(exist_ok=True)
        if not arguments.skip_single:
            judge_single(arguments, decoder, folder, fit_ids, held_out, verdict)
        if not arguments.skip_greedy:
            judge_greedy(arguments, decoder, folder, fit_ids, held_out, verdict)
    print(f"worst difference {verdict.worst:.1e}: {'FAIL' if verdict.failed else 'PASS'}")
    raise SystemExit(verdict.failed)


if __name__ == "__main__":
    main()
