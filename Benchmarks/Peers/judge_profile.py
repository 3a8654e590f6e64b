#!/usr/bin/env python3
"""Judges a profile.json: runs the same ids through transformers, computes every figure again in float64 with numpy, and
compares. Needs the packages numpy, scipy, torch, transformers and gguf.

    judge_profile.py --model MODEL --tokens ids.jsonl --profile profile.json [--against-float64 [--exact]]

MODEL is a GGUF file (transformers decodes it to the same weights) or a Hugging Face folder. For each figure it prints
the largest difference and where it is. A figure passes where it differs by at most

    1e-6 for scores (linearity*, chance_floor; of the value where that is beyond 1), or, with --against-float64, five
         times what the library's own float32 and float64 forward passes differ by for that very figure, if more
    1e-5 for norms, cosines, angular distance, anisotropy and Procrustes: of the value where that is above 1
    1e-3 of the value for the condition number, or five times the two passes' difference where that is more
    0    for the rank; and the same figures have to be null

The exit status is 0 for PASS, 1 for FAIL.

Every fit goes through a triangular factor of the data in float64: by Cholesky of their Gram matrix where its pivots say
that this loses nothing of note, by QR of the data themselves where not, so that ill-conditioned clouds are judged to
full precision too. Folds are factored one by one; the factor of any set of folds is that of their stacked factors.
With --check-layers L,L,... numpy's own lstsq judges the judge at these layers.
"""

import argparse
import json
import multiprocessing
import sys
import time

from hugging_face import available_cores, check_ids, load, make_exact, offsets_of, read_sequences, settle_threads
from hugging_face import peak_resident_bytes, streams_of

SCORES = [
    "linearity",
    "linearity_without_residual",
    "linearity_heldout",
    "linearity_heldout_standard_error",
    "linearity_without_residual_heldout",
    "linearity_without_residual_heldout_standard_error",
    "linearity_adjusted",
    "linearity_without_residual_adjusted",
    "chance_floor",
    "linearity_if_contribution_unrelated",
]
NORMS = [
    "orthogonal_procrustes",
    "contribution_mean",
    "contribution_to_output_mean",
    "cosine_mean",
    "angular_distance_mean",
    "anisotropy",
    "stream_norm_mean",
]
COUNTS = ["n", "rank"]
RELATIVE = ["condition_number"]
FIGURES = SCORES + COUNTS + RELATIVE + NORMS


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, metavar="FILE-OR-FOLDER")
    parser.add_argument("--tokens", required=True, metavar="FILE.jsonl", help="the ids: one JSON array a line")
    parser.add_argument("--profile", required=True, metavar="FILE.json")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32", help="of the forward pass")
    parser.add_argument("--against-float64", action="store_true", help="also run the forward pass in float64")
    parser.add_argument(
        "--exact",
        action="store_true",
        help="in the float64 pass, also take norms, rotary angles and softmax in float64, as the library does not",
    )
    parser.add_argument("--skip-tokens", type=int, help="masked tokens of the second view, if the profile has it not")
    parser.add_argument("--check-layers", default="", metavar="L,L,...", help="compare the judge with lstsq there")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--details", metavar="FILE.json", help="write every figure of every row here")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    # Rows are judged by one process a core, with one thread each.
    settle_threads(arguments.threads, numpy_count=1)

import numpy as np  # noqa: E402
from scipy.linalg import cholesky, qr, solve_triangular  # noqa: E402

# Fits -----------------------------------------------------------------------------------------------------------------


# Squared pivots of a Gram matrix with a unit diagonal under which the data are factored by QR instead.
SMALLEST_PIVOT = 1e-8


def factor(rows):
    """The upper triangular factor R of RᵀR = rowsᵀ·rows, square even where there are fewer rows than columns."""
    gram = rows.T @ rows
    norms = np.sqrt(gram.diagonal())
    if norms.min() > 0:
        try:
            triangle = cholesky(gram / np.outer(norms, norms), check_finite=False)
            if triangle.diagonal().min() ** 2 > SMALLEST_PIVOT:
                return triangle * norms
        except np.linalg.LinAlgError:
            pass
    width = rows.shape[1]
    if rows.shape[0] < width:
        rows = np.vstack([rows, np.zeros((width - rows.shape[0], width))])
    return qr(rows, mode="r", check_finite=False)[0][:width]


class Fit:
    """The least-squares fit B ≈ X·A + b from the triangular factors of [1 X B] of disjoint sets of rows."""

    def __init__(self, triangles, width, cutoff, needs_condition=False):
        # The rows of a factor that are zero in [1 X] do not bear on the fit, only on its residual.
        head = 1 + width
        triangle = factor(np.vstack([t[:head] for t in triangles])) if len(triangles) > 1 else triangles[0]
        below = sum(squares(t[head:]) for t in triangles) if len(triangles) > 1 else 0
        self.xx = triangle[1:head, 1:head]
        self.xb = triangle[1:head, head:]
        n = triangle[0, 0] ** 2
        self.mean_x = triangle[0, 1 : 1 + width] / triangle[0, 0] if n > 0 else np.zeros(width)
        self.mean_b = triangle[0, 1 + width :] / triangle[0, 0] if n > 0 else np.zeros(width)

        # A column whose deviation is lost in the rounding of its mean is constant: it explains nothing.
        norms = np.sqrt((self.xx**2).sum(0))
        epsilon = np.finfo(float).eps
        varies = norms > 8 * epsilon * np.sqrt(max(n, 1)) * np.abs(self.mean_x)
        self.scales = np.where(varies & (norms > 0), 1 / np.where(norms > 0, norms, 1), 0)
        self.rank, self.condition_number = width, None
        if needs_condition or not has_full_rank(self.xx * self.scales, cutoff):
            sigma = np.linalg.svd(self.xx * self.scales, compute_uv=False)
            self.rank = int((sigma > cutoff * sigma[0]).sum()) if sigma[0] > 0 else 0
            self.condition_number = sigma[0] / sigma[self.rank - 1] if self.rank else None
        if self.rank == width:
            self.map = solve_triangular(self.xx, self.xb, check_finite=False)
            lost = 0
        else:
            u, sigma, vt = np.linalg.svd(self.xx * self.scales)
            image = u.T @ self.xb
            kept = slice(0, self.rank)
            self.map = self.scales[:, None] * (vt[kept].T @ (image[kept] / sigma[kept, None]))
            lost = squares(image[self.rank :])
        self.residual_squares = squares(triangle[head:, head:]) + below + lost
        self.bias = self.mean_b - self.mean_x @ self.map


def has_full_rank(triangle, cutoff):
    """Whether it surely has: ‖R⁻¹‖_F bounds the least singular value from below, ‖R‖_F the largest from above."""
    if not triangle.diagonal().all():
        return False
    inverse = solve_triangular(triangle, np.eye(len(triangle)), check_finite=False)
    return 1 > cutoff * np.sqrt(squares(inverse) * squares(triangle))


def squares(values):
    return float((values**2).sum())


def ratio(numerator, denominator):
    return 1 - numerator / denominator if denominator > 0 else None


def default_cutoff(width):
    return float(np.sqrt(64 * width * np.finfo(float).eps))


# Figures --------------------------------------------------------------------------------------------------------------


def figures(x, y, keep, boundaries, cutoff):
    """Every figure of one layer in one view.

    x, y: (tokens, width), entering and leaving; keep: (tokens) of this view; boundaries: rows at which folds begin."""
    folds = [np.flatnonzero(keep[a:b]) + a for a, b in zip(boundaries[:-1], boundaries[1:])]
    x, y = [x[rows].astype(np.float64) for rows in folds], [y[rows].astype(np.float64) for rows in folds]
    b = [yf - xf for xf, yf in zip(x, y)]
    n, width = sum(map(len, folds)), x[0].shape[1]
    result = token_figures(np.vstack(x), np.vstack(y), np.vstack(b))
    result["n"] = n

    # Nothing below depends on the origin; near the mean, less is rounded away.
    mean_x, mean_b = sum(f.sum(0) for f in x) / n, sum(f.sum(0) for f in b) / n
    x, b = [f - mean_x for f in x], [f - mean_b for f in b]
    y = [xf + bf for xf, bf in zip(x, b)]
    triangles = [factor(np.hstack([np.ones((len(xf), 1)), xf, bf])) for xf, bf in zip(x, b)]

    fit = Fit(triangles, width, cutoff, needs_condition=True)
    whole_y, whole_b = np.vstack(y), np.vstack(b)
    y_squares = squares(whole_y - whole_y.mean(0))
    b_squares = squares(whole_b - whole_b.mean(0))
    rank = fit.rank
    result["rank"] = rank
    result["condition_number"] = fit.condition_number
    linearity, without = ratio(fit.residual_squares, y_squares), ratio(fit.residual_squares, b_squares)
    result["linearity"], result["linearity_without_residual"] = linearity, without
    freedom = n - rank - 1
    for name, score in (("linearity", linearity), ("linearity_without_residual", without)):
        usable = score is not None and freedom > 0
        result[name + "_adjusted"] = 1 - (1 - score) * (n - 1) / freedom if usable else None
    result["chance_floor"] = rank / (n - 1)
    result["linearity_if_contribution_unrelated"] = ratio((1 - rank / (n - 1)) * b_squares, y_squares)

    sigma = np.linalg.svd(fit.xx, compute_uv=False)
    x_squares = float((sigma**2).sum())
    result["anisotropy"] = float(sigma[0] ** 2 / x_squares) if x_squares > 0 else None
    nuclear = np.linalg.svd(fit.xx.T @ (fit.xx + fit.xb), compute_uv=False).sum()
    defined = x_squares > 0 and y_squares > 0
    result["orthogonal_procrustes"] = float(nuclear**2 / (x_squares * y_squares)) if defined else None

    result |= heldout_figures(x, y, b, triangles, width, cutoff)
    return {name: None if value is None else float(value) for name, value in result.items()}


def token_figures(x, y, b):
    norm_x, norm_y, norm_b = (np.sqrt((f**2).sum(1)) for f in (x, y, b))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.clip((x * y).sum(1) / (norm_x * norm_y), -1, 1)
        means = {
            "contribution_mean": (norm_b / norm_x).mean(),
            "contribution_to_output_mean": (norm_b / norm_y).mean(),
            "cosine_mean": cosine.mean(),
            "angular_distance_mean": (np.arccos(cosine) / np.pi).mean(),
            "stream_norm_mean": norm_x.mean(),
        }
    return {name: float(value) if np.isfinite(value) else None for name, value in means.items()}


def heldout_figures(x, y, b, triangles, width, cutoff):
    """Each fold's error under the map of the others, against its distance from the others' mean."""
    names = ["linearity_heldout", "linearity_without_residual_heldout"]
    nothing = {name + suffix: None for name in names for suffix in ("", "_standard_error")}
    if len(x) < 2:
        return nothing
    errors, y_squares, b_squares = [], [], []
    for held in range(len(x)):
        others = [f for f in range(len(x)) if f != held]
        train_count = sum(len(x[f]) for f in others)
        fit = Fit([triangles[f] for f in others], width, cutoff)
        if train_count <= fit.rank or train_count <= width:
            return nothing
        errors.append(squares(b[held] - x[held] @ fit.map - fit.bias))
        y_squares.append(squares(y[held] - sum(y[f].sum(0) for f in others) / train_count))
        b_squares.append(squares(b[held] - sum(b[f].sum(0) for f in others) / train_count))
    result = {}
    for name, denominators in zip(names, (y_squares, b_squares)):
        scores = [ratio(e, d) for e, d in zip(errors, denominators)]
        result[name] = ratio(sum(errors), sum(denominators))
        usable = all(score is not None for score in scores)
        result[name + "_standard_error"] = np.std(scores, ddof=1) / np.sqrt(len(scores)) if usable else None
    return result


def check_with_lstsq(x, y, got):
    """numpy's lstsq on all tokens; the largest difference of the two scores."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    b = y - x
    x, y, b = (f - f.mean(0) for f in (x, y, b))
    norms = np.sqrt((x**2).sum(0))
    scaled = x / np.where(norms > 0, norms, 1)
    cutoff = default_cutoff(x.shape[1])
    residual = squares(b - scaled @ np.linalg.lstsq(scaled, b, rcond=cutoff)[0])
    with_residual, without = ratio(residual, squares(y)), ratio(residual, squares(b))
    return max(abs(with_residual - got["linearity"]), abs(without - got["linearity_without_residual"]))


# Profiles -------------------------------------------------------------------------------------------------------------


def rows_of(profile):
    """((view name, masked first tokens, label), layer, is final norm, row) of every row."""
    for view in profile["views"]:
        skipped = view.get("skipped_tokens")
        if skipped is None:
            skipped = 0 if view["name"] == "all_tokens" else arguments.skip_tokens or 1
        for row in view["layers"]:
            yield view["name"], skipped, row["layer"], False, row
        if view.get("final_norm"):
            yield view["name"], skipped, None, True, view["final_norm"]


def label(layer, is_final):
    return "final_norm" if is_final else f"layer {layer}"


class Judge:
    """The streams of one forward pass, and every figure of a profile's rows from them."""

    def __init__(self, model, sequences, boundaries, checked_layers):
        self.streams, self.normed = streams_of(model, sequences, arguments.batch)
        self.position = np.concatenate([np.arange(len(ids)) for ids in sequences])
        self.boundaries, self.checked_layers = boundaries, checked_layers

    def row(self, view, skipped, layer, is_final, row):
        x = self.streams[-2 if is_final else layer]
        y = self.normed if is_final else self.streams[layer + 1]
        cutoff = row.get("rank_cutoff") or default_cutoff(x.shape[1])
        got = figures(x, y, self.position >= skipped, self.boundaries, cutoff)
        if layer in self.checked_layers and view == "all_tokens":
            off = check_with_lstsq(x, y, got)
            print(f"layer {layer}: the judge's scores differ from those of lstsq by {off:.1e}", flush=True)
        return (view, label(layer, is_final)), got


# The judge of a process that was forked from this one, so that the streams are shared.
present = None


def judge_task(task):
    return present.row(*task)


def judge(profile, model, sequences, checked_layers, name):
    """{(view, label): figures} for every row of the profile."""
    global present
    began = time.monotonic()
    present = Judge(model, sequences, profile["run"]["fold_boundaries"], checked_layers)
    print(f"{name} forward pass: {time.monotonic() - began:.1f} s for {len(present.position)} tokens", flush=True)
    began = time.monotonic()
    with multiprocessing.get_context("fork").Pool(arguments.threads) as pool:
        result = dict(pool.imap_unordered(judge_task, rows_of(profile)))
    print(f"{name} figures: {time.monotonic() - began:.1f} s for {len(result)} rows", flush=True)
    present = None
    return result


def tolerance(figure, value, library_difference):
    if figure in SCORES:
        return max(1e-6 * max(1, abs(value)), 5 * (library_difference or 0))
    if figure in RELATIVE:
        return max(1e-3 * abs(value), 5 * (library_difference or 0))
    if figure in COUNTS:
        return 0
    return 1e-5 * max(1, abs(value))


def difference(a, b):
    return None if a is None or b is None else abs(a - b)


def compare(profile, judged, doubled):
    """Prints the table; the list of failures."""
    worst, failures = {}, []
    for view, _, layer, is_final, row in rows_of(profile):
        place = (view, label(layer, is_final))
        for figure in FIGURES:
            ours, judges = row.get(figure), judged[place][figure]
            if ours is None and judges is None:
                continue
            if ours is None or judges is None:
                reason = (row.get("null_reasons") or {}).get(figure, "no reason given")
                where = f"{figure}, {', '.join(place)}"
                failures.append(f"{where}: {ours} in the profile ({reason}), {judges} by the judge")
                continue
            exact = doubled[place][figure] if doubled else None
            library = difference(judges, exact)
            allowed = tolerance(figure, judges, library)
            off = abs(ours - judges)
            if not off <= allowed:
                failures.append(f"{figure}, {', '.join(place)}: {ours!r}, judged {judges!r}: off by {off:.2e}")
            entry = (off, place, ours, judges, allowed, library, difference(ours, exact))
            worst.setdefault(figure, []).append(entry)

    heads = ["figure", "largest |difference|", "allowed there", "profile", "judge", "where"]
    if doubled:
        heads[2:2] = ["its float32 - float64"]
        heads.append("| largest of all rows: judge - float64, profile - float64, difference/allowed")
    table = [heads]
    for figure in FIGURES:
        entries = worst.get(figure)
        if not entries:
            table.append([figure, "not compared"])
            continue
        off, place, ours, judges, allowed, library, _ = max(entries, key=lambda entry: entry[0])
        line = [figure, f"{off:.2e}", f"{allowed:.1e}", f"{ours:.9g}", f"{judges:.9g}", ", ".join(place)]
        if doubled:
            line[2:2] = [f"{library:.2e}"]
            ratios = [entry[0] / entry[4] for entry in entries if entry[4] > 0]
            own = max(entry[6] for entry in entries)
            share = f"{max(ratios):.2f}" if ratios else "-"
            line.append(f"| {max(entry[5] for entry in entries):.2e}, {own:.2e}, {share}")
        table.append(line)
    widths = [max(len(line[i]) for line in table if i < len(line)) for i in range(len(heads))]
    for line in table:
        print("  ".join(cell.ljust(widths[i]) for i, cell in enumerate(line)).rstrip())
    return failures


def main():
    with open(arguments.profile, encoding="utf-8") as file:
        profile = json.load(file)
    sequences = read_sequences(arguments.tokens)
    count = offsets_of(sequences)[-1]
    if profile["corpus"]["tokens"] != count or profile["corpus"]["sequences"] != len(sequences):
        sys.exit(
            f"{arguments.profile} is of {profile['corpus']['tokens']} tokens in {profile['corpus']['sequences']} "
            f"sequences, {arguments.tokens} has {count} in {len(sequences)}"
        )
    boundaries = profile["run"]["fold_boundaries"]
    if boundaries[0] != 0 or boundaries[-1] != count or sorted(boundaries) != boundaries:
        sys.exit(f"{arguments.profile}: folds do not cover the {count} tokens: {boundaries}")
    layers = {int(part) for part in arguments.check_layers.split(",") if part}

    model = load(arguments.model, arguments.threads, arguments.dtype)
    check_ids(sequences, model)
    judged = judge(profile, model, sequences, layers, arguments.dtype)
    doubled = None
    if arguments.against_float64:
        model = model.double()
        if arguments.exact:
            make_exact(model)
        doubled = judge(profile, model, sequences, set(), "exact float64" if arguments.exact else "float64")
    failures = compare(profile, judged, doubled)
    if arguments.details:
        rows = [
            {"view": place[0], "row": place[1], "judge": judged[place], "float64": doubled and doubled[place]}
            for place in judged
        ]
        with open(arguments.details, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
    print(f"judge's peak memory: {(peak_resident_bytes() or 0) / 2**30:.2f} GiB")
    for failure in failures[:40]:
        print("FAIL:", failure)
    if len(failures) > 40:
        print(f"FAIL: {len(failures) - 40} more")
    print(f"FAIL ({len(failures)} figures)" if failures else "PASS")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
