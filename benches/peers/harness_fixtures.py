#!/usr/bin/env python3
"""Writes what lm-evaluation-harness makes of the task files in crates/eval/tests/harness, for the tests to compare with.

    harness_fixtures.py            needs lm_eval 0.4.13; run anywhere

The model's responses are made up from a hash of the request, which the tests do too.
"""
import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
from lm_eval.api.model import LM  # noqa: E402
from lm_eval.evaluator import evaluate  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402
from lm_eval.utils import make_table  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "crates/eval/tests/harness"


def fnv(text):
    h = 0x811C9DC5
    for byte in text.encode():
        h = (h ^ byte) * 0x01000193 % 2**32
    return h


class MadeUp(LM):
    def loglikelihood(self, requests):
        hashes = [fnv(f"{context}\0{continuation}") for context, continuation in (r.args for r in requests)]
        return [(-(h % 1000) / 100, h % 3 == 0) for h in hashes]

    def loglikelihood_rolling(self, requests):
        return [-(fnv(r.args[0]) % 1000) / 10 for r in requests]

    def generate_until(self, requests):
        def answer(request):
            name, context = request.doc["name"], request.args[0]
            words = context.split()
            return [f" The {name}.", name.upper() + " ", words[fnv(context) % len(words)]][fnv(context) % 3]

        return [answer(request) for request in requests]


def run(names, **options):
    manager = TaskManager(include_path=str(FOLDER), include_defaults=False)
    loaded = manager.load(names)
    for task in loaded["tasks"].values():
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=1234)
    return evaluate(MadeUp(), loaded, bootstrap_iters=1000, **options)


def write(name, text):
    (FOLDER / name).write_text(text)


def groups():
    """The tables and the results of groups within groups, and of one task beside them."""
    results = run(["zoo"])
    kept = ["results", "groups", "group_subtasks", "versions", "n-shot", "higher_is_better", "n-samples"]
    write("groups.json", json.dumps({key: results[key] for key in kept}, indent=1) + "\n")
    write("groups.md", make_table(results) + "\n" + make_table(results, "groups"))


if __name__ == "__main__":
    os.chdir(FOLDER)
    groups()
