#!/usr/bin/env python3
"""Scores of drawn texts by sacrebleu and rouge_score, called as lm-evaluation-harness calls them.

    overlaps.py       needs sacrebleu and rouge_score, which come with lm_eval; prints one JSON object a line
"""
import json
import random

import sacrebleu
from rouge_score import rouge_scorer

WORDS = ["the", "The", "otter", "OTTER", "3.5", "1,000", "12-14", "-", "don't", "U.S.", "&amp;", "&lt;b&gt;", "naïve",
         "Straße", "水", "a/b", "(so)", "\"quoted\"", "«so»", "…", "<skipped>", "x-\ny", "\n", "\t", "e.g.,", "$5", "50%", "A"]
draw = random.Random(5)
scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])


def text(near=None):
    words = near.split(" ") if near else []
    words = [word for word in words if draw.random() > 0.3]
    words += draw.choices(WORDS, k=draw.randrange(0 if near else 1, 12))
    return " ".join(words)


for _ in range(200):
    count, several = draw.randint(1, 5), draw.randint(1, 3)
    answers = [text() for _ in range(count)]
    references = [[text(answer) for _ in range(several)] for answer in answers]
    rouge = [scorer.score(golds[0], answer) for answer, golds in zip(answers, references)]
    print(json.dumps({
        "pairs": list(zip(answers, references)),
        "bleu": sacrebleu.corpus_bleu(answers, list(zip(*references))).score,
        "rouge": [{name: score.fmeasure for name, score in scores.items()} for scores in rouge],
    }))
