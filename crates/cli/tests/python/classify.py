"""Logits that Transformers gives the texts of a file, with a classifier that junkdna wrote.

    classify.py FOLDER TEXTS.json    a JSON list of texts; a JSON list of their logits

Texts are cut into tokens by `tokenizer.json` alone: the classes of Transformers look for special tokens within words.
"""

import json
import sys
from pathlib import Path

import torch
from read_back import options
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

folder = Path(sys.argv[1])
config = json.loads((folder / "config.json").read_text())
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, **options(config)).eval()
with torch.no_grad():
    texts = json.load(open(sys.argv[2]))
    print(json.dumps([model(torch.tensor([tokenizer.encode(text).ids])).logits[0].tolist() for text in texts]))
