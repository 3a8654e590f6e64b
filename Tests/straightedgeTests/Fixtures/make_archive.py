#!/usr/bin/env python3
"""Makes llama-archive beside this script: the model of TransformersTests' llama-tied as a folder with a PyTorch archive.

The head is tied by a second name, and the matrices of the first layer are saved as views of their transposes. Needs the
packages torch and safetensors.
"""

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file

here = Path(__file__).parent
source = here.parent.parent / "TransformersTests" / "Fixtures" / "llama-tied"
target = here / "llama-archive"
target.mkdir(exist_ok=True)
shutil.copy(source / "config.json", target / "config.json")
state = load_file(source / "model.safetensors")
for name, tensor in state.items():
    if ".layers.0." in name and tensor.dim() == 2:
        state[name] = tensor.t().contiguous().t()
state["lm_head.weight"] = state["model.embed_tokens.weight"]
torch.save(state, target / "pytorch_model.bin")
