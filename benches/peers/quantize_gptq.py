#!/usr/bin/env python3
"""GPTQ on a Llama-like model in PyTorch: times the quantization and prints one JSON line.

    quantize_gptq.py MODEL_DIR CALIBRATION [--samples 128] [--length 256] [--bits 4] [--group-size 64] [--out DIR]
                     [--blocks N]

CALIBRATION is a token file (`.jsonl`, see calibration_tokens.py) or plain text. Asymmetric codes, one scale and zero
point for each group of inputs of an output (`--group-size 0`: for all of them). Weights become the values that their
codes stand for.

Frantar et al. 2022, arXiv 2210.17323, Algorithm 1; the walk over the blocks is that of prune_calibrated.py.
"""
import argparse
import json
import resource
import time

import torch
from calibration_tokens import read_samples
from prune_calibrated import COLUMNS, METHODS, Hessian, count_of, inverse_factor, prune


def grids(weights, bits):
    """Scale and zero point of each row, over the range of its weights and zero: [d_out, 1] each."""
    low = weights.amin(dim=1, keepdim=True).clamp(max=0)
    high = weights.amax(dim=1, keepdim=True).clamp(min=0)
    low, high = torch.where((low == 0) & (high == 0), -1.0, low), torch.where((low == 0) & (high == 0), 1.0, high)
    scale = (high - low) / (2**bits - 1)
    return scale, torch.round(-low / scale)


def gptq(weight, hessian, bits, group_size):
    """Rounds `weight` in place, column after column; the columns behind take over the error of each."""
    weight, hessian = weight.detach(), hessian.clone()
    dead = hessian.diagonal() == 0
    hessian.diagonal()[dead] = 1
    weight[:, dead] = 0
    factor = inverse_factor(hessian)
    width = group_size or weight.shape[1]
    for first in range(0, weight.shape[1], COLUMNS):
        last = min(first + COLUMNS, weight.shape[1])
        block, local = weight[:, first:last], factor[first:last, first:last]
        errors = torch.zeros_like(block)
        for column in range(last - first):
            if (first + column) % width == 0:
                scale, zero = grids(weight[:, first + column : first + column + width], bits)
            exact = block[:, column].clone()
            codes = torch.clamp(torch.round(exact[:, None] / scale) + zero, 0, 2**bits - 1)
            rounded = (scale * (codes - zero))[:, 0]
            errors[:, column] = (exact - rounded) / local[column, column]
            block[:, column + 1 :] -= errors[:, column, None] * local[column, column + 1 :]
            block[:, column] = rounded
        weight[:, last:] -= errors @ factor[first:last, last:]


METHODS["gptq"] = (Hessian, gptq)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("calibration")
    parser.add_argument("--samples", type=count_of, default=128)
    parser.add_argument("--length", type=count_of, default=256)
    parser.add_argument("--bits", type=int, choices=range(2, 9), default=4)
    parser.add_argument("--group-size", type=int, default=64)
    parser.add_argument("--out", help="folder for the quantized model")
    parser.add_argument("--blocks", type=count_of, help="quantize the first N blocks only; default: all")
    arguments = parser.parse_args()

    from transformers import AutoModelForCausalLM, AutoTokenizer

    samples = read_samples(arguments.calibration, arguments.model, arguments.samples, arguments.length)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    start = time.perf_counter()
    with torch.inference_mode():
        amount = (arguments.bits, arguments.group_size)
        clock, _ = prune(model, torch.tensor(samples), "gptq", amount, arguments.blocks)
    result = {
        "method": "gptq",
        "bits": arguments.bits,
        "blocks": len(model.model.layers[: arguments.blocks]),
        "seconds": time.perf_counter() - start,
        **{f"seconds_{phase}": spent for phase, spent in clock.seconds.items()},
        "threads": torch.get_num_threads(),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if arguments.out:
        model.save_pretrained(arguments.out)
        AutoTokenizer.from_pretrained(arguments.model).save_pretrained(arguments.out)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
