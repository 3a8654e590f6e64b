"""Judges the tokenizers of GGUF files by the vocabularies and cases that llama.cpp tests its own with.

    python Benchmarks/Peers/judge_gguf_tokenizers.py .build/release/straightedge [FOLDER]

Without a folder that has `ggml-vocab-*.gguf` with their `.inp` and `.out`, they are fetched by pip from the sources of
llama-cpp-python 0.3.36. Each case has to give the same ids; files of models that are refused by name are listed.
"""

import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

PACKAGE = "llama-cpp-python==0.3.36"
REFUSED = "is not supported; known:"


def fetch(folder):
    """The folder of the vocabularies, unpacked from the sources."""
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:",
         "--dest", folder, PACKAGE], check=True)
    [archive] = pathlib.Path(folder).glob("*.tar.gz")
    with tarfile.open(archive) as file:
        members = [member for member in file.getmembers() if "/models/ggml-vocab-" in member.name]
        file.extractall(folder, members)
    return pathlib.Path(folder, members[0].name).parent


def run(command, lines):
    done = subprocess.run(command, input="".join(line + "\n" for line in lines), capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr.strip()
    return [json.loads(line) for line in done.stdout.split("\n") if line], ""


def judge(program, path):
    """Whether the file's cases are equal; None for a model that is refused."""
    text = pathlib.Path(f"{path}.inp").read_bytes().decode()
    cases = text.split("\n__ggml_vocab_test__\n")
    expected = [[int(word) for word in line.split()] for line in pathlib.Path(f"{path}.out").read_text().split("\n")]
    expected = expected[:len(cases)]
    command = [program, "tokenize", str(path)]
    found, problem = run([*command, "--special-tokens", "text", "--bos", "off"], map(json.dumps, cases))
    if found is None:
        print(f"{'refused' if REFUSED in problem else 'FAILED'}  {path.name}: {problem[:200]}")
        return None if REFUSED in problem else False
    decoded, problem = run([*command, "--decode"], map(json.dumps, expected))
    wrong = [(case, want, got) for case, want, got in zip(cases, expected, found) if want != got]
    wrong += [(case, case, got) for case, got in zip(cases, decoded or []) if case != got and case != got.removeprefix(" ")]
    complete = len(found) == len(expected) == len(cases) and decoded is not None
    print(f"{'equal' if complete and not wrong else 'WRONG'}  {path.name}: {len(cases)} cases, {len(wrong)} differ {problem}")
    for case, want, got in wrong[:3]:
        print(f"    {case!r}\n        expected {want!r}\n        found    {got!r}")
    return complete and not wrong


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else fetch(work)
        files = [path for path in sorted(folder.glob("ggml-vocab-*.gguf")) if pathlib.Path(f"{path}.inp").exists()]
        results = [judge(sys.argv[1], path) for path in files]
    judged = [result for result in results if result is not None]
    print(f"{sum(judged)} of {len(judged)} files are equal, {len(results) - len(judged)} are refused")
    sys.exit(0 if judged and all(judged) else 1)


main()
