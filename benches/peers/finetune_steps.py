#!/usr/bin/env python3
"""Full-batch AdamW steps of PyTorch on a sequence classifier, dropout off: what junkdna's must agree with.

The fixture of crates/cli/tests/finetune.rs:
    JUNKDNA_TINY_DIR=/tmp/tiny cargo test -p junkdna-cli --test finetune parity_steps
    finetune_steps.py fixture /tmp/tiny crates/cli/tests/fixtures/finetune_steps.safetensors
Side by side on a real model (a Hugging Face folder) and sentences of a GLUE folder:
    finetune_steps.py compare MODEL GLUE/SST-2 target/release/junkdna
"""
import argparse, json, pathlib, subprocess, tempfile
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, classifier_dropout=0.0)

def batch(model, table):
    header, *rows = [line.split("\t") for line in table.read_text().splitlines()]
    label = header.index("label")
    rows = [(row[1 - label], row[label]) for row in rows]
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation(); tokenizer.enable_padding(pad_id=0)
    texts = tokenizer.encode_batch([text for text, _ in rows])
    tensor = lambda field: torch.tensor([getattr(text, field) for text in texts])
    inputs = dict(input_ids=tensor("ids"), attention_mask=tensor("attention_mask"), token_type_ids=tensor("type_ids"))
    return inputs, torch.tensor([int(label) for _, label in rows])

def steps(model, table, count, rate, decay, smoothing):
    net = AutoModelForSequenceClassification.from_pretrained(model, attn_implementation="eager", **NO_DROPOUT).train()
    inputs, labels = batch(pathlib.Path(model), table)
    decays, others = [], []
    for parameter in net.parameters():
        (decays if parameter.dim() > 1 else others).append(parameter)
    groups = [dict(params=decays, weight_decay=decay), dict(params=others, weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / count)
    losses = []
    for _ in range(count):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(**inputs).logits, labels, label_smoothing=smoothing)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step(); schedule.step(); losses.append(loss.item())
    return losses, net

def path(name):
    """The parameter path in a checkpoint of ours."""
    name = name.removeprefix("bert.").replace(".self.", ".self_attention.")
    for norm in ["attention.output.LayerNorm", "output.LayerNorm", "embeddings.LayerNorm"]:
        name = name.replace(norm + ".weight", norm.replace("LayerNorm", "layer_norm") + ".gamma")
        name = name.replace(norm + ".bias", norm.replace("LayerNorm", "layer_norm") + ".beta")
    return "weight:" + name.replace("classifier.", "classifier.out_proj.")

def fixture(a):
    folder = pathlib.Path(a.folder)
    losses, net = steps(folder / "model", folder / "SST-2/train.tsv", 3, 1e-3, 0.1, 0.1)
    tensors = {path(name): p.detach().contiguous() for name, p in net.named_parameters()}
    save_file(tensors, a.out, metadata={"losses": json.dumps(losses)})
    print(losses)

def compare(a):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder); task = folder / "SST-2"; task.mkdir()
        lines = (pathlib.Path(a.task) / "train.tsv").read_text().splitlines(keepends=True)
        (task / "train.tsv").write_text("".join(lines[:17])); (task / "dev.tsv").write_text("".join(lines[:17]))
        torch.manual_seed(41)
        names = {0: "0", 1: "1"}
        start = AutoModelForSequenceClassification.from_pretrained(a.model, num_labels=2, id2label=names)
        start.save_pretrained(folder / "model")
        for file in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"]:
            if (pathlib.Path(a.model) / file).exists():
                (folder / "model" / file).write_bytes((pathlib.Path(a.model) / file).read_bytes())
        recipe = folder / "recipe.toml"
        recipe.write_text(f"epochs = {a.steps}\nbatch-size = 16\nlearning-rate = {a.rate}\ndropout = 0.0\n[adamw]\nweight_decay = 0.01\n")
        subprocess.run([a.junkdna, "finetune", "--model", folder / "model", "--task", task, "--recipe", recipe, "--out", folder / "out"], check=True)
        found = load_file(folder / "out-run/last.safetensors")
        metrics = map(json.loads, (folder / "out-run/metrics.jsonl").read_text().splitlines())
        ours = [line["step"]["loss"] for line in metrics if "step" in line]
        theirs, net = steps(folder / "model", task / "train.tsv", a.steps, a.rate, 0.01, 0.0)
        off = {n: ((found[path(n)] - p).norm() / p.norm()).item() for n, p in net.named_parameters()}
        keys = {n: x for n, x in off.items() if n.endswith("key.bias")}
        others = {n: x for n, x in off.items() if n not in keys}
        worst = max(others, key=others.get)
        print(json.dumps({"loss_relative": max(abs(x - y) / y for x, y in zip(ours, theirs)), "losses": [ours, theirs],
            "weights_relative": others[worst], "worst": worst, "key_biases_relative": max(keys.values(), default=0.0)}))

if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    s = p.add_subparsers(required=True)
    q = s.add_parser("fixture"); q.set_defaults(f=fixture); q.add_argument("folder"); q.add_argument("out")
    q = s.add_parser("compare"); q.set_defaults(f=compare); q.add_argument("model"); q.add_argument("task"); q.add_argument("junkdna")
    q.add_argument("--steps", type=int, default=1); q.add_argument("--rate", type=float, default=2e-5)
    a = p.parse_args(); a.f(a)
