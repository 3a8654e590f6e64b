#!/usr/bin/env python3
"""Judges the errors of tokens that `straightedge analyze --tokens-out` writes against numpy in float64.

    judge_token_errors.py --straightedge PATH --model MODEL --tokens FILE.jsonl [--site layer,attention,mlp]

The residual stream is what `straightedge hidden-states` writes (judge_profile.py holds that to Hugging Face). For each
layer, view and fold the least-squares map is fitted anew, by QR in float64; errors must agree to 1e-5 relative, and the
ten worst tokens of each layer must be the same. Needs numpy and safetensors.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file

TOLERANCE = 1e-5


def fit(x, y):
    """Means and map of y ≈ (x - mean x) A + mean y."""
    mean_x, mean_y = x.mean(0), y.mean(0)
    q, r = np.linalg.qr(x - mean_x)
    return mean_x, mean_y, np.linalg.solve(r, q.T @ (y - mean_y))


def errors(x, y, fitted):
    mean_x, mean_y, matrix = fitted
    return np.linalg.norm((x - mean_x) @ matrix + mean_y - y, axis=1)


def judge_view(x, y, keep, boundaries):
    """In-sample and held-out errors, NaN outside the view."""
    # The contribution keeps more digits where it is small, and has the same errors.
    target = y - x if np.linalg.norm(y - x) < np.linalg.norm(y) else y
    in_sample, held_out = np.full(len(x), np.nan), np.full(len(x), np.nan)
    in_sample[keep] = errors(x[keep], target[keep], fit(x[keep], target[keep]))
    for begin, end in zip(boundaries, boundaries[1:]):
        held = np.zeros(len(x), bool)
        held[begin:end] = True
        fitted = fit(x[keep & ~held], target[keep & ~held])
        held_out[keep & held] = errors(x[keep & held], target[keep & held], fitted)
    return in_sample, held_out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--straightedge", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokens", required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        folder = pathlib.Path(folder)
        common = [arguments.model, "--tokens", arguments.tokens]
        subprocess.run(
            [arguments.straightedge, "hidden-states", *common, "--out", folder / "states.safetensors"], check=True)
        subprocess.run(
            [arguments.straightedge, "analyze", *common, "--quiet", "--out", folder / "profile", "--tokens-out",
             folder / "errors.safetensors"], check=True)
        states = load_file(folder / "states.safetensors")
        got = load_file(folder / "errors.safetensors")
        profile = json.loads((folder / "profile" / "profile.json").read_text())
    sys.exit(0 if compare(states, got, profile) else 1)


def compare(states, got, profile):
    first = np.zeros(len(states["tokens"]), bool)
    first[np.concatenate([[0], np.cumsum(states["sequence_lengths"])[:-1]])] = True
    largest, wrong_ranks, count = 0.0, 0, 0
    for view in profile["views"]:
        keep = ~first if view["name"] == "without_first_token" else np.ones_like(first)
        assert view["skipped_tokens"] in (0, 1)
        rows = view["layers"] + [view["final_norm"]]
        for index, row in enumerate(rows):
            last = row["site"] == "final_norm"
            x = states[f"stream.{row['layer']}"].astype(np.float64)
            y = states["stream.norm" if last else f"stream.{row['layer'] + 1}"].astype(np.float64)
            wanted = judge_view(x, y, keep, profile["run"]["fold_boundaries"])
            for kind, want in zip(("in_sample", "held_out"), wanted):
                values = got[f"{view['name']}.{row['site']}.{kind}"][:, 0 if last else index]
                assert (np.isnan(values) == np.isnan(want)).all(), "tokens outside the view"
                deviation = np.nanmax(abs(values - want) / want)
                ranked = np.argsort(-np.nan_to_num(want), kind="stable")[:10]
                reported = [token["row"] for token in row["token_errors"][kind]["worst"]]
                same = list(ranked) == reported
                quantiles = np.quantile(
                    want[keep], row["token_errors"]["probabilities"], method="inverted_cdf")
                assert np.allclose(quantiles, row["token_errors"][kind]["quantiles"], rtol=TOLERANCE), "quantiles"
                squares = np.sort(want[keep] ** 2)[::-1].cumsum()
                share = (np.searchsorted(squares, squares[-1] / 2) + 1) / keep.sum()
                reported_share = row["token_errors"][kind]["share_of_tokens_with_half_of_squared_error"]
                assert abs(share - reported_share) * keep.sum() <= 1.5, "share"
                largest, count = max(largest, deviation), count + 1
                wrong_ranks += not same
                if deviation > TOLERANCE or not same:
                    print(f"{view['name']} {row['site']} {row['layer']} {kind}: {deviation:.2e}, "
                          f"worst {'same' if same else f'{reported} for {list(ranked)}'}")
    passed = largest <= TOLERANCE and wrong_ranks == 0
    print(f"{count} columns of {len(first)} tokens: largest relative deviation {largest:.2e} (allowed {TOLERANCE:.0e}), "
          f"ten worst tokens differ in {wrong_ranks}: {'PASS' if passed else 'FAIL'}")
    return passed


if __name__ == "__main__":
    main()
