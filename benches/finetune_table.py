#!/usr/bin/env python3
"""Fine-tuning side by side: the same recipe in PyTorch/Transformers (LoRA: PEFT) and in junkdna, a mean over seeds.

    finetune_table.py --junkdna target/release/junkdna --model MINILM --glue DIR [--tasks SST-2 CoLA RTE] [--modes full lora]
        [--examples 2500] [--epochs 3] [--batch 16] [--seeds 41 42 43] [--out table.json]

Both sides get the same training subset (written to a folder of its own, chosen by the seed; 2,500 examples are all of RTE),
the same tokens, at most 128 a text, 5e-5 (LoRA: 1e-3, rank 8, alpha 16, queries and values, and the head), linear decay, no
warm-up, AdamW without weight decay, clipping at 1, dropout of the model, and are measured after the last epoch: accuracy, for
CoLA Matthews' correlation, in points. Needs torch, transformers and peft. Results are kept after each run, so that it can be
stopped and started again; a row is printed as soon as it is known.
"""
import argparse, json, math, pathlib, random, statistics, subprocess, tempfile

COLUMNS = {"SST-2": ("sentence", None, "label"), "CoLA": (3, None, 1), "RTE": ("sentence1", "sentence2", "label")}
RATE = {"full": 5e-5, "lora": 1e-3}

def lines(path):
    return path.read_text(encoding="utf-8").splitlines()

def subset(task, source, target, count, seed):
    """The folder of a task with some of its training lines, and all validation lines."""
    target.mkdir(parents=True)
    train = lines(source / "train.tsv")
    header, rows = ([], train) if task == "CoLA" else (train[:1], train[1:])
    random.Random(seed).shuffle(rows)
    (target / "train.tsv").write_text("\n".join(header + rows[:count]) + "\n", encoding="utf-8")
    (target / "dev.tsv").write_text("\n".join(lines(source / "dev.tsv")) + "\n", encoding="utf-8")

def examples(task, path):
    rows = [line.split("\t") for line in lines(path)]
    first, second, label = COLUMNS[task]
    if task != "CoLA":
        header, rows = rows[0], rows[1:]
        place = lambda name: None if name is None else header.index(name if name in header else "content")
        first, second, label = place(first), place(second), place(label)
    classes = {"entailment": 0, "not_entailment": 1}
    return [(r[first], None if second is None else r[second], classes[r[label]] if r[label] in classes else int(r[label]))
            for r in rows]

def score(task, predicted, gold):
    if task != "CoLA":
        return 100 * sum(p == g for p, g in zip(predicted, gold)) / len(gold)
    count = lambda p, g: sum(a == p and b == g for a, b in zip(predicted, gold))
    tp, tn, fp, fn = count(1, 1), count(0, 0), count(1, 0), count(0, 1)
    norm = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return 100 * (tp * tn - fp * fn) / norm if norm else 0.0

def pytorch(a, task, mode, folder, seed):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(a.model)
    model = AutoModelForSequenceClassification.from_pretrained(a.model, num_labels=2)
    if mode == "lora":
        from peft import LoraConfig, get_peft_model
        model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=["query", "value"]))
    train, dev = examples(task, folder / "train.tsv"), examples(task, folder / "dev.tsv")
    def batch(rows):
        texts = [r[0] for r in rows], None if rows[0][1] is None else [r[1] for r in rows]
        inputs = tokenizer(*texts, padding=True, truncation=True, max_length=128, return_tensors="pt")
        return inputs, torch.tensor([r[2] for r in rows])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=RATE[mode], weight_decay=0.0)
    steps = math.ceil(len(train) / a.batch) * a.epochs
    schedule = get_linear_schedule_with_warmup(optimizer, 0, steps)
    rng = random.Random(seed)
    for _ in range(a.epochs):
        model.train(); rng.shuffle(train)
        for i in range(0, len(train), a.batch):
            inputs, labels = batch(train[i:i + a.batch])
            optimizer.zero_grad(); model(**inputs, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0); optimizer.step(); schedule.step()
    model.eval(); predicted = []
    with torch.inference_mode():
        for i in range(0, len(dev), 32):
            predicted += model(**batch(dev[i:i + 32])[0]).logits.argmax(-1).tolist()
    return score(task, predicted, [r[2] for r in dev])

def junkdna(a, task, mode, folder, seed):
    out, recipe = folder.parent / f"{mode}-{seed}", folder.parent / "recipe.toml"
    recipe.write_text("evaluate-every = 1000000\n")  # after the last step
    command = [a.junkdna, "finetune", "--model", a.model, "--task", folder, "--mode", mode, "--seed", seed, "--json",
               "--recipe", recipe,
               "--epochs", a.epochs, "--batch-size", a.batch, "--learning-rate", RATE[mode], "--out", out]
    result = json.loads(subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE).stdout)
    return 100 * result["evaluations"][-1]["metrics"]["matthews" if task == "CoLA" else "accuracy"]

def main():
    p = argparse.ArgumentParser()
    for name in ("--junkdna", "--model", "--glue"): p.add_argument(name, required=True)
    p.add_argument("--tasks", nargs="+", default=list(COLUMNS)); p.add_argument("--modes", nargs="+", default=list(RATE))
    p.add_argument("--examples", type=int, default=2500); p.add_argument("--epochs", type=int, default=3)
    p.add_argument("--batch", type=int, default=16); p.add_argument("--seeds", type=int, nargs="+", default=[41, 42, 43])
    p.add_argument("--out", type=pathlib.Path, default=pathlib.Path("finetune_table.json"))
    a = p.parse_args()
    print(f"# {a.epochs} epochs, batches of {a.batch}, at most {a.examples} training examples, seeds {a.seeds}\n"
          "| mode | task | PyTorch | junkdna | difference |\n|---|---|---|---|---|", flush=True)
    for mode in a.modes:
        for task in a.tasks:
            runs = [run(a, mode, task, seed) for seed in a.seeds]
            theirs, ours = (statistics.mean(side) for side in zip(*runs))
            print(f"| {mode} | {task} | {theirs:.2f} | {ours:.2f} | {ours - theirs:+.2f} |", flush=True)

def run(a, mode, task, seed):
    """Both sides of one run, in points; from the file of results where they are there."""
    with tempfile.TemporaryDirectory() as parent:
        folder = pathlib.Path(parent) / task
        subset(task, pathlib.Path(a.glue) / task, folder, a.examples, seed)
        return [kept(a, f"{mode} {task} {seed} {side.__name__} n={a.examples} e={a.epochs} b={a.batch}",
                     lambda: side(a, task, mode, folder, seed)) for side in (pytorch, junkdna)]

def kept(a, key, measure):
    read = lambda: json.loads(a.out.read_text()) if a.out.exists() else {}
    if key not in read():
        value = measure()
        a.out.write_text(json.dumps(read() | {key: value}, indent=1))
    return read()[key]

if __name__ == "__main__":
    main()
