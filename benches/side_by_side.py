#!/usr/bin/env python3
"""Times `junkdna bench` against another program's commands in turn, and prints the ratio of each piece of work.

    side_by_side.py --junkdna PATH --peer "PYTHON BENCH.py" --model FOLDER [--requests FILE.jsonl] [--rounds N]

The peer takes `forward|score|prune MODEL …` and prints one JSON line with `seconds` or `median_s`. Both sides run in the
same minute, one after the other, with the same threads; a ratio above 1 means that junkdna is faster.
"""
import argparse
import json
import shlex
import statistics
import subprocess


def seconds(command):
    """The time that the last JSON line of a command's output gives."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{")))
    return result.get("seconds", result.get("median_s"))


def works(model, requests):
    """Each piece of work: its name, our arguments and the peer's."""
    yield "forward 1x512", ["forward", "--model", model, "--repeat", "10"], ["forward", model, "--repeat", "10"]
    batch = ["--batch", "8", "--length", "128", "--repeat", "10"]
    yield "forward 8x128", ["forward", "--model", model, *batch], ["forward", model, *batch]
    yield "prune, global, 0.5", ["prune", "--model", model], ["prune", model]
    if requests:
        yield "score", ["score", "--model", model, "--requests", requests], ["score", model, requests]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--junkdna", required=True)
    parser.add_argument("--peer", required=True, type=shlex.split)
    parser.add_argument("--model", required=True)
    parser.add_argument("--requests")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print("| work | ratio | lowest and highest of the rounds |\n|---|---|---|")
    for name, ours, theirs in works(arguments.model, arguments.requests):
        ratios = []
        for _ in range(arguments.rounds):
            own = seconds([arguments.junkdna, "bench", *ours, "--json"])
            ratios.append(seconds([*arguments.peer, *theirs]) / own)
        print(f"| {name} | {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |", flush=True)


if __name__ == "__main__":
    main()
