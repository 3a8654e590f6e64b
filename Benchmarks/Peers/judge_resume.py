#!/usr/bin/env python3
"""Kills an analysis at random moments, resumes it, and compares every result with those of an uninterrupted run.

    judge_resume.py --straightedge PATH [--kills 50] [--seed 0] -- MODEL --tokens FILE.jsonl [options of analyze]

One analysis is killed with SIGKILL again and again, each time a random part of its run later, until the kills are spent or
it is done, when another begins. After each kill every file under a final name must be whole. Results must be equal to the
bit, but for seconds, memory and the number of resumptions.
"""

import argparse
import hashlib
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time


def results(folder):
    """What has to be equal: profile.json without what a run takes, and the other files by their bytes."""
    profile = json.loads((folder / "profile" / "profile.json").read_text())
    run = profile["run"]
    for key in ("seconds", "tokens_per_second", "peak_resident_bytes", "resumptions", "memory"):
        del run[key]
    files = [folder / "profile" / "layers.csv", folder / "errors.safetensors"]
    return json.dumps(profile), [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def check_whole(folder):
    """Every file under its final name can be read as what it is."""
    unfinished = folder / "profile.unfinished"
    for file in list(unfinished.glob("*.json")) + list((folder / "profile").glob("*.json")):
        json.loads(file.read_text())
    for layer in unfinished.glob("layer-*.json"):
        digest = hashlib.sha256(layer.with_suffix(".errors").read_bytes()).hexdigest()
        assert json.loads(layer.read_text())["errors_sha256"] == digest, layer
    return len(list(unfinished.glob("layer-*.json")))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--straightedge", required=True)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("analyze", nargs="+")
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)

    def command(folder):
        return [arguments.straightedge, "analyze", *arguments.analyze, "--out", folder / "profile", "--tokens-out",
                folder / "errors.safetensors", "--quiet"]

    with tempfile.TemporaryDirectory(dir="/var/tmp") as top:
        top = pathlib.Path(top)
        whole = top / "whole"
        whole.mkdir()
        begin = time.monotonic()
        subprocess.run(command(whole), check=True)
        seconds = time.monotonic() - begin
        want = results(whole)
        print(f"uninterrupted: {seconds:.1f} s")
        kills, analyses, equal = 0, 0, 0
        while kills < arguments.kills:
            folder = top / f"killed-{analyses}"
            folder.mkdir()
            analyses += 1
            while True:
                # Some kills come early, some late.
                share = draw.choice([0.15, 0.5, 1.1])
                process = subprocess.Popen([*command(folder), "--resume", "--save-interval", str(draw.choice([0, 2, 60]))])
                try:
                    limit = draw.uniform(0, share * seconds) if kills < arguments.kills else None
                    status = process.wait(limit)
                    assert status == 0, status
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    kills += 1
                    print(f"kill {kills} after {limit:.2f} s: {check_whole(folder)} layers kept", flush=True)
            same = results(folder) == want
            left = sorted(path.name for path in folder.iterdir())
            equal += same and left == ["errors.safetensors", "profile"]
            print(f"analysis {analyses}: {'equal' if same else 'DIFFERENT'}, {', '.join(left)}", flush=True)
            shutil.rmtree(folder)
        print(f"{kills} kills, {analyses} analyses, {equal} equal to the bit and nothing left behind: "
              f"{'PASS' if equal == analyses else 'FAIL'}")
        sys.exit(0 if equal == analyses else 1)


if __name__ == "__main__":
    main()
