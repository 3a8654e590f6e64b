"""Writes embeddings.safetensors, pairs of small matrices, and embeddings.json: what comparisons of them have to give, to
fifty digits before they are rounded.

Needs numpy and mpmath. The matrices are sums and products of few bits, so that what is computed of them here is exact.
"""

import json
import pathlib

import mpmath as mp
import numpy as np

mp.mp.dps = 80


class Generator:
    """Knuth's MMIX generator."""

    def __init__(self, seed):
        self.state = seed

    def matrix(self, rows, columns, bits=10):
        """Multiples of 2/2^bits in -1..<1, row by row."""
        values = []
        for _ in range(rows * columns):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
            values.append(((self.state >> (64 - bits)) - 2 ** (bits - 1)) / 2 ** (bits - 1))
        return np.array(values).reshape(rows, columns)


def hadamard(order):
    h = np.ones((1, 1))
    while len(h) < order:
        h = np.block([[h, h], [h, -h]])
    return h


def mixed(g, x, width, noise=0.25):
    """Partly linear in x."""
    return x @ g.matrix(x.shape[1], width, bits=6) + noise * g.matrix(len(x), width)


def cases():
    """Names, matrices, and columns of x of which all others are linear combinations."""
    g = Generator(1)
    x = g.matrix(120, 10)
    yield "random", x, mixed(g, x, 10), range(10)

    g = Generator(2)
    x = g.matrix(120, 10)
    yield "narrower", x, mixed(g, x, 3), range(10)

    g = Generator(3)
    x = g.matrix(120, 3)
    yield "wider", x, mixed(g, x, 10), range(3)

    for seed, (width, other) in enumerate([(1, 1), (1, 7), (7, 1)], 4):
        g = Generator(seed)
        x = g.matrix(50, width)
        yield f"width_{width}_to_{other}", x, mixed(g, x, other), range(width)

    g = Generator(7)
    x = g.matrix(34, 32)
    yield "barely_enough", x, mixed(g, x, 32), range(32)

    g = Generator(8)
    x = g.matrix(120, 10)
    x[:, 8] = x[:, 0] + x[:, 1]
    x[:, 9] = x[:, 2] - 2 * x[:, 3]
    yield "rank_deficient", x, mixed(g, x, 10), range(8)

    g = Generator(9)
    x = hadamard(128)[:, 1:11] * np.array([1, 1, 1, 1, 1, 3, 3, 3, 3, 3])
    yield "repeated", x, mixed(g, x, 10), range(10)

    g = Generator(10)
    x = g.matrix(120, 10)
    x[:, 3] = 2.5
    x[:, 7] = 0
    yield "constant_columns", x, mixed(g, x, 10), [0, 1, 2, 4, 5, 6, 8, 9]

    g = Generator(11)
    x = g.matrix(120, 10)
    y = mixed(g, x, 10)
    yield "offset", x + 2.0**30 * np.arange(10), y + 2.0**30, range(10)

    # Two columns that differ by 2^-40 of their deviation.
    g = Generator(12)
    x = g.matrix(120, 10)
    x[:, 4] = x[:, 1] + 2.0**-40 * g.matrix(120, 1)[:, 0]
    yield "ill_conditioned", x, mixed(g, x, 10), range(10)

    # Columns of very different sizes: nothing that scaling them does not cure.
    g = Generator(13)
    x = g.matrix(120, 10)
    yield "graded", x * 2.0 ** -(4.0 * np.arange(10)), mixed(g, x, 10), range(10)

    # A scale, a shift, and a reflection: a cycle of ten columns is an odd permutation, two signs change nothing of that.
    g = Generator(14)
    x = g.matrix(120, 10)
    y = 4 * np.roll(x, 1, axis=1) + 3
    y[:, :2] = 6 - y[:, :2]
    yield "reflection", x, y, range(10)

    g = Generator(15)
    x = g.matrix(120, 10)
    yield "unchanged", x, x.copy(), range(10)

    # A contribution far smaller than what it is added to.
    g = Generator(16)
    x = g.matrix(120, 10)
    yield "small_contribution", x, x + 2.0**-30 * (mixed(g, x, 10) // 2**-10 * 2**-10), range(10)

    # Eight significant bits, which a bfloat16 and a float16 hold.
    g = Generator(17)
    x = g.matrix(120, 10, bits=8)
    yield "few_bits", x, g.matrix(120, 10, bits=8) / 2 + (x > 0), range(10)


def exact(a):
    return mp.matrix(a.tolist())


def squares(a):
    return sum((v * v for v in a), mp.mpf(0))


class Fit:
    """The least-squares fit of y on the given columns of x with a bias, by normal equations in eighty digits."""

    def __init__(self, x, y):
        n = x.rows
        self.mean_x = [sum(x[:, j]) / n for j in range(x.cols)]
        self.mean_y = [sum(y[:, j]) / n for j in range(y.cols)]
        xc, yc = centred(x, self.mean_x), centred(y, self.mean_y)
        self.map = mp.inverse(xc.T * xc) * (xc.T * yc)
        self.residual = squares(yc - xc * self.map)
        self.total = squares(yc)

    def errors(self, x, y):
        return squares(centred(y, self.mean_y) - centred(x, self.mean_x) * self.map), squares(centred(y, self.mean_y))


def centred(a, means):
    return mp.matrix(a.rows, a.cols) + a - mp.matrix([means] * a.rows)


def mean_and_error(scores):
    mean = sum(scores) / len(scores)
    return mp.sqrt(sum((s - mean) ** 2 for s in scores) / (len(scores) - 1) / len(scores))


def scores(x, y, target, folds):
    """In-sample, held-out and its standard error, of a fit of the target, against the target's own variance."""
    fit = Fit(x, target)
    result = {"fit": 1 - fit.residual / fit.total if fit.total else None}
    n = x.rows
    bounds = [i * n // folds for i in range(folds + 1)]
    sums = []
    for a, b in zip(bounds, bounds[1:]):
        training = [i for i in range(n) if not a <= i < b]
        if len(training) <= WIDTH:
            return result
        part = Fit(rows(x, training), rows(target, training))
        sums.append(part.errors(rows(x, range(a, b)), rows(target, range(a, b))))
    if fit.total:
        result["held_out"] = 1 - sum(e for e, _ in sums) / sum(t for _, t in sums)
        result["standard_error"] = mean_and_error([1 - e / t for e, t in sums])
    return result


def rows(a, indices):
    return mp.matrix([[a[i, j] for j in range(a.cols)] for i in indices])


def spectrum(symmetric):
    return sorted(mp.eigsy(symmetric, eigvals_only=True))


def nuclear_norm(a):
    return sum(mp.svd_r(a, compute_uv=False))


def describe(name, x64, y64, basis, folds=5):
    global WIDTH
    WIDTH = x64.shape[1]
    x, y = exact(x64[:, list(basis)]), exact(y64)
    everything = exact(x64)
    n = x.rows
    fit = Fit(x, y)
    xc = centred(everything, [sum(everything[:, j]) / n for j in range(everything.cols)])
    yc = centred(y, fit.mean_y)
    sxx, syy, sxy = xc.T * xc, yc.T * yc, xc.T * yc
    trace = sum(sxx[i, i] for i in range(sxx.rows))
    norms = [mp.sqrt(sxx[i, i]) if sxx[i, i] else mp.mpf(1) for i in range(sxx.rows)]
    scaled = mp.matrix(sxx.rows, sxx.cols)
    for i in range(sxx.rows):
        for j in range(sxx.cols):
            scaled[i, j] = sxx[i, j] / norms[i] / norms[j]
    rank = x.cols
    values = spectrum(scaled)
    row_x, row_y = [squares(xc[i, :]) for i in range(n)], [squares(yc[i, :]) for i in range(n)]
    cross = squares(sxy)
    figures = {
        "with": scores(x, y, y, folds),
        "rank": rank,
        "condition_number": mp.sqrt(values[-1] / values[-rank]),
        "anisotropy": spectrum(sxx)[-1] / trace,
        "linear_cka": cross / mp.sqrt(squares(sxx) * squares(syy)),
        "rv_modified": (cross - sum(a * b for a, b in zip(row_x, row_y)))
        / mp.sqrt((squares(sxx) - sum(a * a for a in row_x)) * (squares(syy) - sum(b * b for b in row_y))),
        "stream_norm_mean": sum(mp.sqrt(squares(everything[i, :])) for i in range(n)) / n,
    }
    if x64.shape == y64.shape:
        contribution = y - everything
        nu = nuclear_norm(sxy)
        norm = [[mp.sqrt(squares(m[i, :])) for i in range(n)] for m in (everything, y, contribution)]
        figures |= {
            "without": scores(x, y, contribution, folds),
            "orthogonal_procrustes": nu**2 / trace / fit.total,
            "scale": nu / trace,
            "contribution_mean": sum(b / a for a, b in zip(norm[0], norm[2])) / n,
            "contribution_to_output_mean": sum(b / a for a, b in zip(norm[1], norm[2])) / n,
            "cosine_mean": sum(
                sum(everything[i, j] * y[i, j] for j in range(y.cols)) / norm[0][i] / norm[1][i] for i in range(n)
            )
            / n,
        }
    if rank == x64.shape[1] <= 10:
        figures["map"] = [float(v) for v in fit.map]
        bias = mp.matrix([fit.mean_y]) - mp.matrix([fit.mean_x]) * fit.map
        figures["bias"] = [float(v) for v in bias]
    return figures


def plain(value):
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return float(value) if isinstance(value, mp.mpf) else value


def stored(a, is_x, name):
    """The matrix in the smallest of some types that holds it."""
    if name == "few_bits":
        return ("BF16", (a.astype("<f4").view("<u4") >> 16).astype("<u2")) if is_x else ("F16", a.astype("<f2"))
    return ("F32", a.astype("<f4")) if (a.astype("f4") == a).all() else ("F64", a.astype("<f8"))


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, (type_name, array) in tensors.items():
        end = len(data) + array.nbytes
        header[name] = {"dtype": type_name, "shape": list(array.shape), "data_offsets": [len(data), end]}
        data += array.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def main():
    folder = pathlib.Path(__file__).parent
    expected, tensors = {}, {}
    for name, x, y, basis in cases():
        expected[name] = plain(describe(name, x, y, basis))
        tensors[f"{name}.x"], tensors[f"{name}.y"] = stored(x, True, name), stored(y, False, name)
    write_safetensors(folder / "embeddings.safetensors", tensors)
    text = json.dumps(expected, indent=None, separators=(",", ":")).replace("},\"", "},\n\"")
    (folder / "embeddings.json").write_text(text + "\n")


main()
