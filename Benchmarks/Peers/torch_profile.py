#!/usr/bin/env python3
"""The peer: the same work in PyTorch. Needs the packages numpy, torch, transformers and gguf.

    torch_profile.py --model MODEL --tokens ids.jsonl [--threads 2] [--batch 1,2,4,8] [--repeats 3]
    torch_profile.py --model MODEL --tokens ids.jsonl [--threads 2] [--batch 1] --functions [--functions-file FILE]

The first times the forward pass alone: transformers' `model.model` in float32, without head and gradients, sequences of
equal length in batches, the best of the batch sizes. Repeats alternate between the sizes; a size's time is the median
of its repeats after one short warm-up.

The second times the whole way of the package llm-microscope: one pass that keeps all hidden states, embeddings of all
tokens concatenated, and its `procrustes_similarity` between consecutive layers, with the residual and, as
`procrustes_similarity_centered` means but does not return, without. The package's own __init__ fails to import, so its
functions.py is loaded by path: from the installed package, or the file named by --functions-file.

Prints one JSON object; progress goes to standard error. Peak memory is that of the process, and, where the kernel lets
it be restarted, that from the loaded model on.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import time
import types
from pathlib import Path

from hugging_face import available_cores, batches_of, check_ids, load, offsets_of, peak_resident_bytes
from hugging_face import read_sequences, resident_bytes, restart_peak, settle_threads


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, metavar="FILE-OR-FOLDER")
    parser.add_argument("--tokens", required=True, metavar="FILE.jsonl", help="the ids: one JSON array a line")
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--batch", default="1,2,4,8", help="batch sizes to try; with --functions the first is used")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--functions", action="store_true", help="the whole way of llm-microscope")
    parser.add_argument("--functions-file", metavar="FILE", help="its functions.py, where it is not installed")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    settle_threads(arguments.threads)

import torch  # noqa: E402
import transformers  # noqa: E402


def log(text):
    print(text, file=sys.stderr, flush=True)


def load_functions():
    """functions.py of llm-microscope; it imports matplotlib for plots that nothing here draws."""
    path = arguments.functions_file
    if path is None:
        package = importlib.util.find_spec("llm_microscope")
        if package is None:
            sys.exit("llm-microscope is not installed: name its functions.py by --functions-file")
        path = Path(package.submodule_search_locations[0]) / "functions.py"
    if importlib.util.find_spec("matplotlib") is None:
        stand_in = types.ModuleType("matplotlib")
        stand_in.pyplot = types.ModuleType("matplotlib.pyplot")
        sys.modules |= {"matplotlib": stand_in, "matplotlib.pyplot": stand_in.pyplot}
    spec = importlib.util.spec_from_file_location("llm_microscope_functions", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def inputs(sequences, size):
    return [torch.tensor([sequences[index] for index in indices]) for indices in batches_of(sequences, size)]


def time_forward(model, sequences, sizes):
    """{batch size: seconds of each repeat} of the whole corpus."""
    decoder = model.model
    batches = {size: inputs(sequences, size) for size in sizes}
    seconds = {size: [] for size in sizes}
    with torch.no_grad():
        for size in sizes:
            decoder(max(batches[size], key=torch.numel), use_cache=False)
        for _ in range(arguments.repeats):
            for size in sizes:
                began = time.perf_counter()
                for batch in batches[size]:
                    decoder(batch, use_cache=False)
                seconds[size].append(time.perf_counter() - began)
                log(f"batch {size}: {seconds[size][-1]:.2f} s")
    return seconds


def forward_result(model, sequences):
    sizes = [int(part) for part in arguments.batch.split(",")]
    seconds = time_forward(model, sequences, sizes)
    medians = {size: statistics.median(values) for size, values in seconds.items()}
    best = min(medians, key=medians.get)
    count = offsets_of(sequences)[-1]
    return {
        "forward_seconds": medians[best],
        "tokens_per_second": count / medians[best],
        "batch": best,
        "forward_seconds_by_batch": {str(size): values for size, values in seconds.items()},
    }


def functions_result(model, sequences):
    functions = load_functions()
    size = int(arguments.batch.split(",")[0])
    with torch.no_grad():
        model.model(torch.tensor([max(sequences, key=len)]), use_cache=False)

        began = time.perf_counter()
        states = None
        for batch in inputs(sequences, size):
            outputs = model.model(batch, use_cache=False, output_hidden_states=True).hidden_states
            states = states or [[] for _ in outputs]
            for kept, state in zip(states, outputs):
                kept.append(state.flatten(0, 1))
        forward = time.perf_counter() - began
        log(f"forward {forward:.2f} s")

        began = time.perf_counter()
        clouds = []
        while states:
            clouds.append(torch.cat(states.pop(0)))
        concatenation = time.perf_counter() - began

        pairs = list(zip(clouds[:-1], clouds[1:]))
        scores, seconds = {}, {}
        for name, target in (("with_residual", lambda x, y: y), ("without_residual", lambda x, y: y - x)):
            began = time.perf_counter()
            scores[name] = [functions.procrustes_similarity(x, target(x, y)) for x, y in pairs]
            seconds[name] = time.perf_counter() - began
            log(f"{name} {seconds[name]:.2f} s")
    return {
        "forward_seconds": forward,
        "tokens_per_second": offsets_of(sequences)[-1] / forward,
        "batch": size,
        "concatenation_seconds": concatenation,
        "with_residual_seconds": seconds["with_residual"],
        "without_residual_seconds": seconds["without_residual"],
        "total_seconds": forward + concatenation + sum(seconds.values()),
        "linearity": scores["with_residual"],
        "linearity_without_residual": scores["without_residual"],
    }


def main():
    sequences = read_sequences(arguments.tokens)
    began = time.perf_counter()
    model = load(arguments.model, arguments.threads)
    check_ids(sequences, model)
    load_seconds = time.perf_counter() - began
    load_peak, loaded, restarted = peak_resident_bytes(), resident_bytes(), restart_peak()
    result = functions_result(model, sequences) if arguments.functions else forward_result(model, sequences)
    peak = peak_resident_bytes()
    result |= {
        "peak_resident_bytes": max(load_peak or 0, peak or 0),
        "peak_resident_bytes_after_load": peak if restarted else None,
        "resident_bytes_of_loaded_model": loaded,
        "load_seconds": load_seconds,
        "sequences": len(sequences),
        "tokens": offsets_of(sequences)[-1],
        "threads": torch.get_num_threads(),
        "attention": model.config._attn_implementation,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
