#!/usr/bin/env python3
"""Judges `straightedge fit` against numpy, scipy and scikit-learn in float64, on the streams of `straightedge hidden-states`.

    judge_fits.py --straightedge PATH --model MODEL --text FILE [--layers 3,11,28] [--sequences 16] [--length 512]

Both commands read the same token ids. For each layer and kind of map the figures of the file are computed again from
the streams: the matrix, on five contiguous folds the held-out errors, and the alpha and K that these choose. A kind
passes where

    scores, in-sample and held out, with and without the residual, differ by at most 1e-6
    X through A and b differs by at most 1e-5 of ‖Y_c‖ from X through the peer's
    alpha (to 1e-6 of itself) and K are the peer's choice

The exit status is 0 for PASS, 1 for FAIL. Needs numpy, scipy, scikit-learn and safetensors.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from safetensors import safe_open
from scipy.linalg import lstsq, orthogonal_procrustes
from sklearn.linear_model import Ridge

FOLDS = 5
KINDS = ["least-squares", "ridge", "low-rank", "diagonal", "orthogonal"]
POWERS = [float(f"1e{power}") for power in range(-10, 3)]


class Data:
    """Rows of a fit, centred; y is x + b."""

    def __init__(self, x, y):
        self.mean_x, self.mean_y = x.mean(axis=0), y.mean(axis=0)
        self.x, self.y = x - self.mean_x, y - self.mean_y
        self.b = self.y - self.x


def least_squares(data):
    norms = np.linalg.norm(data.x, axis=0)
    return lstsq(data.x / norms, data.b, cond=1e-12)[0] / norms[:, None]


def ridge_by_svd(data, alphas):
    """For many alphas at once; `scikit_ridge` is the same for one."""
    u, s, vt = np.linalg.svd(data.x, full_matrices=False)
    projected = u.T @ data.b
    for alpha in alphas:
        yield vt.T @ ((s / (s**2 + alpha))[:, None] * projected)


def scikit_ridge(data, alpha):
    return Ridge(alpha, solver="svd").fit(data.x, data.b).coef_.T


def low_rank(data, ranks):
    m = least_squares(data)
    v = np.linalg.svd(data.x @ m, full_matrices=False)[2]
    for rank in ranks:
        yield m @ v[:rank].T @ v[:rank]


def diagonal(data):
    return np.diag((data.x * data.b).sum(axis=0) / (data.x**2).sum(axis=0))


def orthogonal(data):
    q, scale = orthogonal_procrustes(data.x, data.y)
    return scale / np.sum(data.x**2) * q - np.eye(data.x.shape[1])


def maps(kind, data, parameters):
    if kind == "least-squares":
        return [least_squares(data)]
    if kind == "ridge":
        return list(ridge_by_svd(data, parameters))
    if kind == "low-rank":
        return list(low_rank(data, parameters))
    return [diagonal(data) if kind == "diagonal" else orthogonal(data)]


def folds(lengths):
    """Contiguous runs of whole sequences, all of one length here, that end as near to equal shares as they can."""
    edges = [int(fold * len(lengths) / FOLDS + 0.5) for fold in range(FOLDS + 1)]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return [np.arange(offsets[a], offsets[b]) for a, b in zip(edges, edges[1:])]


def held_out(kind, x, y, rows, parameters):
    """Squared errors, one for each parameter; Σ‖y - ȳ‖² and Σ‖b - b̄‖² about the training means."""
    others = np.setdiff1d(np.arange(len(x)), rows)
    data = Data(x[others], y[others])
    x_held, y_held = x[rows] - data.mean_x, y[rows] - data.mean_y
    errors = [np.sum((y_held - x_held - x_held @ m) ** 2) for m in maps(kind, data, parameters)]
    return np.array(errors), np.sum(y_held**2), np.sum((y_held - x_held) ** 2)


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


class Judge:
    def __init__(self):
        self.failures = 0

    def check(self, name, got, want, tolerance):
        difference = abs(got - want)
        if not difference <= tolerance:
            self.failures += 1
            print(f"FAIL {name}: {got}, not {want}")
        return difference


def judge_map(judge, name, kind, file, info, x, y, partition):
    width = x.shape[1]
    data = Data(x, y)
    parameters = None
    if kind == "ridge":
        parameters = [power * np.sum(data.x**2) / width for power in POWERS]
    if kind == "low-rank":
        parameters = [2**i for i in range(width.bit_length()) if 2**i < width] + [width]
    sums = [held_out(kind, x, y, rows, parameters) for rows in partition]
    errors, output, contribution = (sum(part) for part in zip(*sums))
    choice = int(np.argmin(errors[::-1])) if kind == "ridge" else int(np.argmin(errors))
    choice = len(errors) - 1 - choice if kind == "ridge" else choice
    if parameters:
        got = info["alpha"] if kind == "ridge" else info["k"]
        judge.check(f"{name} choice", got, parameters[choice], 1e-6 * parameters[choice])
    m = maps(kind, data, [parameters[choice]] if parameters else None)[0]
    if kind == "ridge":
        peer = scikit_ridge(data, parameters[choice])
        judge.check(f"{name} scikit-learn", np.abs(m - peer).max(), 0, 1e-7 * max(1, np.abs(peer).max()))
        m = peer
    residual = np.sum((data.b - data.x @ m) ** 2)
    wanted = {
        "score": 1 - residual / np.sum(data.y**2),
        "score_without_residual": 1 - residual / np.sum(data.b**2),
        "score_heldout": 1 - errors[choice] / output,
        "score_without_residual_heldout": 1 - errors[choice] / contribution,
    }
    score = max(judge.check(f"{name} {key}", info[key], value, 1e-6) for key, value in wanted.items())
    weight, bias = file.get_tensor(f"{info['name']}.weight"), file.get_tensor(f"{info['name']}.bias")
    got = x @ weight.astype(np.float64) + bias
    want = x + data.mean_y - data.mean_x + data.x @ m
    image = np.linalg.norm(got - want) / np.linalg.norm(data.y)
    judge.check(f"{name} image", image, 0, 1e-5)
    chosen = f"{parameters[choice]:.3g}" if parameters else ""
    print(
        f"{name:24} {chosen:>9}  held out {wanted['score_heldout']:.4f} {wanted['score_without_residual_heldout']:.4f}  "
        f"scores differ by {score:.1e}, images by {image:.1e}, moments {info['moments']}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--straightedge", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--layers", default="3,11,28")
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--length", type=int, default=512)
    options = parser.parse_args()
    layers = [int(layer) for layer in options.layers.split(",")]
    judge = Judge()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        states = folder / "states.safetensors"
        corpus = ["--text", options.text, "--sequences", options.sequences, "--sequence-length", options.length]
        run(options.straightedge, "hidden-states", options.model, *corpus, "--out", states)
        with safe_open(states, "np") as streams:
            lengths = streams.get_tensor("sequence_lengths")
            if len(set(lengths)) != 1:
                sys.exit("the sequences are not all of one length: give a longer text")
            pairs = {
                layer: [streams.get_tensor(f"stream.{i}").astype(np.float64) for i in (layer, layer + 1)]
                for layer in layers
            }
        for kind in KINDS:
            out = folder / f"{kind}.safetensors"
            begin = time.perf_counter()
            run(
                options.straightedge, "fit", options.model, *corpus, "--layers", options.layers, "--fit", kind,
                "--folds", FOLDS, "--out", out,
            )
            seconds = time.perf_counter() - begin
            with safe_open(out, "np") as file:
                infos = {info["layers"][0]: info for info in json.loads(file.metadata()["maps"])}
                for layer in layers:
                    x, y = pairs[layer]
                    judge_map(judge, f"{kind} {layer}", kind, file, infos[layer], x, y, folds(lengths))
            print(f"{kind}: {seconds:.1f} s")
    print("FAIL" if judge.failures else "PASS")
    sys.exit(1 if judge.failures else 0)


if __name__ == "__main__":
    main()
