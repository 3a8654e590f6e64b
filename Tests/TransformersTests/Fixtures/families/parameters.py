"""Draws parameters and token ids so that leaving out or mixing up any of them shows.

As a library initializes them, biases are zero, norm weights one and attention nearly uniform: a dropped bias or a wrong
rotation would pass unseen.
"""

import numpy as np
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

# Projections whose outputs meet in attention logits, alone or fused with values.
QUERIES_AND_KEYS = ("q_proj", "k_proj", "qkv_proj", "query_key_value", "c_attn", "Wqkv")


def draw_parameters(model, seed, gain):
    """`gain` is that of the projections to queries and keys."""
    generator = torch.Generator().manual_seed(seed)
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            normal = torch.randn(parameter.shape, generator=generator)
            value = scaled(module_name, module, name, normal, gain)
            parameter.data = value.to(parameter.dtype)


def scaled(module_name, module, name, normal, gain):
    kind = type(module).__name__
    if name.endswith("bias"):
        return 0.5 * normal
    if "Norm" in kind:
        is_of_heads = any(part in module_name for part in ("q_norm", "k_norm", "q_layernorm", "k_layernorm"))
        centre = 1.3 if is_of_heads else 1.0
        # Gemma multiplies by 1 + weight.
        return centre - (1.0 if kind.startswith("Gemma") else 0.0) + 0.3 * normal
    if isinstance(module, nn.Embedding):
        return normal
    fan_in = normal.shape[0] if isinstance(module, Conv1D) else normal.shape[1]
    if module_name.endswith(QUERIES_AND_KEYS):
        normal = gain * normal
    return normal / fan_in**0.5


def draw_ids(vocabulary_size, count, seed):
    """Random ids, the first and the last of the vocabulary among them."""
    ids = np.random.default_rng(seed).integers(0, vocabulary_size, count, dtype=np.int64)
    ids[[0, 1]] = [0, vocabulary_size - 1]
    return ids
