"""How checkpoints are spelled: configuration keys as transformers 4 and 5 write them, tensor names as found on the Hub."""

import json
from collections import OrderedDict

import torch

ALWAYS = {"architectures", "model_type", "vocab_size"}
# Keys that transformers 5 writes and 4 does not know.
NEW_KEYS = {"rope_parameters", "dtype", "transformers_version", "layer_types", "use_bidirectional_attention"}
GENERATION_KEYS = {"bos_token_id", "eos_token_id", "pad_token_id", "is_decoder", "use_cache"}


# config.json ----------------------------------------------------------------------------------------------------------


def configuration_file(entry, model):
    config = entry.config()
    config.architectures = [type(model).__name__]
    config.dtype = entry.dtype
    if entry.spelling == 5:
        keys = json.loads(config.to_json_string(use_diff=True))
    else:
        keys = old_spelling(entry, config)
    return {key: value for key, value in keys.items() if key not in entry.left_out} | entry.extra_keys


def old_spelling(entry, config):
    """As transformers 4 writes it: keys that have the default of their class left out, as many files on the Hub do."""
    defaults = type(config)().to_dict()
    given = set(entry.keys)
    old = {}
    for key, value in config.to_dict().items():
        is_default = value == defaults.get(key) or key in GENERATION_KEYS
        if key not in NEW_KEYS and (key in ALWAYS or key in given or not is_default):
            old[key] = value
    old |= rotary_keys(entry, config)
    old["torch_dtype"] = entry.dtype
    old["transformers_version"] = "4.40.0"
    return old


def rotary_keys(entry, config):
    rotary = getattr(config, "rope_parameters", None)
    if not rotary:
        return {}
    if entry.family == "gemma3_text":
        keys = {"rope_local_base_freq": rotary["sliding_attention"]["rope_theta"]}
        return keys | scaled(dict(rotary["full_attention"]), "rope_theta")
    rotary = dict(rotary)
    if hasattr(config, "original_max_position_embeddings"):
        rotary.pop("original_max_position_embeddings", None)
    factor = rotary.pop("partial_rotary_factor", None)
    keys = scaled(rotary, "rotary_emb_base" if entry.family == "gpt_neox" else "rope_theta")
    if factor is not None:
        keys["rotary_pct" if entry.family == "gpt_neox" else "partial_rotary_factor"] = factor
    return keys


def scaled(rotary, base_key):
    keys = {base_key: rotary.pop("rope_theta")}
    kind = rotary.pop("rope_type")
    # The name of the key was `type` before it was `rope_type`.
    name = "type" if kind in ("linear", "dynamic", "longrope") else "rope_type"
    keys["rope_scaling"] = None if kind == "default" else {name: kind} | rotary
    return keys


# Tensors --------------------------------------------------------------------------------------------------------------


def stored_tensors(entry, model):
    """The state dictionary as a checkpoint has it. A tied head is left out, but `pytorch_model.bin` shares it."""
    state = model.state_dict()
    tensors = OrderedDict()
    if entry.twin_of:
        # The library saves this attribute along.
        tensors._metadata = state._metadata
    for name, values in state.items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings and not entry.twin_of:
            continue
        tensors[stored_name(entry, name)] = values.detach() if entry.twin_of else values.detach().contiguous()
    tensors.update(buffers(entry, model))
    return tensors


def stored_name(entry, name):
    if entry.family == "gpt_neox" and name == "lm_head.weight" and entry.spelling == 4:
        return "embed_out.weight"
    if entry.without_prefix:
        return name.removeprefix(entry.without_prefix)
    return name


def buffers(entry, model):
    """What older checkpoints carry along and no forward pass reads."""
    config = model.config
    prefix = "" if entry.without_prefix else model.base_model_prefix + "."
    result = {}
    for index in range(config.num_hidden_layers if entry.has_buffers else 0):
        positions = config.max_position_embeddings
        mask = torch.ones(1, 1, positions, positions, dtype=torch.uint8).tril()
        place = "h.%d.attn" if entry.family in ("gpt2", "gptj", "gpt_bigcode") else "layers.%d.attention"
        place = prefix + place % index
        result[f"{place}.bias"] = mask.float() if entry.family == "gpt2" else mask
        result[f"{place}.masked_bias"] = torch.tensor(-1e4 if entry.family == "gpt2" else -1e9)
        if entry.family == "gpt_neox":
            result[f"{place}.rotary_emb.inv_freq"] = torch.full([2], 123.0)
    return result
