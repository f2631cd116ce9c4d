#!/usr/bin/env python3
"""Scores a requests file with lm-evaluation-harness (its Hugging Face model, float32, CPU).

    score_harness.py MODEL REQUESTS.jsonl [--out FILE.jsonl] [--batch N]

Prints one JSON line with the seconds of the scoring, tokenization included, the model's loading not; --out gets the requests
with `loglikelihood` and `is_greedy`.
"""
import argparse
import json
import pathlib
import time

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("requests")
    parser.add_argument("--out")
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    harness = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=options.batch, device="cpu")
    documents = [json.loads(line) for line in pathlib.Path(options.requests).read_text().splitlines()]
    pairs = [(document["context"], text) for document in documents for text in document["continuations"]]
    started = time.perf_counter()
    answers = harness.loglikelihood([Instance("loglikelihood", {}, pair, 0) for pair in pairs], disable_tqdm=True)
    seconds = time.perf_counter() - started
    if options.out:
        left = iter(answers)
        for document in documents:
            own = [next(left) for _ in document["continuations"]]
            document["loglikelihood"] = [value for value, _ in own]
            document["is_greedy"] = [greedy for _, greedy in own]
        pathlib.Path(options.out).write_text("".join(json.dumps(document) + "\n" for document in documents))
    print(json.dumps({"requests": len(pairs), "seconds": seconds, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
