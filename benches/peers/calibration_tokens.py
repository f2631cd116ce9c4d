#!/usr/bin/env python3
"""Cuts text into disjoint token windows of one length and writes them as JSON lines, `{"input_ids": [...]}`.

    calibration_tokens.py MODEL_DIR --text FILE... --out FILE.jsonl [--samples 128] [--length 256] [--skip N] [--seed S]

A text is a plain file, a SQuAD file (`.json`: its passages) or JSON lines (`.jsonl`: one field of each). Texts are
joined by an empty line and tokenized as one, without special tokens. Windows keep the text's order; with `--seed`
they are shuffled first. `--skip N` starts N windows later: with the same texts, length and seed, two files never
share a window.
"""
import argparse
import json
import random
from pathlib import Path


def passages(path, field):
    """The pieces of text in a file, in its order."""
    text = Path(path).read_text(encoding="utf-8")
    if path.endswith(".jsonl"):
        return [json.loads(line)[field] for line in text.splitlines() if line.strip()]
    if path.endswith(".json"):
        return [paragraph["context"] for article in json.loads(text)["data"] for paragraph in article["paragraphs"]]
    return [text]


def tokenize(model, text):
    """The token ids of a text, without special tokens."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model)(text, add_special_tokens=False, verbose=False)["input_ids"]


def windows(ids, length):
    """All disjoint windows of `length` tokens; the rest, shorter than one, is dropped."""
    return [ids[start : start + length] for start in range(0, len(ids) - length + 1, length)]


def read_samples(path, model, samples, length):
    """The first `samples` sequences of a token file, or windows of a plain text, each of exactly `length` tokens."""
    if path.endswith(".jsonl"):
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        found = [json.loads(line)["input_ids"] for line in lines if line.strip()]
    else:
        found = windows(tokenize(model, "\n\n".join(passages(path, None))), length)
    chosen = found[:samples]
    if len(chosen) < samples:
        raise SystemExit(f"{path} holds {len(chosen)} samples, {samples} are wanted")
    short = next((number for number, ids in enumerate(chosen) if len(ids) < length), None)
    if short is not None:
        raise SystemExit(f"{path}: sample {short} holds {len(chosen[short])} tokens, {length} are wanted")
    return [ids[:length] for ids in chosen]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--text", nargs="+", required=True)
    parser.add_argument("--field", default="text", help="the field of JSON lines that holds the text")
    parser.add_argument("--out", required=True)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--skip", type=int, default=0, help="windows to leave out first")
    parser.add_argument("--seed", type=int, help="shuffle the windows; default: the text's order")
    arguments = parser.parse_args()

    text = "\n\n".join(piece for path in arguments.text for piece in passages(path, arguments.field))
    ids = tokenize(arguments.model, text)
    cut = windows(ids, arguments.length)
    if arguments.seed is not None:
        random.Random(arguments.seed).shuffle(cut)
    chosen = cut[arguments.skip : arguments.skip + arguments.samples]
    if len(chosen) < arguments.samples:
        left = max(0, len(cut) - arguments.skip)
        raise SystemExit(f"{len(ids)} tokens give {left} windows after --skip, {arguments.samples} are wanted")
    with open(arguments.out, "w", encoding="utf-8") as out:
        out.writelines(json.dumps({"input_ids": sample}) + "\n" for sample in chosen)
    print(json.dumps({"tokens": len(ids), "windows": len(cut), "skipped": arguments.skip, "written": len(chosen)}))


if __name__ == "__main__":
    main()
