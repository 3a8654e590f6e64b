#!/usr/bin/env python3
"""Makes the fixtures beside this script. Needs the packages torch, transformers, numpy, safetensors and gguf.

llama-tied/              a Hugging Face folder, float16: grouped queries, tied head
llama-untied-sharded/    another, bfloat16 in shards: head width apart from width/heads, biases everywhere, untied head
    expected.safetensors in each: what a forward pass of the batch has to give
llama-gguf/              the weights of llama-tied as llama.cpp would store them, in each element type; F16.gguf has the
                         matrices of its first layer in float32
    super-blocks.gguf    another model, wide enough for blocks of 256 elements, its matrices of different types
    expected.safetensors what each of those files has to give, from its dequantized weights
blocks.safetensors       quantized blocks with ordinary and odd scales, infinities and NaN among them, and their values

Every parameter is drawn anew: as a library initializes them, biases are zero, norm weights one and attention nearly
uniform, so that a dropped bias or a wrong rotation would pass unseen.

Expectations are computed in float64 from the stored weights and saved as float32. In expected.safetensors:

ids (tokens)                        float32, all sequences one after the other
lengths (sequences)                 float32
hidden.0 (tokens, width)            embeddings
hidden.1 ... hidden.L               stream after each layer, before the final norm
hidden.norm                         after the final norm
logits (tokens, vocabulary)
attention.0 ... attention.L-1       what the attention block of a layer adds to the stream
mlp.0 ... mlp.L-1                   what its MLP block adds

and in that of llama-gguf, for each file NAME.gguf: NAME.norm (tokens, width) after the final norm, and NAME.logits.
Ids are those of llama-tied: all of them for F16, the first two sequences (eight tokens) for the others.
"""

import copy
import shutil
from pathlib import Path

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType, dequantize, quantize
from safetensors.numpy import save_file
from transformers import AttentionInterface, LlamaConfig, LlamaForCausalLM

here = Path(__file__).parent
LENGTHS = [1, 7, 33, 2]
# Standard deviation of the attention logits, at least.
LEAST_DEVIATION = 1.0


# Parameters -----------------------------------------------------------------------------------------------------------


def draw_parameters(model, seed):
    """Draws every parameter so that leaving out or mixing up any of them shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        normal = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            value = 1 + 0.3 * normal
        elif name.endswith("bias"):
            value = 0.5 * normal
        elif "embed_tokens" in name:
            value = normal
        else:
            gain = 1.3 if "q_proj" in name or "k_proj" in name else 1.0
            value = gain * normal / parameter.shape[1] ** 0.5
        parameter.data = value.to(parameter.dtype)


def draw_ids(vocabulary_size, seed):
    ids = np.random.default_rng(seed).integers(0, vocabulary_size, sum(LENGTHS), dtype=np.int64)
    ids[[0, 1]] = [0, vocabulary_size - 1]
    return ids


# The forward pass in float64 ------------------------------------------------------------------------------------------


def float64_norm(norm):
    """RMSNorm without the library's cast to float32."""

    def forward(x):
        return norm.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon))

    return forward


def float64_rotary(config):
    """Cosines and sines in float64; the library computes frequencies and angles in float32."""
    width = config.head_dim
    exponents = torch.arange(0, width, 2, dtype=torch.float64) / width
    frequencies = config.rope_parameters["rope_theta"] ** -exponents

    def forward(x, position_ids):
        angles = position_ids[..., None].double() * frequencies
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos(), angles.sin()

    return forward


deviations = []


def float64_attention(module, query, key, value, attention_mask, scaling, **_):
    """Causal attention; the library's own takes the softmax in float32."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    logits = scaling * query @ key.transpose(2, 3)
    future = torch.ones(logits.shape[-2:], dtype=torch.bool).triu(1)
    if logits.shape[-1] > 30:
        deviations.append(float(logits[..., ~future].std()))
    weights = logits.masked_fill(future, -torch.inf).softmax(-1)
    return (weights @ value).transpose(1, 2).contiguous(), weights


AttentionInterface.register("float64", float64_attention)


def run(model, ids):
    """Runs the sequences one by one; a dictionary of what the blocks gave, in float64."""
    model = model.eval()
    model.config._attn_implementation = "float64"
    decoder = model.model
    for module in model.modules():
        if type(module).__name__ == "LlamaRMSNorm":
            module.forward = float64_norm(module)
    decoder.rotary_emb.forward = float64_rotary(model.config)

    pieces = {}

    def keep(name):
        def hook(_module, _inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            pieces.setdefault(name, []).append(output.detach()[0].numpy())

        return hook

    hooks = [decoder.embed_tokens.register_forward_hook(keep("hidden.0"))]
    for index, layer in enumerate(decoder.layers):
        hooks.append(layer.self_attn.register_forward_hook(keep(f"attention.{index}")))
        hooks.append(layer.mlp.register_forward_hook(keep(f"mlp.{index}")))
        hooks.append(layer.register_forward_hook(keep(f"hidden.{index + 1}")))
    hooks.append(decoder.norm.register_forward_hook(keep("hidden.norm")))
    hooks.append(model.lm_head.register_forward_hook(keep("logits")))
    deviations.clear()
    with torch.no_grad():
        for sequence in np.split(ids, np.cumsum(LENGTHS)[:-1]):
            model(torch.from_numpy(sequence)[None], use_cache=False)
    for hook in hooks:
        hook.remove()
    assert min(deviations) >= LEAST_DEVIATION, f"attention is too uniform: {deviations}"
    result = {name: np.concatenate(values) for name, values in pieces.items()}
    assert all(values.dtype == np.float64 and len(values) == sum(LENGTHS) for values in result.values())
    for index in range(len(decoder.layers)):
        step = result[f"attention.{index}"] + result[f"mlp.{index}"]
        assert np.allclose(result[f"hidden.{index}"] + step, result[f"hidden.{index + 1}"], atol=1e-12)
    return result


def check_against_library(folder, ids, expected):
    """The library's own float32 forward pass must agree with ours but for its rounding."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    start = 0
    for length in LENGTHS:
        with torch.no_grad():
            logits = model(torch.from_numpy(ids[start : start + length])[None], use_cache=False).logits[0].numpy()
        difference = np.abs(logits - expected["logits"][start : start + length]).max()
        assert difference < 1e-4, f"{folder.name}: logits differ by {difference}"
        start += length


def as_float32(arrays):
    return {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in arrays.items()}


# Hugging Face folders -------------------------------------------------------------------------------------------------


def make_folder(name, config, dtype, seed, **saving):
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    model = LlamaForCausalLM(config).to(dtype)
    draw_parameters(model, seed)
    model.config.dtype = dtype
    model.save_pretrained(folder, **saving)
    (folder / "generation_config.json").unlink(missing_ok=True)

    ids = draw_ids(config.vocab_size, seed)
    expected = run(LlamaForCausalLM.from_pretrained(folder, dtype=torch.float64), ids)
    check_against_library(folder, ids, expected)
    batch = as_float32({"ids": ids, "lengths": np.array(LENGTHS)})
    save_file(batch | as_float32(expected), folder / "expected.safetensors")
    return folder, ids


def make_tied():
    config = LlamaConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        vocab_size=64,
        max_position_embeddings=128,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 1e5},
        tie_word_embeddings=True,
    )
    return make_folder("llama-tied", config, torch.float16, 1)


def make_untied():
    config = LlamaConfig(
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=3,
        num_key_value_heads=1,
        head_dim=12,
        intermediate_size=40,
        vocab_size=50,
        max_position_embeddings=64,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4},
        attention_bias=True,
        mlp_bias=True,
        tie_word_embeddings=False,
    )
    make_folder("llama-untied-sharded", config, torch.bfloat16, 2, max_shard_size="12KB")


# GGUF files -----------------------------------------------------------------------------------------------------------

FILE_TYPES = {
    "F16": LlamaFileType.MOSTLY_F16,
    "Q4_0": LlamaFileType.MOSTLY_Q4_0,
    "Q4_1": LlamaFileType.MOSTLY_Q4_1,
    "Q5_0": LlamaFileType.MOSTLY_Q5_0,
    "Q5_1": LlamaFileType.MOSTLY_Q5_1,
    "Q8_0": LlamaFileType.MOSTLY_Q8_0,
    "super-blocks": LlamaFileType.MOSTLY_Q4_K_M,
}

# The types of super-blocks.gguf, mixed as llama.cpp mixes them within a file.
MIXTURE = {
    "embed_tokens": "Q6_K",
    "q_proj": "Q4_K",
    "k_proj": "Q2_K",
    "v_proj": "Q6_K",
    "o_proj": "Q3_K",
    "gate_proj": "Q5_K",
    "up_proj": "IQ4_NL",
    "down_proj": "Q3_K",
}

# How that model's configuration differs from llama-tied's: its rows are whole blocks of 256 elements.
WIDE = {
    "hidden_size": 256,
    "num_hidden_layers": 1,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "intermediate_size": 256,
}

# Where the float16 scale of a block stands, and its minimum.
SCALES = {"IQ4_NL": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}

LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    whole = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if name in whole:
        return whole[name]
    _, _, index, rest = name.split(".", 3)
    module, kind = rest.rsplit(".", 1)
    return f"blk.{index}.{LAYER_NAMES[module]}.{kind}"


def interleave(rows, head_count):
    """The order of Q and K rows in `llama` files: the two halves of a head, which rotate together, alternate."""
    return rows.reshape(head_count, 2, -1, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def deinterleave(rows, head_count):
    return rows.reshape(head_count, -1, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def stored_type(type_name, name, shape):
    """As llama.cpp: vectors stay float32, and rows that are no whole number of blocks become float16."""
    if len(shape) == 1 or (type_name == "F16" and ".0." in name):
        return GGMLQuantizationType.F32
    if type_name.startswith("Q") and shape[1] % 32:
        return GGMLQuantizationType.F16
    if type_name in GGMLQuantizationType.__members__:
        return GGMLQuantizationType[type_name]
    return GGMLQuantizationType[next(kind for part, kind in MIXTURE.items() if part in name)]


def with_scales(blocks, kind, *scales):
    """The blocks with their scales, and minima where they have them, set to these arrays."""
    blocks = blocks.copy()
    for place, values in zip(SCALES[kind.name], scales):
        values = np.broadcast_to(np.asarray(values, dtype="<f2"), blocks.shape[:-1])
        blocks[..., place : place + 2] = values[..., None].copy().view(np.uint8)
    return blocks


def encode(values, kind, random):
    """The stored bytes. What gguf cannot quantize becomes random integers with scales that give them a mean near 0 and
    the deviation of `values`."""
    if kind.name not in SCALES:
        return quantize(np.ascontiguousarray(values), kind)
    block_size, byte_count = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (len(values), values.shape[1] // block_size, byte_count), dtype=np.uint8)
    minimum = 0.0
    if len(SCALES[kind.name]) == 2:
        integers, minima = (dequantize(with_scales(blocks, kind, *pair), kind) for pair in [(1, 0), (0, -1)])
        minimum = integers.mean() / minima.mean()
    deviation = dequantize(with_scales(blocks, kind, 1, minimum), kind).std()
    scales = random.uniform(0.5, 1.5, blocks.shape[:-1]) * values.std() / deviation
    return with_scales(blocks, kind, scales, minimum * scales).reshape(len(values), -1)


def write_gguf(path, type_name, config, weights):
    """Writes the file; returns the weights a reader gets from it, by their Hugging Face names."""
    writer = GGUFWriter(path, "llama")
    writer.add_type("model")
    writer.add_name("Llama Tied")
    writer.add_size_label("17K")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_file_type(FILE_TYPES[type_name])
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_add_bos_token(False)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    tokens = ["<|endoftext|>"] + [chr(code) for code in range(ord("!"), ord("!") + config.vocab_size - 2)] + ['"#']
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL] + [TokenType.NORMAL] * (len(tokens) - 1))
    writer.add_token_merges(['" #'])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_unk_token_id(0)
    writer.add_quantization_version(2)

    read = {}
    random = np.random.default_rng(5)
    for name, values in weights.items():
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
        head_count = next((count for key, count in heads.items() if key in name), None)
        stored = interleave(values, head_count) if head_count else values
        kind = stored_type(type_name, name, stored.shape)
        encoded = encode(stored, kind, random)
        writer.add_tensor(gguf_name(name), encoded, raw_dtype=kind)
        decoded = dequantize(encoded, kind).astype(np.float32).reshape(values.shape)
        read[name] = deinterleave(decoded, head_count) if head_count else decoded
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return read


def check_gguf_against_library(path, ids, expected):
    model = LlamaForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(torch.from_numpy(ids[1:8])[None], use_cache=False).logits[0].numpy()
    difference = np.abs(logits - expected["logits"][1:8]).max()
    assert difference < 1e-4, f"{path.name}: logits differ by {difference}"


def make_gguf_file(path, model, ids):
    """Writes the parameters of the model; returns what a forward pass of the file's has to give."""
    weights = {name: values.detach().numpy() for name, values in model.named_parameters()}
    read = write_gguf(path, path.stem, model.config, weights)
    model = copy.deepcopy(model).double()
    for name, parameter in model.named_parameters():
        parameter.data = torch.from_numpy(read[name]).double()
    result = run(model, ids)
    check_gguf_against_library(path, ids, result)
    count = len(ids) if path.stem == "F16" else sum(LENGTHS[:2])
    return {f"{path.stem}.norm": result["hidden.norm"][:count], f"{path.stem}.logits": result["logits"][:count]}


def make_gguf_files(folder, ids):
    place = here / "llama-gguf"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    tied = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    wide = LlamaForCausalLM(LlamaConfig(**tied.config.to_dict() | WIDE))
    draw_parameters(wide, 4)
    expected = {}
    for type_name in FILE_TYPES:
        model = wide if type_name == "super-blocks" else tied
        expected |= make_gguf_file(place / f"{type_name}.gguf", model, ids)
    save_file(as_float32(expected), place / "expected.safetensors")


# Blocks ---------------------------------------------------------------------------------------------------------------


def make_blocks():
    """Blocks of each type, scales at the edges of float16: NAME.bytes (blocks, bytes), NAME.values (blocks, elements)."""
    random = np.random.default_rng(3)
    # Zero, negative zero, the least and the largest subnormal numbers of both signs, the least normal one, one, the
    # largest of both signs; then ordinary ones.
    odd = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF]
    ordinary = random.normal(0, 0.05, 5).astype(np.float16).view(np.uint16)
    scales = np.concatenate([np.array(odd, dtype=np.uint16), ordinary])
    tensors = {}
    for name, byte_count in {"Q4_0": 18, "Q4_1": 20, "Q5_0": 22, "Q5_1": 24, "Q8_0": 34}.items():
        content = random.integers(0, 256, (len(scales), byte_count), dtype=np.uint8)
        content[:, 0:2] = scales.astype("<u2").view(np.uint8).reshape(-1, 2)
        if name.endswith("_1"):
            # Minima of all odd kinds beside scales of all odd kinds.
            content[:, 2:4] = np.roll(scales, 4).astype("<u2").view(np.uint8).reshape(-1, 2)
        tensors[f"{name}.bytes"] = content
        values = dequantize(content, GGMLQuantizationType[name])
        assert values.dtype == np.float32 and values.shape == (len(scales), 32) and np.isfinite(values).all()
        tensors[f"{name}.values"] = values
    make_super_blocks(tensors, ordinary, random)
    save_file(tensors, here / "blocks.safetensors")


def make_super_blocks(tensors, ordinary, random):
    """The types of SCALES, and Q8_K, which gguf does not decode."""
    # Scales and minima as above, fewer of them; the last four are an infinity and a NaN beside an ordinary number.
    odd = [0x0000, 0x8000, 0x8001, 0x03FF, 0x0400, 0x7BFF]
    finite = np.concatenate([np.array(odd, dtype=np.uint16), ordinary[:2]])
    scales = np.concatenate([finite, np.array([0x7C00, 0x7E00], dtype=np.uint16), ordinary[2:4]])
    minima = np.concatenate([np.roll(finite, 3), ordinary[3:5], np.array([0xFC00, 0x7E00], dtype=np.uint16)])
    for name in SCALES:
        kind = GGMLQuantizationType[name]
        content = random.integers(0, 256, (len(scales), GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
        content = with_scales(content, kind, scales.view(np.float16), minima.view(np.float16))
        with np.errstate(invalid="ignore"):
            values = dequantize(content, kind)
        assert values.dtype == np.float32 and np.isfinite(values[: len(finite)]).all()
        assert not np.isfinite(values[len(finite)]).all() and np.isnan(values[len(finite) + 1]).all()
        tensors[f"{name}.bytes"], tensors[f"{name}.values"] = content, values

    # A float32 scale and signed bytes: x = d·q.
    content = random.integers(0, 256, (6, 292), dtype=np.uint8)
    scales = np.array([0.0, -0.0, 1e-45, -3e-3, np.float32(3e38), np.inf], dtype="<f4")
    content[:, :4] = scales.view(np.uint8).reshape(-1, 4)
    with np.errstate(all="ignore"):
        tensors["Q8_K.values"] = scales[:, None] * content[:, 4:260].view(np.int8).astype(np.float32)
    tensors["Q8_K.bytes"] = content


if __name__ == "__main__":
    torch.set_num_threads(1)
    make_gguf_files(*make_tied())
    make_untied()
    make_blocks()
