#!/usr/bin/env python3
"""Holds SparseGPT and Wanda of prune_calibrated.py against reference results of their authors' code.

    check.py REFERENCE_DIR

Reads compression.safetensors: one layer's `weight` [d_out, d_in], `inputs` [4·256, d_in], `hessian` and pruned weights.
Prints the share of mask entries that differ, and the largest difference of weights over the largest weight, at entries
where the masks agree. Fails above 0.2 % or 1e-3.
"""
import sys
from pathlib import Path

import torch
from prune_calibrated import METHODS
from safetensors.torch import load_file

SAMPLES = 4
LARGEST_SHARE, LARGEST_DIFFERENCE = 2e-3, 1e-3
CASES = {
    "sparsegpt_unstructured_0.5": ("sparsegpt", 0.5, None),
    "sparsegpt_unstructured_0.8": ("sparsegpt", 0.8, None),
    "sparsegpt_2_4": ("sparsegpt", None, (2, 4)),
    "wanda_unstructured_0.5": ("wanda", 0.5, None),
    "wanda_unstructured_0.7": ("wanda", 0.7, None),
    "wanda_2_4": ("wanda", None, (2, 4)),
}


def collected(method, inputs):
    """A method's statistics of the reference inputs, taken in sample by sample."""
    statistics = METHODS[method][0](inputs.shape[1])
    for sample in inputs.chunk(SAMPLES):
        statistics.add(sample)
    return statistics.value


def relative_difference(found, wanted):
    """The largest difference over the largest value."""
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    reference = load_file(Path(sys.argv[1]) / "compression.safetensors")
    difference = relative_difference(collected("sparsegpt", reference["inputs"]), reference["hessian"])
    failed = not difference <= LARGEST_DIFFERENCE
    print("| case | mask entries that differ, % | relative weight difference |\n|---|---|---|")
    print(f"| hessian | | {difference:.1e} |")
    for case, (method, sparsity, pattern) in CASES.items():
        weight, wanted = reference["weight"].clone(), reference[case]
        METHODS[method][1](weight, collected(method, reference["inputs"]), sparsity, pattern)
        same = (weight == 0) == (wanted == 0)
        share = 1 - same.float().mean().item()
        difference = relative_difference(weight * same, wanted * same)
        print(f"| {case} | {100 * share:.3f} | {difference:.1e} |")
        failed |= share > LARGEST_SHARE or not difference <= LARGEST_DIFFERENCE
    sys.exit(failed)


if __name__ == "__main__":
    main()
