#!/usr/bin/env python3
"""Judges the folders that `straightedge prune` writes: makes small checkpoints with random weights, prunes them, and
compares with transformers. Needs the packages numpy, safetensors, torch and transformers.

    judge_exports.py --straightedge PATH [--only NAME] [--keep FOLDER]

For each model and mode the folder must load in transformers with nothing missing and nothing left over, without its own
code after remove and merge and with it after replace, and

- its logits must be those of `straightedge hidden-states` of the folder,
- after remove, those of the model in transformers with the layers taken out of it,
- after replace, those of the model in transformers with y = x + linear(x) in the place of the layers' outputs,
- and greedy generation must give the same tokens with the cache of keys and values and without it.

The exit status is 0 for PASS, 1 for FAIL.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from hugging_face import available_cores, read_sequences, settle_threads

TOLERANCE = 2e-4
# A merged layer goes into the one before it; a cache of keys and values counts its tokens by layer 0.
LAYERS = {"remove": [1, 3], "merge": [1, 3], "replace": [0, 3]}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--straightedge", required=True, metavar="PATH")
    parser.add_argument("--only", default="", metavar="NAME", help="models whose names contain this")
    parser.add_argument("--keep", metavar="FOLDER", help="where models and results stay, to be looked at")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    settle_threads(available_cores())

import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from torch import nn  # noqa: E402
from transformers.pytorch_utils import Conv1D  # noqa: E402

COMMON = {"vocab_size": 96, "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
HIDDEN = {"hidden_size": 32, "num_hidden_layers": 5, "num_attention_heads": 4, "max_position_embeddings": 128}
GPT2 = {"n_embd": 32, "n_layer": 5, "n_head": 4, "n_positions": 128}
GROUPED = {"intermediate_size": 48, "num_key_value_heads": 2}

# Name, type of model, settings, what save_pretrained writes beside them.
MODELS = [
    ("llama", "llama", {**HIDDEN, **GROUPED, "tie_word_embeddings": False}, {"max_shard_size": "30KB"}),
    ("llama-biases", "llama", {**HIDDEN, **GROUPED, "attention_bias": True, "mlp_bias": True}, {}),
    (
        "smollm2",
        "llama",
        {**HIDDEN, "hidden_size": 36, "num_attention_heads": 9, "num_key_value_heads": 3, "intermediate_size": 96,
         "tie_word_embeddings": True},
        {},
    ),
    ("gpt2", "gpt2", GPT2, {}),
    ("opt", "opt", {**HIDDEN, "ffn_dim": 64, "word_embed_proj_dim": 32}, {}),
    ("qwen2", "qwen2", {**HIDDEN, **GROUPED, "tie_word_embeddings": True}, {}),
    (
        "qwen2-window",
        "qwen2",
        {**HIDDEN, **GROUPED, "use_sliding_window": True, "sliding_window": 5, "max_window_layers": 2},
        {},
    ),
    ("pythia", "gpt_neox", {**HIDDEN, "intermediate_size": 64, "use_parallel_residual": True}, {}),
]


def make_model(kind, settings, options, folder):
    """A checkpoint with every parameter drawn anew: the library's own biases are zero and its attention is uniform."""
    model = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(kind, **COMMON, **settings), dtype=torch.float32
    )
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            normal = torch.randn(parameter.shape, generator=generator)
            if name.endswith("bias"):
                parameter.data = 0.5 * normal
            elif "Norm" in type(module).__name__:
                parameter.data = 1 + 0.3 * normal
            elif isinstance(module, nn.Embedding):
                parameter.data = normal
            else:
                parameter.data = normal / normal.shape[0 if isinstance(module, Conv1D) else 1] ** 0.5
    model.tie_weights()
    model.save_pretrained(folder, **options)
    return model.eval()


def write_ids(path):
    ids = np.random.default_rng(2).integers(0, COMMON["vocab_size"], (24, 64))
    path.write_text("".join(json.dumps(row.tolist()) + "\n" for row in ids))


def run(*command):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    return None if result.returncode == 0 else (result.stderr.strip() or result.stdout.strip())


def our_logits(folder, tokens):
    out = folder.with_suffix(".logits.safetensors")
    problem = run(
        arguments.straightedge, "hidden-states", folder, "--tokens", tokens, "--only-logits", "--compute-type", "f32",
        "--out", out,
    )
    if problem:
        raise RuntimeError(problem)
    return load_file(out)["logits"]


def logits_of(model, sequences):
    with torch.no_grad():
        return torch.cat([model(torch.tensor([ids]), use_cache=False).logits[0] for ids in sequences])


def layers_of(model):
    """The list of the model's layers."""
    count = model.config.num_hidden_layers
    return next(m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == count)


def without_layers(folder, kept):
    """The original in transformers, its other layers passing on what enters them."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    layers = layers_of(model)
    for index in set(range(len(layers))) - set(kept):
        layers[index].register_forward_hook(lambda _, entering, output: put(output, entering[0]))
    return model


def with_maps(folder, exported):
    """The original in transformers, some of its layers giving y = x + linear(x) by the exported tensors."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tensors = {}
    for file in exported.glob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            tensors.update({name: opened.get_tensor(name) for name in opened.keys() if ".linear." in name})
    for name in [name for name in tensors if name.endswith(".weight")]:
        weight, bias = tensors[name], tensors[name.removesuffix("weight") + "bias"]
        index = int(name.split(".")[-3])

        def hook(_, entering, output, weight=weight, bias=bias):
            return put(output, entering[0] + entering[0] @ weight.T + bias)

        layers_of(model)[index].register_forward_hook(hook)
    return model


def put(output, states):
    """What a layer returns, with other hidden states."""
    return (states, *output[1:]) if isinstance(output, tuple) else states


def difference(got, want):
    return ((got - want).abs().max() / want.abs().max()).item()


def judge(name, folder, mode, tokens, sequences):
    """What is wrong with one export; None where nothing is."""
    out = folder.with_name(f"{folder.name}-{mode}")
    problem = run(
        arguments.straightedge, "prune", folder, "--layers", ",".join(map(str, LAYERS[mode])), "--mode", mode, "--tokens",
        tokens, "--out", out,
    )
    if problem:
        return f"prune: {problem}"
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        out, trust_remote_code=mode == "replace", dtype=torch.float32, output_loading_info=True
    )
    left = {key: value for key, value in report.items() if value and key != "error_msgs"}
    if left:
        return f"loading leaves {left}"
    model.eval()
    theirs, figures = logits_of(model, sequences), {}
    figures["ours"] = difference(our_logits(out, tokens), theirs)
    if mode == "remove":
        kept = [index for index in range(5) if index not in LAYERS[mode]]
        figures["original without layers"] = difference(theirs, logits_of(without_layers(folder, kept), sequences))
    if mode == "replace":
        figures["original with maps"] = difference(theirs, logits_of(with_maps(folder, out), sequences))
    unchanged = difference(theirs, logits_of(without_layers(folder, range(5)), sequences))
    prompt = torch.tensor([sequences[0][:9], sequences[1][:9]])
    generated = [
        model.generate(prompt, max_new_tokens=24, do_sample=False, use_cache=uses, pad_token_id=0)
        for uses in (True, False)
    ]
    shown = ", ".join(f"{key} {value:.1e}" for key, value in figures.items())
    print(f"{name:14}{mode:9}{shown}; from the whole model {unchanged:.1e}", flush=True)
    if max(figures.values()) > TOLERANCE:
        return f"logits differ by more than {TOLERANCE}"
    if unchanged < 100 * TOLERANCE:
        return "the model was not changed"
    if not torch.equal(*generated):
        return "generation with the cache gives other tokens than without it"
    return None


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(available_cores())
    place = pathlib.Path(arguments.keep or tempfile.mkdtemp())
    place.mkdir(parents=True, exist_ok=True)
    tokens = place / "ids.jsonl"
    write_ids(tokens)
    sequences = read_sequences(tokens)
    failures = 0
    for name, kind, settings, options in MODELS:
        if arguments.only not in name:
            continue
        folder = place / name
        make_model(kind, settings, options, folder)
        if kind == "gpt_neox":
            rename_head(folder)
        for mode in ("remove", "merge", "replace"):
            problem = judge(name, folder, mode, tokens, sequences)
            if problem:
                failures += 1
                print(f"{name:14}{mode:9}{problem}", flush=True)
    if not arguments.keep:
        shutil.rmtree(place)
    print("PASS" if failures == 0 else f"FAIL: {failures}")
    return 0 if failures == 0 else 1


def rename_head(folder):
    """Gives the head the name that it has in Pythia's files, and in those of transformers 4."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    if "lm_head.weight" in tensors:
        tensors["embed_out.weight"] = tensors.pop("lm_head.weight")
        save_file(tensors, path, {"format": "pt"})


if __name__ == "__main__":
    sys.exit(main())
