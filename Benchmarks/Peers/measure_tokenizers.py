#!/usr/bin/env python3
"""Measures how fast Straightedge encodes a text, beside the `tokenizers` library on one core: processor seconds.

    measure_tokenizers.py --straightedge PATH --text FILE [--runs 5] TOKENIZER.json...

The whole text is one string. Ours is `straightedge tokenize`, which reads the text as JSON and writes the ids as JSON; what
it takes for an empty text is left out. The library's is `encode` alone. Both are medians of runs in turns, and the ids have
to be equal. The exit status is 1 where they are not.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tokenizers import Tokenizer  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--straightedge", required=True, metavar="PATH")
    parser.add_argument("--text", required=True, metavar="FILE")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("tokenizers", nargs="+", metavar="TOKENIZER.json")
    return parser.parse_args()


def make_model(tokenizer, folder):
    """A model's folder, with the least that is one."""
    shutil.copy(tokenizer, folder / "tokenizer.json")
    (folder / "config.json").write_text("{}")
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))


def tokenize(program, folder, text):
    """Processor seconds, and the ids."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [program, "tokenize", folder, "--bos", "off"], input=json.dumps(text) + "\n", capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(after[:2]) - sum(before[:2]), done.stdout


def main():
    arguments = parse_arguments()
    text = open(arguments.text, encoding="utf-8", newline="").read()
    byte_count = len(text.encode())
    failed = False
    print(f"{byte_count / 1e6:.2f} MB of text")
    for path in map(pathlib.Path, arguments.tokenizers):
        reference = Tokenizer.from_file(str(path))
        with tempfile.TemporaryDirectory() as folder:
            make_model(path, pathlib.Path(folder))
            pairs = []
            for _ in range(arguments.runs):
                start = time.process_time()
                want = reference.encode(text, add_special_tokens=False).ids
                theirs = time.process_time() - start
                seconds, output = tokenize(arguments.straightedge, folder, text)
                pairs.append((theirs, seconds - tokenize(arguments.straightedge, folder, "")[0]))
        theirs, ours = (statistics.median(pair[index] for pair in pairs) for index in (0, 1))
        same = json.loads(output) == want
        failed = failed or not same
        print(
            f"{path.stem:12} {len(want):9,} ids  tokenizers {theirs:6.3f} s ({byte_count / 1e6 / theirs:5.1f} MB/s)  "
            f"straightedge {ours:6.3f} s ({byte_count / 1e6 / ours:5.1f} MB/s)  {theirs / ours:5.2f} times as fast"
            + ("" if same else "  OTHER IDS"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
