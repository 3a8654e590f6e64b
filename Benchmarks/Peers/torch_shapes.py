#!/usr/bin/env python3
"""The peers of `straightedge bench --shape`: a linearity profile of a model's shape with random weights, in PyTorch.

    torch_shapes.py --shape llama-2-7b [--tokens 15174] [--layers N] [--device cuda] [--type bf16] [--repeats 3]

(a) What a reader of the paper would run: transformers' forward pass with all hidden states kept, one sequence after the
    other, and for each pair of layers the two scores by the thin SVD of the centred, normalized X in float32, as the
    package llm-microscope computes them. The SVD is timed on two layers and multiplied by their number, which is said.
(b) What a skilled user of PyTorch would write: sequences in batches, layer by layer, Gram and cross-product matrices in
    float64 as the layers go, one Cholesky factorization a layer for both scores; no hidden state outlives its layer.

Prints one JSON object; progress goes to standard error. Needs torch and transformers.
"""

import argparse
import json
import statistics
import sys
import time

import torch
import transformers

LENGTH = 2048
SHAPES = {
    "llama-2-7b": dict(hidden_size=4096, intermediate_size=11008, layers=32, heads=32, key_heads=32),
    "llama-3-8b": dict(hidden_size=4096, intermediate_size=14336, layers=32, heads=32, key_heads=8),
    "smollm2-135m": dict(hidden_size=576, intermediate_size=1536, layers=30, heads=9, key_heads=3),
    "tiny": dict(hidden_size=64, intermediate_size=160, layers=2, heads=4, key_heads=2),
}
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", required=True, choices=SHAPES)
    parser.add_argument("--tokens", type=int, default=15_174)
    parser.add_argument("--layers", type=int, help="fewer layers than the model has")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--type", default="bf16", choices=TYPES)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def log(text):
    print(text, file=sys.stderr, flush=True)


class Clock:
    """Seconds between laps, when the device has done what was asked for."""

    def __init__(self, device):
        self.device = device
        self.lap()

    def lap(self):
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()
        now = time.perf_counter()
        seconds, self.began = now - getattr(self, "began", now), now
        return seconds


def make_model(arguments):
    shape = SHAPES[arguments.shape]
    config = transformers.LlamaConfig(
        hidden_size=shape["hidden_size"], intermediate_size=shape["intermediate_size"],
        num_hidden_layers=arguments.layers or shape["layers"], num_attention_heads=shape["heads"],
        num_key_value_heads=shape["key_heads"], vocab_size=4096, max_position_embeddings=LENGTH,
        attn_implementation="sdpa",
    )
    torch.manual_seed(1)
    with torch.device(arguments.device):
        torch.set_default_dtype(TYPES[arguments.type])
        model = transformers.LlamaModel(config).eval()
        torch.set_default_dtype(torch.float32)
    return model


def make_sequences(arguments):
    """Ids of whole sequences, (count, length), and of the rest, (1, rest) or nothing."""
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(4096, (arguments.tokens,), generator=generator).to(arguments.device)
    whole = arguments.tokens // LENGTH * LENGTH
    parts = [ids[:whole].view(-1, LENGTH), ids[whole:].view(1, -1)]
    return [part for part in parts if part.numel()]


# (a)


def svd_score(x, y):
    """1 - min ‖X̃A - Ỹ‖², with A by a thin SVD of X̃, in float32."""
    x = x - x.mean(0, keepdim=True)
    y = y - y.mean(0, keepdim=True)
    x, y = x / x.norm(), y / y.norm()
    left, values, right = torch.linalg.svd(x, full_matrices=False)
    fitted = x @ (right.T @ ((1 / values)[:, None] * (left.T @ y)))
    return 1 - ((y - fitted) ** 2).sum().item()


def hidden_state_peer(model, sequences, arguments):
    clock = Clock(arguments.device)
    kept = None
    for part in sequences:
        for ids in part:
            states = model(ids[None], use_cache=False, output_hidden_states=True).hidden_states
            kept = kept or [[] for _ in states]
            for place, state in zip(kept, states):
                place.append(state[0])
    forward = clock.lap()
    clouds = [torch.cat(states).float() for states in kept]
    del kept
    clock.lap()
    # Two layers in the middle; the others take as long.
    layer_count = len(clouds) - 1
    chosen = [layer_count // 3, 2 * layer_count // 3]
    scores = [(svd_score(clouds[i], clouds[i + 1]), svd_score(clouds[i], clouds[i + 1] - clouds[i])) for i in chosen]
    scoring = clock.lap() / len(chosen)
    log(f"(a) forward {forward:.2f} s, both scores of a layer {scoring:.2f} s")
    return {
        "forward_seconds": forward,
        "score_seconds_per_layer": scoring,
        "scored_layers": chosen,
        "multiplied_by": layer_count,
        "total_seconds": forward + scoring * layer_count,
        "linearity": [score[0] for score in scores],
        "linearity_without_residual": [score[1] for score in scores],
    }


# (b)


class Moments:
    """Sums of one layer's rows, in float64."""

    def __init__(self, width, device):
        make = lambda *shape: torch.zeros(*shape, dtype=torch.float64, device=device)
        self.count, self.sum_x, self.sum_b = 0, make(width), make(width)
        self.gram, self.cross, self.squares = make(width, width), make(width, width), make(())

    def add(self, x, b):
        x, b = x.double(), b.double()
        self.count += len(x)
        self.sum_x += x.sum(0)
        self.sum_b += b.sum(0)
        self.gram += x.T @ x
        self.cross += x.T @ b
        self.squares += (b * b).sum()

    def scores(self):
        mean_x, mean_b = self.sum_x / self.count, self.sum_b / self.count
        gram = self.gram - self.count * torch.outer(mean_x, mean_x)
        cross = self.cross - self.count * torch.outer(mean_x, mean_b)
        squares = self.squares - self.count * (mean_b @ mean_b)
        factor = torch.linalg.cholesky(gram)
        explained = (torch.linalg.solve_triangular(factor, cross, upper=False) ** 2).sum()
        outputs = gram.trace() + 2 * cross.trace() + squares
        residual = squares - explained
        return (1 - residual / outputs).item(), (1 - residual / squares).item()


def gram_peer(model, sequences, arguments):
    clock = Clock(arguments.device)
    states = [model.embed_tokens(part) for part in sequences]
    positions = [torch.arange(state.shape[1], device=state.device)[None] for state in states]
    rotary = [model.rotary_emb(state, position) for state, position in zip(states, positions)]
    scores, seconds = [], {"forward": 0.0, "moments": 0.0, "solve": 0.0}
    for layer in model.layers:
        outputs = [[] for _ in states]
        moments = Moments(states[0].shape[-1], arguments.device)
        for part, (state, position, turn) in enumerate(zip(states, positions, rotary)):
            for batch in state.split(8):
                result = layer(batch, position_ids=position, position_embeddings=turn)
                outputs[part].append(result[0] if isinstance(result, tuple) else result)
        outputs = [torch.cat(batches) for batches in outputs]
        seconds["forward"] += clock.lap()
        for state, output in zip(states, outputs):
            x, y = state.flatten(0, 1), output.flatten(0, 1)
            for rows, later in zip(x.split(8192), y.split(8192)):
                moments.add(rows, later.float() - rows.float())
        seconds["moments"] += clock.lap()
        scores.append(moments.scores())
        seconds["solve"] += clock.lap()
        states = outputs
    log(f"(b) {seconds}")
    return {
        **{f"{name}_seconds": value for name, value in seconds.items()},
        "total_seconds": sum(seconds.values()),
        "linearity": [score[0] for score in scores],
        "linearity_without_residual": [score[1] for score in scores],
    }


def repeated(peer, model, sequences, arguments):
    """The repeat of the median time, after one that warms up; the times of all beside it."""
    results = [peer(model, sequences, arguments) for _ in range(arguments.repeats + 1)][1:]
    results.sort(key=lambda result: result["total_seconds"])
    return results[(len(results) - 1) // 2] | {"repeats_seconds": [result["total_seconds"] for result in results]}


def main():
    arguments = parse_arguments()
    if arguments.tokens <= SHAPES[arguments.shape]["hidden_size"]:
        sys.exit("more tokens than columns are needed")
    # Float32 products as they are, like ours.
    torch.backends.cuda.matmul.allow_tf32 = False
    model, sequences = make_model(arguments), make_sequences(arguments)
    with torch.inference_mode():
        result = {
            "schema": "straightedge.torch_shapes/1",
            "shape": arguments.shape, "layers": len(model.layers), "tokens": arguments.tokens,
            "device": torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "cpu",
            "type": arguments.type, "torch": torch.__version__, "transformers": transformers.__version__,
            "gram": repeated(gram_peer, model, sequences, arguments),
            "hidden_states": repeated(hidden_state_peer, model, sequences, arguments),
            "statistic": f"median of {arguments.repeats}",
        }
        assert statistics.fmean(result["gram"]["linearity"]) <= 1
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
