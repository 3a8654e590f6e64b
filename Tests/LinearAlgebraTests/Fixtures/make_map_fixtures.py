"""Writes maps.safetensors and maps.json: pairs of point clouds, and the maps that numpy, scipy and scikit-learn fit to them.

Needs numpy, scipy and scikit-learn. Run it in this folder; the seed makes the same bytes again.
"""

import json
import pathlib
import struct

import numpy as np
from scipy.linalg import orthogonal_procrustes
from sklearn.linear_model import Ridge

rng = np.random.default_rng(20250217)
ROWS, WIDTH, FOLDS = 150, 8, 5
POWERS = 10.0 ** np.arange(-10, 3)
RANKS = [1, 2, 4, 8]


def correlated():
    """Columns of very different sizes that go together."""
    x = rng.standard_normal((ROWS, WIDTH)) @ rng.standard_normal((WIDTH, WIDTH))
    return x * np.logspace(0, -2, WIDTH) + rng.uniform(-1, 1, WIDTH)


def contribution(x, rank=3, noise=0.3):
    """What a layer adds: nearly of low rank."""
    c = (x - x.mean(axis=0)) / x.std(axis=0).clip(1e-3)
    left, right = rng.standard_normal((WIDTH, rank)), rng.standard_normal((rank, WIDTH))
    return 0.4 * np.tanh(c @ left @ right) + noise * rng.standard_normal(x.shape)


def clouds():
    x = correlated()
    yield "correlated", x, x + contribution(x)

    x = np.round(correlated() * 64) / 64
    x[:, 6], x[:, 7] = x[:, 0] + x[:, 1], x[:, 2] - 2 * x[:, 3]
    yield "rank_deficient", x, x + contribution(x)

    x = correlated()
    x[:, 2] = 1.5
    yield "constant_column", x, x + contribution(x)

    # The first row of every sequence of fifteen stands far out.
    x = correlated()
    x[::15] *= 60
    yield "outliers", x, x + contribution(x, noise=1)

    # Y is much smaller than B.
    x = 20 * correlated()
    yield "small_output", x, contribution(x)

    # Nothing but noise: strong penalties and low ranks are the best.
    x = rng.standard_normal((ROWS, WIDTH))
    yield "noise", x, x + rng.standard_normal((ROWS, WIDTH))


def least_squares(x, b):
    """The minimum-norm fit in columns of unit norm; constant columns are left out."""
    xc, bc = x - x.mean(axis=0), b - b.mean(axis=0)
    norms = np.linalg.norm(xc, axis=0)
    scales = np.where(np.ptp(x, axis=0) == 0, 0, 1 / np.where(norms == 0, 1, norms))
    return scales[:, None] * np.linalg.lstsq(xc * scales, bc, rcond=1e-7)[0]


def ridge(x, b, alpha):
    return Ridge(alpha, solver="svd").fit(x, b).coef_.T


def low_rank(x, b, rank):
    m = least_squares(x, b)
    v = np.linalg.svd((x - x.mean(axis=0)) @ m)[2][:rank].T
    return m @ v @ v.T


def diagonal(x, b):
    m = np.zeros((WIDTH, WIDTH))
    for j in range(WIDTH):
        if np.ptp(x[:, j]) > 0:
            ones = np.ones(len(x))
            m[j, j] = np.linalg.lstsq(np.stack([x[:, j], ones], axis=1), b[:, j], rcond=None)[0][0]
    return m


def orthogonal(x, b):
    xc, yc = x - x.mean(axis=0), x + b - (x + b).mean(axis=0)
    q, scale = orthogonal_procrustes(xc, yc)
    return scale / np.sum(xc**2) * q - np.eye(WIDTH)


def errors(fit, x, b):
    """Σ of the squared errors of held-out rows, and of those of their outputs and contributions about training means."""
    sums = np.zeros(3)
    for rows in np.split(np.arange(ROWS), FOLDS):
        others = np.setdiff1d(np.arange(ROWS), rows)
        m = fit(x[others], b[others])
        bias = b[others].mean(axis=0) - x[others].mean(axis=0) @ m
        y = x + b
        sums += [
            np.sum((b[rows] - x[rows] @ m - bias) ** 2),
            np.sum((y[rows] - y[others].mean(axis=0)) ** 2),
            np.sum((b[rows] - b[others].mean(axis=0)) ** 2),
        ]
    return sums


def kinds(x):
    alpha = float(np.sum((x - x.mean(axis=0)) ** 2) / WIDTH)
    yield "least-squares", least_squares
    yield f"ridge:{alpha / 64!r}", lambda x, b: ridge(x, b, alpha / 64)
    yield "low-rank:3", lambda x, b: low_rank(x, b, 3)
    yield "diagonal", diagonal
    yield "orthogonal", orthogonal
    for power in map(float, POWERS):
        yield f"ridge:{alpha * power!r}", lambda x, b, power=power: ridge(x, b, alpha * power)
    for rank in RANKS:
        yield f"low-rank:{rank}", lambda x, b, rank=rank: low_rank(x, b, rank)


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, tensor in tensors.items():
        kind = {np.dtype(np.float32): "F32", np.dtype(np.float64): "F64"}[tensor.dtype]
        header[name] = {"dtype": kind, "shape": tensor.shape, "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(t.tobytes() for t in tensors.values()))


def main():
    folder = pathlib.Path(__file__).parent
    tensors, expected = {}, {}
    for name, x, y in clouds():
        x, y = x.astype(np.float32), y.astype(np.float32)
        tensors[f"{name}.x"], tensors[f"{name}.y"] = x, y
        x, b = x.astype(np.float64), y.astype(np.float64) - x
        expected[name] = {"fits": [], "trials": {"ridge": [], "low-rank": []}}
        for index, (kind, fit) in enumerate(kinds(x)):
            residual, output, contribution_ = errors(fit, x, b)
            if index < 5:
                m = fit(x, b)
                tensors[f"{name}.{kind.split(':')[0]}"] = np.ascontiguousarray(m)
                residuals = b - b.mean(axis=0) - (x - x.mean(axis=0)) @ m
                expected[name]["fits"].append(
                    {"kind": kind, "residual": float(np.sum(residuals**2)), "held_out": residual, "output": output,
                     "contribution": contribution_, "bias": (b.mean(axis=0) - x.mean(axis=0) @ m).tolist()}
                )
            else:
                expected[name]["trials"][kind.split(":")[0]].append({"kind": kind, "held_out": residual})
    tensors = dict(sorted(tensors.items(), key=lambda item: -item[1].itemsize))
    write_safetensors(folder / "maps.safetensors", tensors)
    (folder / "maps.json").write_text(json.dumps(expected, indent=1) + "\n")


main()
