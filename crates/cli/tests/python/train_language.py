"""The same training of a causal language model in PyTorch, compared with what junkdna wrote.

    train_language.py MODEL PAIRS.jsonl OUT STEPS RATE DECAY SMOOTHING    full-batch AdamW; one JSON object: losses, and the
                                                                        largest relative difference of a weight of OUT
    train_language.py MODEL ADAPTER OUT                                  the largest difference of logits of MODEL with PEFT's
                                                                        ADAPTER from those of OUT
    train_language.py MODEL ADAPTER lora|rslora|dora                     a new ADAPTER by PEFT, of random numbers
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


def batch(tokenizer, path):
    ids, labels = [], []
    for line in open(path):
        pair = json.loads(line)
        prompt = tokenizer.encode(pair["prompt"], add_special_tokens=False)
        whole = tokenizer.encode(pair["prompt"] + pair["target"], add_special_tokens=False) + [tokenizer.eos_token_id]
        ids.append(whole)
        labels.append([-100] * len(prompt) + whole[len(prompt):])
    width = max(map(len, ids))
    pad = lambda rows, value: torch.tensor([row + [value] * (width - len(row)) for row in rows])
    return pad(ids, 0), pad([[1] * len(row) for row in ids], 0), pad(labels, -100)


def train(model, pairs, out, steps, rate, decay, smoothing):
    net = load(model).train()
    ids, mask, labels = batch(AutoTokenizer.from_pretrained(model), pairs)
    groups = [
        {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in net.parameters() if p.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        logits = net(input_ids=ids, attention_mask=mask).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100, label_smoothing=smoothing
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    ours = dict(load(out).named_parameters())
    off = {name: ((ours[name] - p).norm() / p.norm()).item() for name, p in net.named_parameters()}
    return {"losses": losses, "worst": max(off, key=off.get), "off": max(off.values()), "weights": len(off)}


def adapters(model, adapter, out):
    from peft import PeftModel

    adapted, merged = PeftModel.from_pretrained(load(model), adapter).eval(), load(out).eval()
    ids = torch.arange(2, 42).reshape(4, 10)
    with torch.inference_mode():
        theirs, ours, base = adapted(ids).logits, merged(ids).logits, load(model)(ids).logits
    return {"off": (theirs - ours).abs().max().item(), "moved": (base - ours).abs().max().item()}


def made(model, adapter, kind):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(41)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=3, lora_alpha=5, target_modules=["q_proj", "up_proj"], use_rslora=kind == "rslora", use_dora=kind == "dora"
    )
    net = get_peft_model(load(model), config)
    for parameter in net.parameters():
        if parameter.requires_grad and parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    net.save_pretrained(adapter)
    return {}


if __name__ == "__main__":
    if sys.argv[-1] in ("lora", "rslora", "dora"):
        print(json.dumps(made(*sys.argv[1:])))
    elif len(sys.argv) == 4:
        print(json.dumps(adapters(*sys.argv[1:])))
    else:
        model, pairs, out, steps, *numbers = sys.argv[1:]
        print(json.dumps(train(model, pairs, out, int(steps), *map(float, numbers))))
