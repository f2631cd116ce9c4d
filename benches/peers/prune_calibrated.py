#!/usr/bin/env python3
"""SparseGPT and Wanda on a Llama-like model in PyTorch: times the pruning and prints one JSON line.

    prune_calibrated.py sparsegpt|wanda MODEL_DIR CALIBRATION [--samples 128] [--length 256]
                        [--sparsity 0.5 | --pattern 2:4] [--out DIR] [--blocks N]

CALIBRATION is a token file (`.jsonl`, see calibration_tokens.py) or plain text. Block by block: forward hooks collect
the statistics of every linear's inputs, one sample at a time; every linear of the block is pruned; the block runs
again for the inputs of the next one. Weights are [d_out, d_in], inputs [tokens, d_in]; `N:M` sets N of every M inputs
to zero.

SparseGPT: Frantar & Alistarh 2023, arXiv 2301.00774, Algorithm 1. Wanda: Sun et al. 2023, arXiv 2306.11695.
"""
import argparse
import time

import torch
from model_runs import add_calibration, compress, parser_of

COLUMNS = 128  # columns that one threshold and one lazy update cover (B and B_s of the paper)
DAMPING = 0.01  # of the mean diagonal of the Hessian


class Hessian:
    """H = 2/n Σ XᵀX over n samples, kept as a running mean: [d_in, d_in]."""

    def __init__(self, d_in):
        self.value = torch.zeros(d_in, d_in)
        self.samples = 0

    def add(self, inputs):
        """Takes in one sample [tokens, d_in]."""
        self.samples += 1
        keep = (self.samples - 1) / self.samples
        self.value.addmm_(inputs.T, inputs, beta=keep, alpha=2 / self.samples)


class SquaredNorms:
    """The squared norm of each input over the samples, as their running mean: [d_in]."""

    def __init__(self, d_in):
        self.value = torch.zeros(d_in)
        self.samples = 0

    def add(self, inputs):
        """Takes in one sample [tokens, d_in]."""
        self.samples += 1
        self.value += (inputs.square().sum(dim=0) - self.value) / self.samples


def inverse_factor(hessian):
    """The upper Cholesky factor U of the damped inverse, H⁻¹ = UᵀU."""
    damping = DAMPING * hessian.diagonal().mean()
    damped = hessian + damping * torch.eye(len(hessian))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    return torch.linalg.cholesky(inverse, upper=True)


def smallest_of_groups(scores, pattern):
    """True at the n smallest of every m consecutive scores of a row."""
    n, m = pattern
    groups = scores.unflatten(1, (-1, m))
    indices = groups.topk(n, dim=2, largest=False).indices
    return torch.zeros_like(groups, dtype=torch.bool).scatter_(2, indices, True).flatten(1)


def at_most_rank(scores, sparsity):
    """True at every score that is at most the one at rank ⌊n·s⌋, from 0."""
    return scores <= scores.flatten().sort().values[int(scores.numel() * sparsity)]


def sparsegpt(weight, hessian, sparsity, pattern):
    """Prunes `weight` in place; the weights that stay take over what the removed ones did."""
    weight, hessian = weight.detach(), hessian.clone()
    dead = hessian.diagonal() == 0
    hessian.diagonal()[dead] = 1
    weight[:, dead] = 0
    factor = inverse_factor(hessian)
    for first in range(0, weight.shape[1], COLUMNS):
        last = min(first + COLUMNS, weight.shape[1])
        block, local = weight[:, first:last], factor[first:last, first:last]
        errors = torch.zeros_like(block)
        diagonal = local.diagonal()
        gone = None if pattern else at_most_rank((block / diagonal).square(), sparsity)
        for column in range(last - first):
            # Algorithm 1 chooses a group of N:M on its first column, after the updates of the columns before it.
            if pattern and column % pattern[1] == 0:
                group = slice(column, column + pattern[1])
                chosen = smallest_of_groups((block[:, group] / diagonal[group]).square(), pattern)
                gone = chosen if column == 0 else torch.cat([gone, chosen], dim=1)
            errors[:, column] = torch.where(gone[:, column], block[:, column] / diagonal[column], 0)
            block[:, column:] -= errors[:, column, None] * local[column, column:]
        block.masked_fill_(gone, 0)
        weight[:, last:] -= errors @ factor[first:last, last:]


def wanda(weight, squared_norms, sparsity, pattern):
    """Prunes `weight` in place: the smallest |W|·‖X_j‖₂ of every row, or of every group."""
    weight = weight.detach()
    scores = weight.abs() * squared_norms.sqrt()
    if pattern:
        gone = smallest_of_groups(scores, pattern)
    else:
        order = scores.sort(dim=1, stable=True).indices
        smallest = order[:, : int(weight.shape[1] * sparsity)]
        gone = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, smallest, True)
    weight.masked_fill_(gone, 0)


METHODS = {"sparsegpt": (Hessian, sparsegpt), "wanda": (SquaredNorms, wanda)}


class Clock:
    """Seconds spent in each phase."""

    def __init__(self):
        self.seconds = {"forward": 0.0, "statistics": 0.0, "solve": 0.0}

    def run(self, phase, work, *arguments):
        """Runs a piece of work, adds its time to a phase and returns its result."""
        start = time.perf_counter()
        result = work(*arguments)
        self.seconds[phase] += time.perf_counter() - start
        return result


class FirstBlockReached(Exception):
    """Ends a forward pass at the first block."""


def inputs_of_first_block(model, samples):
    """What the model hands its first block: hidden states, one [1, length, d] a sample, and the keyword arguments."""
    hidden, shared = [], {}

    def catch(_, arguments, keywords):
        hidden.append(arguments[0])
        shared.update(keywords)
        raise FirstBlockReached

    handle = model.model.layers[0].register_forward_pre_hook(catch, with_kwargs=True)
    for ids in samples:
        try:
            model(ids[None], use_cache=False)
        except FirstBlockReached:
            pass
    handle.remove()
    return hidden, shared


def prune_block(block, hidden, shared, method, amount, clock):
    """Prunes every linear of a block and replaces `hidden` with the outputs of the pruned block."""
    new_statistics, solve = METHODS[method]
    linears = [module for module in block.modules() if isinstance(module, torch.nn.Linear)]
    statistics = {linear: new_statistics(linear.in_features) for linear in linears}

    def observe(linear, inputs, _):
        clock.run("statistics", statistics[linear].add, inputs[0].flatten(0, 1))

    def forward(states):
        output = block(states, **shared)
        return output[0] if isinstance(output, tuple) else output

    handles = [linear.register_forward_hook(observe) for linear in linears]
    inside = clock.seconds["statistics"]
    for states in hidden:
        clock.run("forward", forward, states)
    clock.seconds["forward"] -= clock.seconds["statistics"] - inside
    for handle in handles:
        handle.remove()
    for linear in linears:
        clock.run("solve", solve, linear.weight, statistics[linear].value, *amount)
    for number, states in enumerate(hidden):
        hidden[number] = clock.run("forward", forward, states)
    return linears


def prune(model, samples, method, amount, blocks):
    """Prunes the first `blocks` blocks; `amount` is (sparsity, pattern). Returns the clock and the linears."""
    clock = Clock()
    hidden, shared = clock.run("forward", inputs_of_first_block, model, samples)
    pruned = [
        linear
        for block in model.model.layers[:blocks]
        for linear in prune_block(block, hidden, shared, method, amount, clock)
    ]
    return clock, pruned


def pattern_of(text):
    """`N:M` as two numbers."""
    n, m = map(int, text.split(":"))
    if not 0 < n < m or COLUMNS % m:
        raise argparse.ArgumentTypeError(f"{text}: 0 < N < M is wanted, and an M that divides {COLUMNS}")
    return n, m


def sparsity_of(text):
    """A share strictly between 0 and 1."""
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text}: a share between 0 and 1 is wanted")
    return share


def main():
    parser = parser_of(__doc__)
    parser.add_argument("method", choices=METHODS)
    add_calibration(parser)
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--sparsity", type=sparsity_of, default=0.5)
    amount.add_argument("--pattern", type=pattern_of)
    arguments = parser.parse_args()

    def work(model, samples):
        amount = (arguments.sparsity, arguments.pattern)
        clock, pruned = prune(model, samples, arguments.method, amount, arguments.blocks)
        return clock.seconds, lambda: {"sparsity": share_of_zeros(pruned)}

    compress(arguments, arguments.method, work)


def share_of_zeros(linears):
    """Among the weights of these linears."""
    zeros = sum(int((linear.weight == 0).sum()) for linear in linears)
    return zeros / sum(linear.weight.numel() for linear in linears)


if __name__ == "__main__":
    main()
