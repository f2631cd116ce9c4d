#!/usr/bin/env python3
"""Times `junkdna` against another program's commands in turn, and prints the ratio of each piece of work.

    side_by_side.py --junkdna PATH --peer "PYTHON BENCH.py" --model FOLDER [--requests FILE.jsonl]
                    [--movies TASK.json] [--squad SQUAD.json] [--calibration TOKENS.jsonl] [--rounds N] [--only WORD]

--requests, --movies and --squad score requests, the same file on both sides, against lm-evaluation-harness
(peers/score_harness.py), and say by how much the log-likelihoods differ at most: those of FILE.jsonl; BIG-bench's
movie_recommendation with 5 shots, the same for all documents and drawn for each; questions on passages of 1,500 tokens.
With --calibration also SparseGPT and Wanda, against peers/prune_calibrated.py, and GPTQ, against peers/quantize_gptq.py.
The peer takes `forward|prune MODEL …` and prints one JSON line with `seconds` or `median_s`. Both sides run in the same minute, one after the other, with the same
threads; a ratio above 1 means that junkdna is faster.
"""
import argparse
import json
import pathlib
import shlex
import statistics
import subprocess
import tempfile

PEERS = pathlib.Path(__file__).parent / "peers"


def seconds(command):
    """The time that the last JSON line of a command's output gives."""
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # Ours is one object over several lines, a peer's the last line.
    result = json.loads(output if output.startswith("{\n") else output.splitlines()[-1])
    return result.get("seconds", result.get("median_s"))


def works(options):
    """Each piece of work: its name, our command and the peer's."""
    model, peer = options.model, options.peer
    bench = [options.junkdna, "bench"]
    source = ["--json", "--model", model]
    repeat = ["--repeat", "10"]
    yield "forward 1x512", [*bench, "forward", *source, *repeat], [*peer, "forward", model, *repeat]
    batch = ["--batch", "8", "--length", "128", *repeat]
    yield "forward 8x128", [*bench, "forward", *source, *batch], [*peer, "forward", model, *batch]
    yield "prune, global, 0.5", [*bench, "prune", *source], [*peer, "prune", model]
    if options.calibration:
        for method in ["sparsegpt", "wanda"]:
            asked = ["--method", method, "--sparsity", "0.5", "--calibration", options.calibration]
            ours = [options.junkdna, "prune", *source, *asked, "--dry-run"]
            theirs = [peer[0], str(PEERS / "prune_calibrated.py"), method, model, options.calibration]
            yield f"{method} 0.5", ours, theirs
        asked = ["--method", "gptq", "--bits", "4", "--group-size", "64", "--calibration", options.calibration]
        ours = [options.junkdna, "quantize", *source, *asked, "--dry-run"]
        yield "gptq, 4 bits", ours, [peer[0], str(PEERS / "quantize_gptq.py"), model, options.calibration]


def requests(options, folder):
    """Each file of requests: its name and its place."""
    if options.requests:
        yield "score, dense reference requests", options.requests
    if options.movies:
        yield "score, movies, 5 shots, the same", written(options, folder, "movies-same", options.movies)
        yield "score, movies, 5 shots, drawn", written(options, folder, "movies-drawn", options.movies)
    if options.squad:
        yield "score, passages of 1,500 tokens", written(options, folder, "passages", options.squad)


def written(options, folder, what, data):
    out = str(folder / f"{what}.jsonl")
    script = [options.peer[0], str(PEERS / "scoring_requests.py")]
    subprocess.run([*script, what, data, "--out", out, "--model", options.model], check=True)
    return out


def scoring(options, folder):
    """The two commands for each file of requests, and the two files that they write."""
    for name, file in requests(options, folder):
        outs = [str(folder / "ours.jsonl"), str(folder / "theirs.jsonl")]
        ours = [options.junkdna, "score", "--json", "--model", options.model, "--requests", file, "--out", outs[0]]
        theirs = [options.peer[0], str(PEERS / "score_harness.py"), options.model, file, "--out", outs[1]]
        yield name, ours, theirs, outs


def largest_difference(files):
    """Of the log-likelihoods of two files with the same requests."""
    ours, theirs = ([json.loads(line) for line in pathlib.Path(file).read_text().splitlines()] for file in files)
    pairs = [(a, b) for x, y in zip(ours, theirs, strict=True) for a, b in zip(x["loglikelihood"], y["loglikelihood"], strict=True)]
    return max(abs(a - b) for a, b in pairs)


def compare(name, ours, theirs, outs, rounds):
    ratios = []
    for _ in range(rounds):
        own = seconds(ours)
        ratios.append(seconds(theirs) / own)
    difference = f"{largest_difference(outs):.1e}" if outs else "-"
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"| {name} | {statistics.median(ratios):.2f} | {spread} | {difference} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--junkdna", required=True)
    parser.add_argument("--peer", required=True, type=shlex.split)
    parser.add_argument("--model", required=True)
    parser.add_argument("--requests")
    parser.add_argument("--movies")
    parser.add_argument("--squad")
    parser.add_argument("--calibration")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="only the works whose names hold this")
    options = parser.parse_args()
    print("| work | ratio | lowest and highest of the rounds | largest difference |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        timed = [(*work, None) for work in works(options)]
        for name, ours, theirs, outs in [*timed, *scoring(options, pathlib.Path(folder))]:
            if options.only in name:
                compare(name, ours, theirs, outs, options.rounds)


if __name__ == "__main__":
    main()
