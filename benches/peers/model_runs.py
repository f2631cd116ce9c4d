"""What the scripts beside this one share that run a model over sequences of tokens: arguments, loading, timing."""
import argparse
import json
import resource
import time

import torch
from calibration_tokens import read_samples


def parser_of(description):
    """A parser that shows a script's docstring as it is."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def count_of(text):
    """A number of at least one."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1 is wanted")
    return count


def add_held_out(parser):
    """The arguments of a script that measures a model on the sequences of a token file."""
    parser.add_argument("model")
    parser.add_argument("tokens")
    parser.add_argument("--length", type=count_of, default=256)
    parser.add_argument("--samples", type=count_of)


def held_out(arguments):
    """The sequences that are asked for, [samples, length]; without a number all."""
    with open(arguments.tokens, encoding="utf-8") as lines:
        samples = arguments.samples or sum(1 for line in lines if line.strip())
    return torch.tensor(read_samples(arguments.tokens, arguments.model, samples, arguments.length))


def add_calibration(parser):
    """The arguments of a script that compresses a model block by block."""
    parser.add_argument("model")
    parser.add_argument("calibration")
    parser.add_argument("--samples", type=count_of, default=128)
    parser.add_argument("--length", type=count_of, default=256)
    parser.add_argument("--out", help="folder for the compressed model")
    parser.add_argument("--blocks", type=count_of, help="compress the first N blocks only; default: all")


def compress(arguments, method, work):
    """Loads the model and times `work(model, samples)`, which gives the seconds of each phase and more of a result; writes the
    model where one is asked for, and prints a JSON line."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    samples = read_samples(arguments.calibration, arguments.model, arguments.samples, arguments.length)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    start = time.perf_counter()
    with torch.inference_mode():
        phases, more = work(model, torch.tensor(samples))
    result = {
        "method": method,
        "blocks": len(model.model.layers[: arguments.blocks]),
        "seconds": time.perf_counter() - start,
        **{f"seconds_{phase}": spent for phase, spent in phases.items()},
        "threads": torch.get_num_threads(),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **more(),
    }
    if arguments.out:
        model.save_pretrained(arguments.out)
        AutoTokenizer.from_pretrained(arguments.model).save_pretrained(arguments.out)
    print(json.dumps(result))
