"""What the judges and peers share: token files, and decoders in transformers. Imports neither numpy nor torch before
`settle_threads` has been called, because both read the number of threads once."""

import json
import os
import sys
from pathlib import Path


def available_cores():
    return len(os.sched_getaffinity(0))


def settle_threads(count, numpy_count=None):
    """To be called before numpy or torch are imported."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)
    os.environ["OPENBLAS_NUM_THREADS"] = str(numpy_count or count)
    # Spinning idle threads slow other processes down by much; some virtual machines advertise AMX and fault on it.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TQDM_DISABLE", "1")


def read_sequences(path):
    """Lists of ids, one JSON array a line, used as they are."""
    sequences = []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            ids = json.loads(line)
            if not isinstance(ids, list) or not ids or not all(type(i) is int and i >= 0 for i in ids):
                sys.exit(f"{path}:{number}: expected a JSON array of token ids, at least one")
            sequences.append(ids)
    if not sequences:
        sys.exit(f"{path}: no sequences")
    return sequences


def offsets_of(sequences):
    """Packed rows at which the sequences begin, and the total."""
    offsets = [0]
    for ids in sequences:
        offsets.append(offsets[-1] + len(ids))
    return offsets


def batches_of(sequences, largest):
    """Lists of indices of sequences of equal length, `largest` of them at most: no padding, no mask."""
    by_length = {}
    for index, ids in enumerate(sequences):
        by_length.setdefault(len(ids), []).append(index)
    return [
        indices[start : start + largest]
        for _, indices in sorted(by_length.items())
        for start in range(0, len(indices), largest)
    ]


def load(path, threads, dtype="float32"):
    """A causal language model from a GGUF file, whose tensors transformers decodes, or from a Hugging Face folder."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(threads)
    path = Path(path)
    source = {"gguf_file": path.name} if path.is_file() else {}
    folder = path.parent if path.is_file() else path
    # Decoded in float32 first, so that the weights of every forward type are the same numbers.
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **source)
    return model.to(getattr(torch, dtype)).eval()


def check_ids(sequences, model):
    largest = max(max(ids) for ids in sequences)
    if largest >= model.config.vocab_size:
        sys.exit(f"id {largest} is outside the vocabulary of {model.config.vocab_size}")


def make_exact(model):
    """Takes norms, rotary angles and the softmax in the model's own type; the library takes them in float32."""
    import torch

    def exact_norm(norm):
        def forward(x):
            return norm.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon))

        return forward

    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = exact_norm(module)
    rotary = model.model.rotary_emb
    parameters = model.config.rope_parameters
    if parameters.get("rope_type", "default") != "default":
        sys.exit("an exact forward pass is written for unscaled rotary positions only")
    config = model.config
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    frequencies = parameters["rope_theta"] ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)

    def exact_angles(x, position_ids):
        angles = position_ids[..., None].double() * frequencies
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos().to(x.dtype), angles.sin().to(x.dtype)

    rotary.forward = exact_angles


def streams_of(model, sequences, batch=8):
    """The residual stream entering layer 0 and leaving each layer, and the output of the final norm: arrays (tokens,
    width), packed in the order of the sequences, in the model's type. The library's own last hidden state is after the
    final norm, so the layers are hooked."""
    import numpy as np
    import torch

    offsets = offsets_of(sequences)
    decoder = model.model
    kind = np.float64 if next(model.parameters()).dtype == torch.float64 else np.float32
    shape = (offsets[-1], model.config.hidden_size)
    streams = [np.empty(shape, kind) for _ in range(len(decoder.layers) + 1)]
    normed = np.empty(shape, kind)
    indices = []

    def store(target, values):
        for row, index in enumerate(indices):
            target[offsets[index] : offsets[index + 1]] = values[row].numpy()

    def entering(_module, arguments, keywords):
        store(streams[0], arguments[0] if arguments else keywords["hidden_states"])

    def leaving(target):
        def hook(_module, _arguments, output):
            store(target, output[0] if isinstance(output, tuple) else output)

        return hook

    hooks = [decoder.layers[0].register_forward_pre_hook(entering, with_kwargs=True)]
    for index, layer in enumerate(decoder.layers):
        hooks.append(layer.register_forward_hook(leaving(streams[index + 1])))
    hooks.append(decoder.norm.register_forward_hook(leaving(normed)))
    with torch.no_grad():
        for indices in batches_of(sequences, batch):
            decoder(torch.tensor([sequences[index] for index in indices]), use_cache=False)
    for hook in hooks:
        hook.remove()
    return streams, normed


def resident_bytes():
    return _status("VmRSS")


def peak_resident_bytes():
    return _status("VmHWM")


def restart_peak():
    """Lets the peak begin anew at what is resident now; False where the kernel does not allow it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return True
    except OSError:
        return False


def _status(name):
    with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return None
