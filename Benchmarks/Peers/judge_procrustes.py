#!/usr/bin/env python3
"""Judges `straightedge procrustes` against numpy and scipy in float64, and exact arithmetic where that is not enough.

    judge_procrustes.py --straightedge PATH [--methods gram,svd] [--cases NAME,...]
    judge_procrustes.py --straightedge PATH [--methods gram,svd] --large FOLDER

Matrices of each kind are made in a temporary folder. Every figure is computed again from the numbers in the files: the
fit by a QR factorization of the centred and column-scaled X (of its singular values, where it is near singular; in 80
digits, where the condition number is 1e12), anew without each fold, Procrustes by scipy.linalg.orthogonal_procrustes.
A figure passes where it differs by at most (gram, svd)

    1e-6, 1e-9   scores (of the value, where that is beyond 1), Procrustes, CKA
    1e-3, 1e-3   of the value, the condition number (rounding X's elements moves one of 1e12 by 1e-4)
    1e-5, 1e-8   of Y's norm, X through the map and the bias; and through rotation, scale and offset
    0            the rank, and which figures are null

--large writes 2,000,000 rows of 512 float32 numbers for X and for Y into FOLDER (8 GB, removed in the end), and holds the
figures to sums of float64 products, peak memory to 1 GB (getrusage also counts what the judge has when it starts the
process), and prints the time beside scipy.linalg.lstsq's on a tenth of the rows.

The exit status is 0 for PASS, 1 for FAIL. Needs numpy, scipy, safetensors and mpmath.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import mpmath
import numpy as np
import scipy.linalg
from safetensors.numpy import load_file

FOLDS = 5
TOLERANCES = {
    "gram": {"score": 1e-6, "condition": 1e-3, "map": 1e-5},
    "svd": {"score": 1e-9, "condition": 1e-3, "map": 1e-8},
}
COUNTS = ["n", "rank"]
SCORES = [
    "linearity", "linearity_heldout", "linearity_heldout_standard_error", "linearity_adjusted",
    "linearity_without_residual", "linearity_without_residual_heldout",
    "linearity_without_residual_heldout_standard_error", "linearity_without_residual_adjusted", "chance_floor",
    "orthogonal_procrustes", "linear_cka",
]
LARGE_ROWS, LARGE_WIDTH, LARGE_BLOCK = 2_000_000, 512, 20_000
LARGE_PEAK = 10**9


# Cases: arrays as they are stored, and what is special.


class Case:
    """`exact`: ill-conditioned, judged in 80 digits; gram has to warn. `allowed`: tolerances of the svd method."""

    def __init__(self, name, x, y, order="C", exact=False, allowed=None, bfloat16=False):
        self.name, self.order, self.exact, self.bfloat16 = name, order, exact, bfloat16
        self.allowed = allowed or TOLERANCES["svd"]
        self.x, self.y = (truncated(x), truncated(y)) if bfloat16 else (x, y)


def truncated(matrix):
    """Float32 numbers that bfloat16 holds."""
    return (matrix.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)


def noisy_image(x, width, noise, random):
    matrix = random.standard_normal((x.shape[1], width)) / np.sqrt(x.shape[1])
    return x @ matrix + noise * random.standard_normal((len(x), width))


def small_cases(random):
    x = random.standard_normal((600, 24))
    y = noisy_image(x, 24, 0.5, random)
    for dtype in (np.float16, np.float32, np.float64):
        for order in "CF":
            yield Case(f"random_{np.dtype(dtype).name}_{order}", x.astype(dtype), y.astype(dtype), order)
    for order in "CF":
        yield Case(f"random_bfloat16_{order}", x, y, order, bfloat16=True)
    yield Case("mixed_types", x.astype(np.float32), y)
    yield Case("small_contribution", x.astype(np.float32), (x + 1e-3 * y).astype(np.float32))
    yield Case("narrower_y", x.astype(np.float32), noisy_image(x, 5, 0.5, random).astype(np.float32))
    yield Case("wider_y", x.astype(np.float32), noisy_image(x, 70, 0.5, random).astype(np.float32))
    yield Case("barely_enough_rows", x[:26].astype(np.float32), y[:26].astype(np.float32))
    yield Case("folds_too_small", x[:40].astype(np.float32), y[:40].astype(np.float32))
    one = random.standard_normal((10_000, 1)).astype(np.float32)
    yield Case("width_1", one, noisy_image(one, 1, 0.5, random).astype(np.float32))


def shaped_cases(random):
    """What has a name in linear algebra."""
    whole = random.integers(-8, 9, (400, 6)).astype(np.float32)
    deficient = np.hstack([whole, whole[:, :3] + whole[:, 3:], 2 * whole[:, :1], np.full((400, 1), 3, np.float32)])
    yield Case("rank_deficient", deficient, noisy_image(deficient, 11, 1, random).astype(np.float32))
    basis, _ = np.linalg.qr(random.standard_normal((500, 12)))
    basis -= basis.mean(0)
    yield Case("repeated_singular_values", basis, noisy_image(basis, 12, 0.01, random))
    x = random.standard_normal((500, 16))
    rotation, _ = np.linalg.qr(random.standard_normal((16, 16)))
    rotation[:, 0] *= -np.sign(np.linalg.det(rotation))
    reflected = 3 * x @ rotation + 5 + 0.1 * random.standard_normal(x.shape)
    yield Case("reflection", x.astype(np.float32), reflected.astype(np.float32))
    for distance in (1e3, 1e6):
        far = (x + distance).astype(np.float32)
        y = noisy_image(x, 16, 0.3, random)
        yield Case(f"offset_{distance:.0e}", far, y.astype(np.float32))
        yield Case(f"offset_of_both_{distance:.0e}", far, (far + 0.1 * y).astype(np.float32))
        yield Case(f"offset_of_x_near_{distance:.0e}", far, (0.9 * x + 0.01 * y).astype(np.float32))
    yield Case("offset_of_x_near_float64", x + 1e7, 0.9 * x + 0.01 * y)


def ill_conditioned_cases(random):
    """One direction is 1e12 times as weak as the others. Where Y hangs on it, rounding the elements of X moves Y's image
    by ε·1e12 of itself, and no algorithm in float64 finds scores better than the square of that, 5e-8."""
    left, _ = np.linalg.qr(random.standard_normal((300, 7)))
    left = np.linalg.qr(left - left.mean(0))[0][:, :6]
    right, _ = np.linalg.qr(random.standard_normal((6, 6)))
    x = left * np.array([1, 0.8, 0.6, 0.4, 0.2, 1e-12]) @ right
    yield Case("condition_1e12", x, noisy_image(x, 6, 1e-5, random), exact=True)
    y = left @ random.standard_normal((6, 6)) + 1e-5 * random.standard_normal((300, 6))
    allowed = {"score": 1e-7, "condition": 1e-3, "map": 1e-3}
    yield Case("condition_1e12_weak_direction", x, y, exact=True, allowed=allowed)


def wide_cases(random):
    x = random.standard_normal((10_000, 4096), np.float32)
    mixed = x.copy()
    mixed[:, 1:] += 0.5 * x[:, :-1]
    yield Case("width_4096", x, mixed + random.standard_normal(x.shape, np.float32))


def all_cases(names):
    makers = [small_cases, shaped_cases, ill_conditioned_cases]
    if not names or "width_4096" in names:
        makers.append(wide_cases)
    for number, make in enumerate(makers):
        for case in make(np.random.default_rng(number)):
            if not names or case.name in names:
                yield case


# The reference.


def centred(matrix, mean=None):
    """In float64; about the first row first, so that no digit is lost however far the rows lie from zero."""
    matrix = matrix.astype(np.float64)
    near = matrix - matrix[0]
    return near - near.mean(0), matrix[0] + near.mean(0)


class Fit:
    """t ≈ (x - mean_x) A + mean_t, the singular values of the column-scaled x at or below `cutoff` left out."""

    def __init__(self, x, targets, cutoff):
        x, self.mean_x = centred(x)
        norms = np.linalg.norm(x, axis=0)
        scales = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
        q, r = scipy.linalg.qr(x * scales, mode="economic", check_finite=False)
        pairs = [centred(target) for target in targets]
        self.mean_targets = [mean for _, mean in pairs]
        if abs(np.diag(r)).min() > 1e-4:
            self.rank, self.values = x.shape[1], None
            maps = [scipy.linalg.solve_triangular(r, q.T @ target) for target, _ in pairs]
        else:
            left, self.values, right = np.linalg.svd(r)
            self.rank = int((self.values > cutoff * self.values[0]).sum())
            left, inverse = q @ left[:, : self.rank], 1 / self.values[: self.rank, None]
            maps = [right[: self.rank].T @ (inverse * (left.T @ target)) for target, _ in pairs]
            q = left
        self.maps = [scales[:, None] * matrix for matrix in maps]
        self.residuals = [np.linalg.norm(target - q @ (q.T @ target)) ** 2 for target, _ in pairs]
        self.totals = [np.linalg.norm(target) ** 2 for target, _ in pairs]
        self.triangle = r

    def condition(self):
        values = scipy.linalg.svdvals(self.triangle) if self.values is None else self.values
        return values[0] / values[self.rank - 1]

    def applied(self, x, index=0):
        return (x.astype(np.float64) - self.mean_x) @ self.maps[index] + self.mean_targets[index]


class ExactFit(Fit):
    """The same by normal equations in 80 digits, of a small X that has full rank."""

    def __init__(self, x, targets, cutoff):
        x, self.mean_x = self.exact(x)
        gram = mpmath.matrix(x.T.dot(x).tolist())
        inverse = np.array((gram**-1).tolist(), object)
        scale = np.array([1 / mpmath.sqrt(gram[i, i]) for i in range(x.shape[1])], object)
        scaled = mpmath.matrix((scale[:, None] * x.T.dot(x) * scale).tolist())
        values = mpmath.eigsy(scaled, eigvals_only=True)
        self.rank, self.condition_number = x.shape[1], float(mpmath.sqrt(values[len(values) - 1] / values[0]))
        self.maps, self.mean_targets, self.residuals, self.totals = [], [], [], []
        for target in targets:
            target, mean = self.exact(target)
            matrix = inverse.dot(x.T.dot(target))
            error = target - x.dot(matrix)
            self.maps.append(matrix)
            self.mean_targets.append(mean)
            self.residuals.append(float((error * error).sum()))
            self.totals.append(float((target * target).sum()))

    @staticmethod
    def exact(matrix):
        matrix = matrix if matrix.dtype == object else exact_numbers(matrix)
        mean = matrix.sum(0) / len(matrix)
        return matrix - mean, mean

    def condition(self):
        return self.condition_number

    def applied(self, x, index=0):
        return ((exact_numbers(x) - self.mean_x).dot(self.maps[index]) + self.mean_targets[index]).astype(np.float64)


def exact_numbers(matrix):
    mpmath.mp.dps = 80
    return np.vectorize(mpmath.mpf, otypes=[object])(matrix.astype(np.float64))


def targets_of(case):
    """Y, and Y - X where there is such a thing."""
    number = exact_numbers if case.exact else lambda matrix: matrix.astype(np.float64)
    same_width = case.x.shape[1] == case.y.shape[1]
    return [number(case.y), number(case.y) - number(case.x)] if same_width else [number(case.y)]


def held_out(case, targets, make, cutoff):
    """For each target the score of all folds together and the standard error; None where a fold has too few rows."""
    count, width = case.x.shape
    errors, totals = np.zeros((len(targets), FOLDS)), np.zeros((len(targets), FOLDS))
    for fold in range(FOLDS):
        held = np.zeros(count, bool)
        held[fold * count // FOLDS : (fold + 1) * count // FOLDS] = True
        if (~held).sum() <= width:
            return None
        fit = make(case.x[~held], [target[~held] for target in targets], cutoff)
        for index, target in enumerate(targets):
            actual = target[held].astype(np.float64) if not case.exact else target[held]
            error, deviation = actual - fit.applied(case.x[held], index), actual - fit.mean_targets[index]
            errors[index, fold], totals[index, fold] = float((error * error).sum()), float((deviation * deviation).sum())
    scores = 1 - errors / totals
    return 1 - errors.sum(1) / totals.sum(1), scores.std(1, ddof=1) / np.sqrt(FOLDS)


def reference(case, cutoff, method):
    """Every figure, and the fit."""
    # What gram cuts off is no full rank; what is left of its singular values float64 knows.
    make = ExactFit if case.exact and method == "svd" else Fit
    targets = targets_of(case)
    if make is Fit:
        targets = [target.astype(np.float64) for target in targets]
    fit, held = make(case.x, targets, cutoff), held_out(case, targets, make, cutoff)
    count = len(case.x)
    figures = {"n": count, "rank": fit.rank, "chance_floor": min(1, fit.rank / (count - 1)), "condition": fit.condition()}
    for index, name in enumerate(["linearity", "linearity_without_residual"][: len(targets)]):
        score = 1 - fit.residuals[index] / fit.totals[index]
        figures[name] = score
        if count > fit.rank + 1:
            figures[f"{name}_adjusted"] = 1 - (1 - score) * (count - 1) / (count - fit.rank - 1)
        if held:
            figures[f"{name}_heldout"], figures[f"{name}_heldout_standard_error"] = held[0][index], held[1][index]
    figures |= alignments(centred(case.x)[0], centred(case.y)[0])
    return figures, fit


def alignments(x, y):
    """Linear CKA, and orthogonal Procrustes with its map where it is unique."""
    squares = [np.linalg.norm(product) for product in (x.T @ y, x.T @ x, y.T @ y)]
    figures = {"linear_cka": squares[0] ** 2 / (squares[1] * squares[2])}
    if x.shape[1] == y.shape[1]:
        if x.shape[1] > 1000:
            nuclear = scipy.linalg.svdvals(x.T @ y, check_finite=False).sum()
        else:
            rotation, nuclear = scipy.linalg.orthogonal_procrustes(x, y)
            figures["aligned"] = nuclear / np.linalg.norm(x) ** 2 * x @ rotation
        figures["orthogonal_procrustes"] = (nuclear / np.linalg.norm(x) / np.linalg.norm(y)) ** 2
    return figures


# Running and comparing.


def store(matrix, path, order, bfloat16):
    if not bfloat16:
        np.save(path, np.asarray(matrix, order=order))
        return
    bits = (matrix.view(np.uint32) >> 16).astype("<u2")
    with open(path, "wb") as file:
        header = {"descr": "<V2", "fortran_order": order == "F", "shape": bits.shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bits.tobytes(order))


def run(straightedge, method, folder, extra=()):
    """The figures, the maps, warnings and what the run was."""
    command = [straightedge, "procrustes", folder / "x.npy", folder / "y.npy", "--method", method, "--folds", str(FOLDS)]
    command += ["--out", folder / "out.json", "--map", folder / "map.safetensors", "--force", "--quiet", *extra]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"exit {result.returncode}: {result.stderr.strip()}")
    report = json.loads((folder / "out.json").read_text())
    return report, load_file(folder / "map.safetensors"), result.stderr


def compare(figures, want):
    """Differences by kind, of the value where that is beyond 1; problems that no number expresses."""
    errors, problems = {}, []
    for name in COUNTS + SCORES:
        got = figures[name]
        if (got is None) != (name not in want):
            problems.append(f"{name} is {got} for {want.get(name)}")
        elif name in COUNTS and got != want[name]:
            problems.append(f"{name} is {got} for {want[name]}")
        elif name in SCORES and got is not None:
            errors[name] = abs(got - want[name]) / max(1, abs(want[name]))
    errors["condition"] = abs(figures["condition_number"] / want["condition"] - 1)
    return errors, problems


def compare_maps(case, maps, fit, want):
    x, (y, mean_y) = case.x.astype(np.float64), centred(case.y)
    norm = np.linalg.norm(y)
    errors = {"map": np.linalg.norm(x @ maps["map"] + maps["bias"] - fit.applied(case.x)) / norm}
    if "aligned" in want:
        got = maps["scale"] * (x @ maps["rotation"]) + maps["offset"]
        errors["rotation"] = np.linalg.norm(got - mean_y - want["aligned"]) / norm
        off = np.linalg.norm(maps["rotation"].T @ maps["rotation"] - np.eye(x.shape[1]))
        errors["orthogonality"] = off
        errors["sign"] = abs(abs(np.linalg.det(maps["rotation"])) - 1)
    return errors


def judge(case, straightedge, method):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        folder = pathlib.Path(folder)
        store(case.x, folder / "x.npy", case.order, case.bfloat16)
        store(case.y, folder / "y.npy", case.order, case.bfloat16)
        report, maps, warnings = run(straightedge, method, folder)
    figures = report["figures"]
    want, fit = reference(case, figures["rank_cutoff"], method)
    errors, problems = compare(figures, want)
    errors |= compare_maps(case, maps, fit, want)
    if case.exact and method == "gram" and ("cut-off" not in warnings or f"{figures['rank_cutoff']}" not in warnings):
        problems.append("no warning says the cut-off")
    if case.name == "reflection" and np.linalg.det(maps["rotation"]) > 0:
        problems.append("the reflection is none")
    return say(f"{case.name} {method}", errors, problems, case.allowed if method == "svd" else TOLERANCES[method])


def say(name, errors, problems, tolerances):
    kind = {"condition": "condition", "map": "map", "rotation": "map", "orthogonality": "map", "sign": "map"}
    allowed = {figure: tolerances[kind.get(figure, "score")] for figure in errors}
    beyond = [figure for figure in errors if not errors[figure] <= allowed[figure]]
    text = ", ".join(f"{figure} {error:.1e}{'!' if figure in beyond else ''}" for figure, error in errors.items())
    print(f"{'FAIL' if beyond or problems else 'pass'}  {name}: {'; '.join(problems + [text])}", flush=True)
    return not beyond and not problems


# Many rows.


def write_large(folder, random):
    """X and Y in blocks, and the sums of their products for each fold, about zero, which their means are near."""
    matrix = random.standard_normal((LARGE_WIDTH, LARGE_WIDTH), np.float32) / np.float32(np.sqrt(LARGE_WIDTH))
    header = {"descr": "<f4", "fortran_order": False, "shape": (LARGE_ROWS, LARGE_WIDTH)}
    sums = np.zeros((FOLDS, 1 + 2 * LARGE_WIDTH, 1 + 2 * LARGE_WIDTH))
    with open(folder / "x.npy", "wb") as file_x, open(folder / "y.npy", "wb") as file_y:
        for file in (file_x, file_y):
            np.lib.format.write_array_header_1_0(file, header)
        for begin in range(0, LARGE_ROWS, LARGE_BLOCK):
            x = random.standard_normal((LARGE_BLOCK, LARGE_WIDTH), np.float32)
            y = x @ matrix + random.standard_normal(x.shape, np.float32)
            assert x.dtype == y.dtype == np.float32
            file_x.write(x)
            file_y.write(y)
            rows = np.hstack([np.ones((len(x), 1)), x, y])
            # Blocks do not straddle folds.
            sums[begin * FOLDS // LARGE_ROWS] += rows.T @ rows
    return sums


def moments(sums):
    """Centred: ‖Y_c‖², X_cᵀX_c, X_cᵀY_c, Y_cᵀY_c, and the means."""
    count = sums[0, 0]
    means = sums[0] / count
    matrix = sums - count * np.outer(means, means)
    inner, outer = slice(1, 1 + LARGE_WIDTH), slice(1 + LARGE_WIDTH, None)
    return matrix[inner, inner], matrix[inner, outer], matrix[outer, outer], means[inner], means[outer], count


def large_reference(sums):
    gram, cross, outer, _, _, count = moments(sums.sum(0))
    solution = scipy.linalg.solve(gram, cross, assume_a="pos")
    score = (cross * solution).sum() / np.trace(outer)
    residual, total = 0.0, 0.0
    for fold in range(FOLDS):
        g, c, _, mean_x, mean_y, _ = moments(sums.sum(0) - sums[fold])
        a = scipy.linalg.solve(g, c, assume_a="pos")
        b = mean_y - mean_x @ a
        held = sums[fold]
        # E = Y - 1 bᵀ - X A as a product of [1 X Y].
        factor = np.vstack([-b, -a, np.eye(LARGE_WIDTH)])
        residual += (factor * (held @ factor)).sum()
        factor = np.vstack([-mean_y, np.zeros_like(a), np.eye(LARGE_WIDTH)])
        total += (factor * (held @ factor)).sum()
    nuclear = scipy.linalg.svdvals(cross).sum()
    return {
        "linearity": score, "linearity_heldout": 1 - residual / total,
        "orthogonal_procrustes": nuclear**2 / np.trace(gram) / np.trace(outer),
        "linear_cka": (cross**2).sum() / np.linalg.norm(gram) / np.linalg.norm(outer),
    }


def judge_large(straightedge, methods, folder):
    """In this order: what the judge itself takes must not be counted as the other process's."""
    folder.mkdir(parents=True, exist_ok=True)
    passed = True
    try:
        sums = write_large(folder, np.random.default_rng(9))
        want = large_reference(sums)
        print(f"written: {sum(file.stat().st_size for file in folder.iterdir()) / 1e9:.1f} GB", flush=True)
        for method in methods:
            start = time.monotonic()
            report, _, _ = run(straightedge, method, folder)
            seconds = time.monotonic() - start
            peaks = (report["run"]["peak_resident_bytes"], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
            errors = {name: abs(report["figures"][name] - value) for name, value in want.items()}
            problems = [f"peak memory {peak / 1e6:.0f} MB" for peak in peaks if peak > LARGE_PEAK]
            passed &= say(f"{LARGE_ROWS} rows of {LARGE_WIDTH}, {method}", errors, problems, TOLERANCES[method])
            print(f"      {seconds:.1f} s, of which {report['run']['seconds']}; peak memory {peaks[0] / 1e6:.0f} MB as "
                  f"reported, {peaks[1] / 1e6:.0f} MB by getrusage of all children so far")
        time_library(folder)
    finally:
        for name in ("x.npy", "y.npy", "out.json", "map.safetensors"):
            (folder / name).unlink(missing_ok=True)
    return passed


def time_library(folder):
    count = LARGE_ROWS // 10
    x, y = (np.array(np.load(folder / name, mmap_mode="r")[:count]) for name in ("x.npy", "y.npy"))
    start = time.monotonic()
    x = x - x.mean(0)
    scipy.linalg.lstsq(x, y - y.mean(0), overwrite_a=True, overwrite_b=True, check_finite=False)
    seconds = time.monotonic() - start
    print(f"      scipy.linalg.lstsq, float32, in memory, one fit and no folds: {seconds:.1f} s for {count} rows; ten times "
          f"that, {10 * seconds:.0f} s, for {LARGE_ROWS} is an estimate")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--straightedge", required=True)
    parser.add_argument("--methods", default="gram,svd", type=lambda text: text.split(","))
    parser.add_argument("--cases", default=[], type=lambda text: text.split(","))
    parser.add_argument("--large", type=pathlib.Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.large:
        results = [attempt("large", judge_large, arguments.straightedge, arguments.methods, arguments.large)]
    else:
        results = []
        for case in all_cases(arguments.cases):
            for method in arguments.methods:
                results.append(attempt(f"{case.name} {method}", judge, case, arguments.straightedge, method))
    passed = bool(results) and all(results)
    print(f"{sum(results)} of {len(results)} pass: {'PASS' if passed else 'FAIL'}")
    sys.exit(0 if passed else 1)


def attempt(name, judge, *arguments):
    try:
        return judge(*arguments)
    except RuntimeError as error:
        print(f"FAIL  {name}: {error}", flush=True)
        return False


if __name__ == "__main__":
    main()
