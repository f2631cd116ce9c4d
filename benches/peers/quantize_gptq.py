#!/usr/bin/env python3
"""GPTQ on a Llama-like model in PyTorch: times the quantization and prints one JSON line.

    quantize_gptq.py MODEL_DIR CALIBRATION [--samples 128] [--length 256] [--bits 4] [--group-size 64] [--out DIR]
                     [--blocks N]

CALIBRATION is a token file (`.jsonl`, see calibration_tokens.py) or plain text. Asymmetric codes, one scale and zero
point for each group of inputs of an output (`--group-size 0`: for all of them). Weights become the values that their
codes stand for.

Frantar et al. 2022, arXiv 2210.17323, Algorithm 1; the walk over the blocks is that of prune_calibrated.py.
"""
import torch
from model_runs import add_calibration, compress, parser_of
from prune_calibrated import COLUMNS, METHODS, Hessian, inverse_factor, prune


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
    parser = parser_of(__doc__)
    add_calibration(parser)
    parser.add_argument("--bits", type=int, choices=range(2, 9), default=4)
    parser.add_argument("--group-size", type=int, default=64)
    arguments = parser.parse_args()

    def work(model, samples):
        amount = (arguments.bits, arguments.group_size)
        clock, _ = prune(model, samples, "gptq", amount, arguments.blocks)
        return clock.seconds, lambda: {"bits": arguments.bits}

    compress(arguments, "gptq", work)


if __name__ == "__main__":
    main()
