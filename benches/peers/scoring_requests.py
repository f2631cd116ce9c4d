#!/usr/bin/env python3
"""Writes requests that both sides score: JSON lines with task, doc, context, continuations and gold.

    scoring_requests.py movies-same  TASK.json  --out FILE.jsonl [--documents N] [--shots K]
    scoring_requests.py movies-drawn TASK.json  --out FILE.jsonl [--documents N] [--shots K] [--seed S]
    scoring_requests.py passages     SQUAD.json --out FILE.jsonl --model FOLDER [--passages N] [--questions Q] [--tokens T]

The first two: multiple choice with four options from a BIG-bench task, with the same examples before every question, or
with examples drawn for each. The third: passages of T tokens from SQuAD's articles, each with several questions, and the
gold answer scored.
"""
import argparse
import json
import pathlib
import random


def movies(options, draw):
    examples = json.loads(pathlib.Path(options.data).read_text())["examples"]
    shots, asked = examples[: options.shots], examples[options.shots :][: options.documents]
    rng = random.Random(options.seed)
    for doc, example in enumerate(asked):
        if draw:
            shots = rng.sample([other for other in examples if other is not example], options.shots)
        before = "".join(f"{question(shot)}\n{gold(shot)}\n\n" for shot in shots)
        choices = list(example["target_scores"])
        yield {
            "task": options.what,
            "doc": doc,
            "context": before + question(example),
            "continuations": [f"\n{choice}" for choice in choices],
            "gold": choices.index(gold(example)),
        }


def question(example):
    """As BIG-bench writes it: the input's prefix, and the choices appended."""
    choices = "".join(f"\n  choice: {choice}" for choice in example["target_scores"])
    return f"Find a movie similar to {example['input']}{choices}"


def gold(example):
    return max(example["target_scores"], key=example["target_scores"].get)


def passages(options):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(options.model)
    written = 0
    for passage, questions in gathered(json.loads(pathlib.Path(options.data).read_text()), tokenizer, options.tokens):
        answered = [question for question in questions if question["answers"]]
        if written == options.passages or len(answered) < options.questions:
            continue
        # From all over the passage.
        step = len(answered) / options.questions
        for number in range(options.questions):
            asked = answered[int(number * step)]
            yield {
                "task": options.what,
                "doc": written * options.questions + number,
                "context": f"{passage}\n\nQuestion: {asked['question']}\nAnswer:",
                "continuations": [f" {asked['answers'][0]['text']}"],
                "gold": 0,
            }
        written += 1


def gathered(squad, tokenizer, tokens):
    """Successive paragraphs of an article, together as many tokens as fit, and their questions."""
    for article in squad["data"]:
        passage, questions = "", []
        for paragraph in article["paragraphs"]:
            longer = f"{passage}\n\n{paragraph['context']}" if passage else paragraph["context"]
            if len(tokenizer(longer)["input_ids"]) > tokens:
                yield passage, questions
                longer, questions = paragraph["context"], []
            passage = longer
            questions = questions + paragraph["qas"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["movies-same", "movies-drawn", "passages"])
    parser.add_argument("data")
    parser.add_argument("--out", required=True)
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--seed", type=int, default=41)
    parser.add_argument("--model")
    parser.add_argument("--passages", type=int, default=4)
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=1500)
    options = parser.parse_args()
    made = passages(options) if options.what == "passages" else movies(options, options.what == "movies-drawn")
    pathlib.Path(options.out).write_text("".join(json.dumps(line) + "\n" for line in made))


if __name__ == "__main__":
    main()
