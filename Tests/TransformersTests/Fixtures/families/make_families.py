#!/usr/bin/env python3
"""Makes the fixtures below this folder: small checkpoints of every decoder family, and what they have to compute.

Needs the packages torch, transformers, numpy and safetensors. `make_families.py [NAME ...]` makes those whose names begin
so, and all without names; the catalogue is always written whole.

catalogue.json                     what there is: see `describe`
FAMILY/VARIANT.gguf                for some, what `make_gguf.py` converts, with the same expectations
FAMILY/VARIANT/config.json         a Hugging Face folder, its keys as transformers 4 or 5 writes them
               model.safetensors   or pytorch_model.bin; parameters as `parameters.py` draws them
               expected.safetensors, but for a pickled twin, which has those of the variant that it repeats

In expected.safetensors, all float32:

ids (tokens)                       all sequences one after the other; lengths (sequences)
hidden.0 (tokens, width)           what enters the first layer
hidden.1 ... hidden.L              stream leaving each layer, before the final norm
hidden.norm                        after the final norm; hidden.L where a model has none
logits (tokens, vocabulary)        scaled and capped as the model scales and caps them

Each is computed in float64 from the stored weights with the library's own code (`reference.py`), every sequence alone,
and the library's float32 forward pass of the folder agrees with it.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file as save_tensors

# These two fill the list of configurations.
import gpt_like  # noqa: F401
import llama_like  # noqa: F401
from checkpoints import configuration_file, stored_tensors
from configuration import CONFIGURATIONS
from parameters import draw_ids, draw_parameters
from reference import check_against_library, float64_model, forward, model_class

here = Path(__file__).parent
GAINS = (1.3, 1.6, 2.0, 2.5, 3.2)
# Standard deviation of the attention logits that a query sees, on average over the queries of a layer, at least.
LEAST_DEVIATION = 1.0


def drawn(entry, ids):
    """A model and what it has to compute, with queries and keys so large that its attention is far from uniform."""
    for gain in GAINS:
        model = model_class(entry.family)(entry.config()).to(getattr(torch, entry.dtype)).eval()
        draw_parameters(model, entry.seed, gain)
        expected, deviation = forward(entry, float64_model(entry, model), ids)
        if deviation >= LEAST_DEVIATION:
            return model, expected
    raise AssertionError(f"{entry.name}: attention is too uniform: {deviation}")


def make(entry):
    """Writes the folder of one configuration."""
    folder = here / entry.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ids = draw_ids(entry.config().vocab_size, sum(entry.lengths), entry.seed)
    model, expected = drawn(entry, ids)
    tensors = stored_tensors(entry, model)
    if entry.twin_of:
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        save_tensors(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(configuration_file(entry, model), indent=2) + "\n")
    error = check_against_library(entry, folder, ids, expected)
    if not entry.twin_of:
        arrays = {"ids": ids, "lengths": np.array(entry.lengths)} | expected
        arrays = {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in arrays.items()}
        save_arrays(arrays, folder / "expected.safetensors")
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{entry.name:40} {size / 1e3:6.1f} kB, float32 of the library off by {error:.1e}")


def describe(entry):
    """An entry of the catalogue: everything a test needs to choose and to name a fixture."""
    return {
        "name": entry.name,
        "family": entry.family,
        "dtype": entry.dtype,
        "weights": "pytorch_model.bin" if entry.twin_of else "model.safetensors",
        "expected": f"{entry.source}/expected.safetensors",
        "gguf": f"{entry.name}.gguf" if entry.gguf else None,
        "spelling": entry.spelling,
        "layers": entry.config().num_hidden_layers,
        "shows": entry.shows,
    }


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    wanted = tuple(sys.argv[1:])
    for entry in CONFIGURATIONS:
        if not wanted or entry.name.startswith(wanted):
            make(entry)
    names = [entry.name for entry in CONFIGURATIONS]
    assert len(set(names)) == len(names)
    catalogue = [describe(entry) for entry in CONFIGURATIONS]
    (here / "catalogue.json").write_text(json.dumps(catalogue, indent=2) + "\n")


if __name__ == "__main__":
    main()
