#!/usr/bin/env python3
"""Adapters of ours in PEFT, and PEFT's in ours: the same logits. `peft_adapters.py MODEL GLUE/SST-2 target/debug/junkdna`

MODEL is a Hugging Face folder of an encoder. Prints one JSON line: the largest differences of logits, for LoRA,
rank-stabilized LoRA and DoRA. Merging itself rounds, so that zero is not to be expected.
"""
import json, pathlib, subprocess, sys, tempfile
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForSequenceClassification as Classifier, AutoTokenizer

TEXTS = ["a gorgeous , witty , seductive movie .", "the plot is nothing but boilerplate cliches", "w4 w20 w40"]

def logits(model, tokenizer):
    with torch.inference_mode():
        return model.eval()(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits

def finetune(junkdna, model, task, out, *options):
    subprocess.run([junkdna, "finetune", "--model", model, "--task", task, "--out", out, "--examples", "16", "--epochs", "1", *options],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

def main(source, glue, junkdna):
    worst = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder); task = folder / "SST-2"; task.mkdir()
        lines = (pathlib.Path(glue) / "train.tsv").read_text().splitlines(keepends=True)
        (task / "train.tsv").write_text("".join(lines[:65])); (task / "dev.tsv").write_text("".join(lines[:33]))
        torch.manual_seed(41)
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = folder / "model"; tokenizer.save_pretrained(model)
        Classifier.from_pretrained(source, num_labels=2, id2label={0: "0", 1: "1"}).save_pretrained(model)
        for name, mode, options in [("lora", "lora", {}), ("rslora", "lora", {"use_rslora": True}), ("dora", "dora", {"use_dora": True})]:
            flags = ["--rank-stabilized"] if "use_rslora" in options else []
            finetune(junkdna, model, task, folder / name, "--mode", mode, "--learning-rate", "1e-2", "--adapter-out", folder / f"{name}-a", *flags)
            theirs = PeftModel.from_pretrained(Classifier.from_pretrained(model), folder / f"{name}-a")
            ours = logits(Classifier.from_pretrained(folder / name), tokenizer)
            worst[f"{name}_ours_in_peft"] = (logits(theirs, tokenizer) - ours).abs().max().item()

            config = LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=8, target_modules=["query", "value"], **options)
            made = get_peft_model(Classifier.from_pretrained(model), config)
            for parameter in made.parameters():
                if parameter.requires_grad: torch.nn.init.normal_(parameter, std=0.2) if parameter.dim() > 1 else None
            made.save_pretrained(folder / f"{name}-peft")
            finetune(junkdna, model, task, folder / f"{name}-b", "--mode", mode, "--learning-rate", "1e-30", "--adapter", folder / f"{name}-peft")
            ours = logits(Classifier.from_pretrained(folder / f"{name}-b"), tokenizer)
            worst[f"{name}_peft_in_ours"] = (logits(made, tokenizer) - ours).abs().max().item()
    print(json.dumps(worst))
    return max(worst.values()) < 1e-4

if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
