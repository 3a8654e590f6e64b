#!/usr/bin/env python3
"""Makes the fixtures beside this script, with the reference writers. Needs the packages numpy, gguf and safetensors
(0.8 or later).

mini.gguf       every readable tensor type, two that are not, metadata of every type
single/         a Hugging Face folder with one safetensors file
sharded/        the same tensors in two shards under an index
arrays/         NumPy files of every type, byte order, order and version that is read, and safetensors with matrices
eight-bit-blocks.safetensors  numbers, and the bytes of their blocks of Q8_0
expected.json   what a reader has to find: names, shapes, types, digests of the stored bytes, fingerprints
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGML_QUANT_SIZES, GGUFReader, GGUFValueType, GGUFWriter, quantize
from safetensors import TensorSpec, serialize_file

here = Path(__file__).parent
random = np.random.default_rng(1)
PIECE = 8 << 20


def fingerprint(*paths):
    pieces = []
    for path in paths:
        content = path.read_bytes()
        pieces += [hashlib.sha256(content[i : i + PIECE]).digest() for i in range(0, len(content), PIECE)]
    return "sha256:" + hashlib.sha256(b"".join(pieces)).hexdigest()


def describe(name, shape, type_name, content):
    return {"name": name, "shape": list(shape), "type": type_name, "sha256": hashlib.sha256(content).hexdigest()}


def make_gguf(path):
    writer = GGUFWriter(path, "test")
    writer.add_uint8("test.uint8", 200)
    writer.add_int8("test.int8", -100)
    writer.add_uint16("test.uint16", 60000)
    writer.add_int16("test.int16", -30000)
    writer.add_uint32("test.uint32", 4_000_000_000)
    writer.add_int32("test.int32", -2_000_000_000)
    writer.add_uint64("test.uint64", 2**64 - 1)
    writer.add_int64("test.int64", -(2**63))
    writer.add_float32("test.float32", 0.5)
    writer.add_float64("test.float64", 1e-300)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "naïve 𝄞")
    writer.add_array("test.integers", [-1, 0, 70000])
    writer.add_array("test.numbers", [0.25, -2.0])
    writer.add_array("test.bools", [True, False])
    writer.add_array("test.strings", ["a", "", "é", "e\u0301"])
    writer.add_key_value("test.bytes", [b"\xff\xfe", b"ok"], GGUFValueType.ARRAY, GGUFValueType.STRING)
    for number, kind in enumerate(
        [Type.F32, Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0]
    ):
        values = random.standard_normal((2, 32 * (1 + number % 2))).astype(np.float32)
        writer.add_tensor(f"weight.{kind.name}", quantize(values, kind), raw_dtype=kind)
    writer.add_tensor("weight.F64", random.standard_normal(5))
    writer.add_tensor("weight.cube", random.standard_normal((2, 3, 4)).astype(np.float32))
    # What gguf cannot quantize: any bytes are blocks.
    for kind in [Type.IQ4_NL, Type.Q2_K, Type.Q3_K, Type.Q4_K, Type.Q5_K, Type.Q6_K, Type.Q8_K, Type.IQ4_XS]:
        blocks = random.integers(0, 256, (2, GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
        prefix = "refused" if kind == Type.IQ4_XS else "weight"
        writer.add_tensor(f"{prefix}.{kind.name}", blocks, raw_dtype=kind)
    writer.add_tensor("refused.I32", np.arange(3, dtype=np.int32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    tensors = [
        describe(t.name, reversed([int(n) for n in t.shape]), t.tensor_type.name, bytes(t.data)[: t.n_bytes])
        for t in GGUFReader(path).tensors
    ]
    return {"tensors": tensors, "fingerprint": fingerprint(path)}


def save(tensors, path):
    specs = {
        name: TensorSpec(dtype=kind, shape=values.shape, data_ptr=values.ctypes.data, data_len=values.nbytes)
        for name, (kind, values) in tensors.items()
    }
    serialize_file(specs, path, metadata={"format": "pt"})


def make_folders():
    tensors = {
        "model.embed.weight": ("float32", random.standard_normal((4, 3)).astype(np.float32)),
        "model.norm.weight": ("float16", random.standard_normal(3).astype(np.float16)),
        # numpy has no bfloat16: these are its bits, the upper halves of float32.
        "model.up.weight": ("bfloat16", random.standard_normal((3, 5)).astype("<f4").view("<u2")[:, 1::2].copy()),
        "model.down.bias": ("float64", random.standard_normal(2)),
        "model.positions": ("int64", np.arange(6).reshape(2, 3)),
        "model.empty": ("float32", np.zeros((0, 3), np.float32)),
    }
    config = {"model_type": "test", "hidden_size": 3, "rope_theta": 10000.0}
    single, sharded = here / "single", here / "sharded"
    for folder in (single, sharded):
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config, indent=2))
    (single / "tokenizer.json").write_text(json.dumps({"version": "1.0", "model": {"vocab": {"é": 0, "e\u0301": 1}}}))
    (single / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 10**30}))
    save(tensors, single / "model.safetensors")

    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    weight_map = {name: shards[index % 2] for index, name in enumerate(tensors)}
    for shard in shards:
        part = {name: tensor for name, tensor in tensors.items() if weight_map[name] == shard}
        save(part, sharded / shard)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))

    names = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64"}
    return {
        "tensors": [
            describe(name, values.shape, names[kind], values.tobytes()) for name, (kind, values) in tensors.items()
        ],
        "single_fingerprint": fingerprint(single / "config.json", single / "model.safetensors"),
        "sharded_fingerprint": fingerprint(sharded / "config.json", *[sharded / shard for shard in shards]),
        "weight_map": weight_map,
    }


def make_arrays():
    folder = here / "arrays"
    folder.mkdir(exist_ok=True)
    values = np.random.default_rng(2).standard_normal((5, 11))
    # Numbers at the ends of a half's range, and a subnormal one.
    values[0, :4] = [65504, -0.0, 6e-8, 1e-4]

    def expect(name, type_name, content):
        return name, {"shape": [5, 11], "type": type_name, "sha256": hashlib.sha256(content).hexdigest()}

    expected = []
    for size, type_name in [(2, "F16"), (4, "F32"), (8, "F64")]:
        for order in "CF":
            for byte_order in "<>":
                array = np.array(values, f"{byte_order}f{size}", order=order)
                name = f"f{size}-{order}-{'little' if byte_order == '<' else 'big'}.npy"
                np.save(folder / name, array)
                expected.append(expect(name, type_name, array.astype(f"<f{size}").tobytes()))
    for version in (2, 3):
        with open(folder / f"version-{version}.npy", "wb") as file:
            np.lib.format.write_array(file, values, version=(version, 0))
        expected.append(expect(f"version-{version}.npy", "F64", values.tobytes()))
    # As ml_dtypes has it saved: the upper halves of float32.
    halves = np.ascontiguousarray(values.astype("<f4").view("<u2")[:, 1::2])
    with open(folder / "bfloat16.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<V2", "fortran_order": False, "shape": (5, 11)})
        file.write(halves.tobytes())
    expected.append(expect("bfloat16.npy", "BF16", halves.tobytes()))
    single = values.astype(np.float32)
    save({"words": ("float32", single), "lengths": ("int32", np.arange(5, dtype=np.int32))}, folder / "one.safetensors")
    save({"a": ("bfloat16", halves), "b": ("float32", single), "c": ("int64", np.zeros((2, 2), np.int64))},
         folder / "two.safetensors")
    expected.append(expect("one.safetensors", "F32", single.tobytes()))
    return dict(expected) | {"fingerprint": fingerprint(folder / "f8-C-little.npy")}


def make_blocks():
    """What the gguf package makes of rows of 32 numbers: ordinary ones, small and large, zeros, and ties."""
    random = np.random.default_rng(3)
    values = random.standard_normal((64, 32)).astype(np.float32)
    values[8:24] *= 10.0 ** np.arange(-34, 30, 4, dtype=np.float32)[:, None]
    values[24] = 0
    values[25] = -0.0
    # The scale is 1, and halves are rounded away from zero.
    values[26] = np.arange(32) * 0.5 - 8
    values[26, 0] = -127
    values[27] = 1
    values[28, 1:] = 0
    values[29] = np.float32(3e38)
    blocks = quantize(values, Type.Q8_0).astype(np.float32)
    save({"values": ("float32", values), "blocks": ("float32", blocks)}, here / "eight-bit-blocks.safetensors")


make_blocks()
expected = {"gguf": make_gguf(here / "mini.gguf"), "folders": make_folders(), "arrays": make_arrays()}
(here / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
