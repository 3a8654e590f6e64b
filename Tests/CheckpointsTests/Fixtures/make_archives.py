#!/usr/bin/env python3
"""Makes the PyTorch archives in `archives` beside this script. Needs the packages torch (2.4 or later) and safetensors.

archives/whole/        a Hugging Face folder with pytorch_model.bin: every element type that is read and some that are
                       not, tied weights, views of shared storages, transposed and strided ones
archives/safetensors/  the tensors of it that safetensors can hold, made contiguous
archives/sharded/      two shards under an index
archives/*.pt          the same state dict nested, pickled otherwise, packed otherwise, and what is refused
archives/expected.json what a reader has to find: names, shapes, types, digests of the elements in order, fingerprints
"""

import hashlib
import json
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

here = Path(__file__).parent / "archives"
PIECE = 8 << 20
LABELS = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.bool: "BOOL", torch.uint8: "U8", torch.uint16: "U16", torch.float8_e4m3fn: "F8_E4M3",
}


def fingerprint(*paths):
    pieces = []
    for path in paths:
        content = path.read_bytes()
        pieces += [hashlib.sha256(content[i : i + PIECE]).digest() for i in range(0, len(content), PIECE)]
    return "sha256:" + hashlib.sha256(b"".join(pieces)).hexdigest()


def elements(tensor):
    return tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def describe(state):
    return [
        {
            "name": name, "shape": list(tensor.shape), "type": LABELS[tensor.dtype],
            "sha256": hashlib.sha256(elements(tensor)).hexdigest(),
        }
        for name, tensor in state.items()
    ]


def repack(source, target, compression=zipfile.ZIP_STORED, zip64=False, change=lambda name, data: data):
    """The same records by another writer of archives."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w", compression) as copy:
        for name in archive.namelist():
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            with copy.open(info, "w", force_zip64=zip64) as record:
                record.write(change(name, archive.read(name)))


torch.manual_seed(1)
storage = torch.randn(40)
embedding = torch.randn(4, 3)
state = OrderedDict(
    [
        ("embed.weight", embedding),
        ("head.weight", embedding),
        ("half", torch.randn(5).half()),
        ("brain", torch.randn(3, 5).bfloat16()),
        ("double", torch.randn(2, dtype=torch.float64)),
        ("parameter", nn.Parameter(torch.randn(2, 2))),
        ("scalar", torch.tensor(0.5)),
        ("empty", torch.zeros(0, 3)),
        ("first", storage[:12].view(3, 4)),
        ("second", storage[12:24].view(2, 2, 3)),
        ("transposed", storage[:12].view(3, 4).t()),
        ("strided", storage[1:40:3]),
        ("permuted", torch.randn(2, 3, 4).double().permute(2, 0, 1)),
        ("columns", torch.randn(4, 6).half()[:, 1:5:2]),
        ("positions", torch.arange(6).view(2, 3)),
        ("mask", torch.tensor([True, False, True])),
        ("bytes", torch.arange(5, dtype=torch.uint8)),
        ("short", torch.tensor([1, 2, 3]).to(torch.uint16)),
        ("eighths", torch.randn(4).to(torch.float8_e4m3fn)),
        ("expanded", torch.randn(1, 3).expand(50, 3)),
    ]
)
config = json.dumps({"model_type": "test", "hidden_size": 3})
for name in ["whole", "safetensors", "sharded"]:
    (here / name).mkdir(parents=True, exist_ok=True)
    (here / name / "config.json").write_text(config)

whole = here / "whole" / "pytorch_model.bin"
torch.save(state, whole)
plain = {
    name: tensor.detach().clone().contiguous()
    for name, tensor in state.items()
    if name not in ("short", "eighths", "expanded")
}
save_file(plain, here / "safetensors" / "model.safetensors", metadata={"format": "pt"})

shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
weight_map = {name: shards[number % 2] for number, name in enumerate(state)}
for shard in shards:
    part = {name: tensor for name, tensor in state.items() if weight_map[name] == shard}
    torch.save(part, here / "sharded" / shard)
index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
(here / "sharded" / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1))

# Nested, as programs of training save it.
linear = nn.Linear(3, 2)
optimizer = torch.optim.Adam(linear.parameters())
linear(torch.ones(3)).sum().backward()
optimizer.step()
weights = linear.state_dict()
training = {
    "epoch": 3, "loss": 0.25, "name": "a run", "seed": 2**63, "size": torch.Size([2, 3]), "type": torch.float16,
    "device": torch.device("cpu"), "losses": [1.0, 0.5], "optimizer": optimizer.state_dict(),
    "rng_state": torch.arange(4, dtype=torch.uint8),
}
torch.save({**training, "state_dict": weights}, here / "state_dict.pt")
torch.save({**training, "model": weights}, here / "model.pt")
torch.save({**training, "model": {"state_dict": weights, "step": 1}}, here / "deep.pt")
torch.save({**training, "ema": weights}, here / "other_key.pt")
torch.save({**training, "ema": weights, "student": weights}, here / "several.pt")
torch.save({"epoch": 3, "losses": [torch.ones(2)]}, here / "none.pt")
torch.save([torch.ones(2)], here / "list.pt")
torch.save(linear, here / "module.pt")
torch.save({"weight": torch.ones(2), "loss": torch.ones(1).numpy()[0]}, here / "numpy.pt")
torch.jit.script(linear).save(here / "script.pt")
for protocol in [3, 4, 5]:
    torch.save(weights, here / f"protocol{protocol}.pt", pickle_protocol=protocol)
torch.save(weights, here / "legacy.pt", _use_new_zipfile_serialization=False)
torch.serialization.set_crc32_options(False)
torch.save(weights, here / "no_checksums.pt")
torch.serialization.set_crc32_options(True)

# Packed by another program.
source = here / "protocol4.pt"
repack(source, here / "deflated.pt", zipfile.ZIP_DEFLATED)
repack(source, here / "zip64.pt", zip64=True)
repack(source, here / "bzip2.pt", zipfile.ZIP_BZIP2)
repack(source, here / "big.pt", change=lambda name, data: b"big" if name.endswith("byteorder") else data)
torch.save({"zeros": torch.zeros(1 << 20)}, here / "bomb.pt")
repack(here / "bomb.pt", here / "bomb.pt.new", zipfile.ZIP_DEFLATED)
(here / "bomb.pt.new").rename(here / "bomb.pt")

expected = {
    "whole": describe(state),
    "linear": describe(weights),
    "fingerprints": {
        "whole": fingerprint(here / "whole" / "config.json", whole),
        "sharded": fingerprint(here / "sharded" / "config.json", *[here / "sharded" / shard for shard in shards]),
    },
}
(here / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
