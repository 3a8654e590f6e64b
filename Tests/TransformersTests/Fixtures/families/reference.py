"""What a model has to compute: the library's own forward pass, in float64.

The library casts to float32 by name in many places (norms, softmax, rotary angles). Those names mean float64 while a
model is built and run here, so that the code of each family is the library's and its rounding is not.
"""

import contextlib
import copy

import numpy as np
import torch
import transformers
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

# Largest difference of the library's float32 forward pass, relative to the root mean square of the values.
TOLERANCE = 1e-5

LAYERS = ("layers", "h", "blocks")
FINAL_NORMS = ("norm", "ln_f", "final_layer_norm", "final_layernorm", "norm_f")


def model_class(family):
    return getattr(transformers, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[family])


# float64 --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def replaced(place, **values):
    old = {name: getattr(place, name) for name in values}
    for name, value in values.items():
        setattr(place, name, value)
    try:
        yield
    finally:
        for name, value in old.items():
            setattr(place, name, value)


@contextlib.contextmanager
def float64():
    """Lets the names of float32 mean float64."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with (
            replaced(torch, float32=torch.float64, float=torch.float64),
            replaced(torch.Tensor, float=torch.Tensor.double),
        ):
            yield
    finally:
        torch.set_default_dtype(default)


def float64_model(entry, model):
    """A copy of the model in float64, rotary frequencies and all."""
    stored = model.state_dict()
    with float64():
        config = entry.config()
        config._attn_implementation = entry.attention
        result = model_class(entry.family)(config).eval()
    with torch.no_grad():
        for name, values in result.state_dict().items():
            assert values.dtype == torch.float64, name
            values.copy_(stored[name])
    return result


# The forward pass -----------------------------------------------------------------------------------------------------


def decoder(model):
    """The module that has the layers."""
    return next(module for module in model.modules() if any(hasattr(module, name) for name in LAYERS))


def keep(pieces, name):
    def hook(_module, _inputs, output):
        output = output[0] if isinstance(output, tuple) else output
        pieces[name] = output.detach()[0].clone()

    return hook


def keep_input(pieces, name):
    def hook(_module, inputs, named):
        pieces[name] = (inputs[0] if inputs else named["hidden_states"]).detach()[0].clone()

    return hook


def run_alone(model, ids):
    """Runs one sequence in a fresh copy of the model: scaled rotary embeddings remember longer sequences."""
    model = copy.deepcopy(model)
    module = decoder(model)
    layers = next(getattr(module, name) for name in LAYERS if hasattr(module, name))
    norm = next((getattr(module, name) for name in FINAL_NORMS if getattr(module, name, None) is not None), None)
    pieces = {}
    layers[0].register_forward_pre_hook(keep_input(pieces, "hidden.0"), with_kwargs=True)
    for index, layer in enumerate(layers):
        layer.register_forward_hook(keep(pieces, f"hidden.{index + 1}"))
    if norm is not None:
        norm.register_forward_hook(keep(pieces, "hidden.norm"))
    with torch.no_grad():
        logits = model(torch.from_numpy(ids)[None], use_cache=False).logits[0]
    pieces.setdefault("hidden.norm", pieces[f"hidden.{len(layers)}"])
    return {name: values.numpy() for name, values in (pieces | {"logits": logits}).items()}


def run(model, ids, lengths):
    results = [run_alone(model, sequence) for sequence in np.split(ids, np.cumsum(lengths)[:-1])]
    return {name: np.concatenate([result[name] for result in results]) for name in results[0]}


def watched_softmax(deviations):
    softmax = functional.softmax

    def watched(logits, *arguments, **named):
        seen = logits > torch.finfo(logits.dtype).min / 2
        rows = [row[mask].std() for row, mask in zip(logits.flatten(0, -2), seen.flatten(0, -2)) if mask.sum() > 4]
        if len(rows) > 30:
            deviations.append(float(torch.stack(rows).mean()))
        return softmax(logits, *arguments, **named)

    return watched


def plain_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False):
    """`scaled_dot_product_attention` written out, for its softmax to be watched."""
    logits = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    if is_causal:
        attn_mask = torch.ones(logits.shape[-2:], dtype=torch.bool).tril()
    if attn_mask is not None:
        is_boolean = attn_mask.dtype == torch.bool
        logits = logits.masked_fill(~attn_mask, -torch.inf) if is_boolean else logits + attn_mask
    return functional.softmax(logits, dim=-1) @ value


def forward(entry, model, ids):
    """What `make_families.py` saves, from a model in float64, and the deviation of the attention logits."""
    deviations = []
    with (
        float64(),
        replaced(functional, softmax=watched_softmax(deviations), scaled_dot_product_attention=plain_attention),
    ):
        result = run(model, ids, entry.lengths)
    assert all(values.dtype == np.float64 for values in result.values())
    return result, min(deviations)


def check_against_library(entry, folder, ids, expected):
    """Reads the folder as a user of the library would; the largest relative difference in float32."""
    config = AutoConfig.from_pretrained(folder)
    assert config.model_type == entry.family
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=entry.attention)
    result = run(model.eval(), ids, entry.lengths)
    largest = 0.0
    for name, values in expected.items():
        scale = np.sqrt(np.mean(values**2))
        largest = max(largest, float(np.abs(result[name] - values).max() / scale))
    assert largest < TOLERANCE, f"{entry.name}: the library's float32 is off by {largest}"
    return largest
