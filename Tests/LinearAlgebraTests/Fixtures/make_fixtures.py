"""Writes clouds.safetensors and expected.json: point clouds and what numpy's float64 SVD says of them.

Needs numpy. Run it in this folder; the seed makes the same bytes again.
"""

import json
import pathlib
import struct

import numpy as np

rng = np.random.default_rng(20240517)
EPSILON = np.finfo(np.float64).eps


def normal(n, d):
    return rng.standard_normal((n, d)).astype(np.float32)


def mixed(x, share=0.3, noise=0.2):
    """An output that is partly linear in x."""
    d = x.shape[1]
    linear = x.astype(np.float64) @ rng.standard_normal((d, d)) / np.sqrt(d)
    size = np.std(x, axis=0).max()
    return (x + share * linear + noise * size * rng.standard_normal(x.shape)).astype(np.float32)


def hadamard(order):
    h = np.ones((1, 1))
    while len(h) < order:
        h = np.block([[h, h], [h, -h]])
    return h


def clouds():
    x = normal(120, 10)
    yield "random", x, mixed(x)

    x = normal(120, 6) @ normal(6, 10)
    x = np.round(x * 64).astype(np.float32) / 64
    x[:, 8] = x[:, 0] + x[:, 1]
    x[:, 9] = x[:, 2] - 2 * x[:, 3]
    yield "rank_deficient", x, mixed(x)

    # Orthogonal columns of one length, and of two lengths: every singular value is repeated.
    h = hadamard(128)[:, 1:11]
    x = (h * np.array([1, 1, 1, 1, 1, 3, 3, 3, 3, 3])).astype(np.float32)
    yield "repeated", x, mixed(x)

    x = normal(35, 32)
    yield "barely_enough", x, mixed(x)

    x = normal(120, 10)
    x[:, 3] = 2.5
    x[:, 7] = 0
    yield "constant_columns", x, mixed(x)

    # Two columns that differ in one small row only: a condition number of 1e12, exact in float32.
    x = normal(120, 10)
    x[:, 4] = x[:, 1]
    x[60, 1] = np.float32(2.0**-36)
    x[60, 4] = np.float32(2.0**-36 + 2.0**-38)
    yield "ill_conditioned", x, mixed(x)

    # A triangular factor with large pivots and a condition number of 1e12: its pivots do not tell.
    factor = np.eye(11) - 16 * np.eye(11, k=1)
    x = (hadamard(128)[:, 1:12] @ factor).astype(np.float32)
    yield "large_pivots", x, mixed(x)

    # Singular values that fall evenly to what float32 data can hold.
    u, _ = np.linalg.qr(rng.standard_normal((120, 10)))
    v, _ = np.linalg.qr(rng.standard_normal((10, 10)))
    x = (u * np.logspace(0, -6, 10) @ v.T).astype(np.float32)
    yield "graded", x, mixed(x)

    x = normal(120, 10)
    yield "unchanged", x, x.copy()

    x = normal(120, 10)
    yield "large_contribution", x, (40 * normal(120, 10) + x).astype(np.float32)

    x = (normal(120, 10) + rng.uniform(-1, 1, 10) * 1e4).astype(np.float32)
    yield "offset", x, mixed(x)

    # A reflection, a scale and a shift: orthogonal Procrustes is 1.
    x = np.round(normal(120, 10) * 256) / 256
    q = np.roll(np.eye(10), 1, axis=1)
    q[0] *= -1
    assert np.linalg.det(q) > 0
    q[1] *= -1
    yield "reflection", x.astype(np.float32), (4 * x @ q + 3).astype(np.float32)


def fit(x, t):
    """The minimum-norm fit in scaled columns; singular values at or below the cut-off are left out."""
    width = x.shape[1]
    cutoff = np.sqrt(64 * width * EPSILON)
    xc, tc = x - x.mean(axis=0), t - t.mean(axis=0)
    norms = np.linalg.norm(xc, axis=0)
    isConstant = np.ptp(x, axis=0) == 0
    scales = np.where(isConstant, 0, 1 / np.where(isConstant, 1, norms))
    u, s, vt = np.linalg.svd(xc * scales, full_matrices=False)
    kept = s > cutoff * s[0]
    u, vt = u[:, kept], vt[kept]
    projections = u.T @ tc
    residual = tc - u @ projections
    return {
        "residual": float(np.sum(residual**2)),
        "rank": int(kept.sum()),
        "condition": float(s[0] / s[kept][-1]),
        "full_condition": float(s[0] / s[s > 0][-1]) if np.all(~isConstant) else None,
        "map": scales[:, None] * (vt.T @ (projections / s[kept][:, None])),
    }


def squares(a):
    return float(np.sum((a - a.mean(axis=0)) ** 2))


def held_out(x, y):
    """Errors on the last quarter of the rows, fitted on the others."""
    split = len(x) * 3 // 4
    if split < 2 * x.shape[1]:
        return None
    b = y - x
    a = fit(x[:split], b[:split])["map"]
    bias = b[:split].mean(axis=0) - x[:split].mean(axis=0) @ a
    return {
        "split": split,
        "residual": float(np.sum((b[split:] - x[split:] @ a - bias) ** 2)),
        "output": float(np.sum((y[split:] - y[:split].mean(axis=0)) ** 2)),
        "contribution": float(np.sum((b[split:] - b[:split].mean(axis=0)) ** 2)),
    }


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
    for name, x32, y32 in clouds():
        x, y = x32.astype(np.float64), y32.astype(np.float64)
        b = y - x
        figures = fit(x, b)
        maps = {"contribution": figures.pop("map"), "output": fit(x, y)["map"]}
        for target, a in maps.items():
            tensors[f"{name}.map_{target}"] = np.ascontiguousarray(a)
        tensors[f"{name}.x"], tensors[f"{name}.y"] = np.ascontiguousarray(x32), np.ascontiguousarray(y32)
        xc, yc = x - x.mean(axis=0), y - y.mean(axis=0)
        covariance = np.linalg.svd(xc, compute_uv=False) ** 2
        norms = {"input": squares(x), "output": squares(y), "contribution": squares(b)}
        expected[name] = figures | {
            "target": "contribution" if norms["contribution"] < norms["output"] else "output",
            "norms": norms,
            "score_with": 1 - figures["residual"] / norms["output"],
            "score_without": 1 - figures["residual"] / norms["contribution"] if norms["contribution"] > 0 else None,
            "procrustes": float(
                np.linalg.svd(xc.T @ yc, compute_uv=False).sum() ** 2 / (norms["input"] * norms["output"])
            ),
            "anisotropy": float(covariance[0] / covariance.sum()),
            "held_out": held_out(x, y),
        }
    write_safetensors(folder / "clouds.safetensors", dict(sorted(tensors.items(), key=lambda item: -item[1].itemsize)))
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


main()
