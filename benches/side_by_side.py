#!/usr/bin/env python3
"""Times `junkdna bench` against another program's commands in turn, and prints the ratio of each piece of work.

    side_by_side.py --junkdna PATH --peer "PYTHON BENCH.py" --model FOLDER [--requests FILE.jsonl]
                    [--calibration TOKENS.jsonl] [--rounds N]

With --calibration also SparseGPT and Wanda, against peers/prune_calibrated.py. The peer takes `forward|score|prune MODEL …` and prints one JSON line with `seconds` or `median_s`. Both sides run in the
same minute, one after the other, with the same threads; a ratio above 1 means that junkdna is faster.
"""
import argparse
import json
import pathlib
import shlex
import statistics
import subprocess


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
    if options.requests:
        requests = options.requests
        yield "score", [*bench, "score", *source, "--requests", requests], [*peer, "score", model, requests]
    if options.calibration:
        for method in ["sparsegpt", "wanda"]:
            asked = ["--method", method, "--sparsity", "0.5", "--calibration", options.calibration]
            script = pathlib.Path(__file__).parent / "peers" / "prune_calibrated.py"
            ours = [options.junkdna, "prune", *source, *asked, "--dry-run"]
            yield f"{method} 0.5", ours, [peer[0], str(script), method, model, options.calibration]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--junkdna", required=True)
    parser.add_argument("--peer", required=True, type=shlex.split)
    parser.add_argument("--model", required=True)
    parser.add_argument("--requests")
    parser.add_argument("--calibration")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("| work | ratio | lowest and highest of the rounds |\n|---|---|---|")
    for name, ours, theirs in works(options):
        ratios = []
        for _ in range(options.rounds):
            own = seconds(ours)
            ratios.append(seconds(theirs) / own)
        print(f"| {name} | {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |", flush=True)


if __name__ == "__main__":
    main()
