#!/usr/bin/env python3
"""Perplexity of a causal language model over token sequences, as one JSON line.

    perplexity.py MODEL_DIR TOKENS.jsonl [--length 256] [--samples N]

Each sequence stands alone: its first token is only context, and the mean negative log-likelihood is taken over all
tokens from the second on of all sequences. `--samples` takes the first N sequences; default: all.
"""
import json
import math
import time

import torch
from model_runs import add_held_out, held_out, parser_of
from transformers import AutoModelForCausalLM


def negative_log_likelihood(model, ids):
    """The sum of -log p(token | tokens before it) over tokens 2, 3, … of a sequence [length]."""
    logits = model(ids[None], use_cache=False).logits[0, :-1]
    return torch.nn.functional.cross_entropy(logits, ids[1:], reduction="sum").item()


def main():
    parser = parser_of(__doc__)
    add_held_out(parser)
    arguments = parser.parse_args()

    sequences = held_out(arguments)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    start = time.perf_counter()
    with torch.inference_mode():
        total = sum(negative_log_likelihood(model, ids) for ids in sequences)
    predicted = sequences.shape[0] * (arguments.length - 1)
    mean = total / predicted
    print(
        json.dumps(
            {
                "perplexity": math.exp(mean),
                "nll": mean,
                "sequences": sequences.shape[0],
                "predicted_tokens": predicted,
                "seconds": time.perf_counter() - start,
                "threads": torch.get_num_threads(),
            }
        )
    )


if __name__ == "__main__":
    main()
