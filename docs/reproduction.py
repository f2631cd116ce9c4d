#!/usr/bin/env python3
"""Keeps what recipes found, and writes it into docs/reproduction.md.

    docs/reproduction.py store results/options results/form …    copies the numbers into docs/results
    docs/reproduction.py                                         writes the tables between the page's marks
    docs/reproduction.py check                                   fails where the page says something else
"""

import csv
import json
import pathlib
import re
import shutil
import sys

DOCS = pathlib.Path(__file__).parent
PAGE = DOCS / "reproduction.md"
STORED = DOCS / "results"
CLAIMS = {
    "drop_grows_with_sparsity": "the loss grows with sparsity",
    "harder_tasks_drop_more": "harder tasks lose more",
    "quantization_shows_no_ordering": "quantization shows no such ordering",
    "pruning_orders_more_than_quantization": "at equal size pruning orders more than quantization",
    "random_pruning_loses_more": "control: random pruning loses more",
    "hard_losses_stay": "what hard tasks lose stays lost",
}


def store(folder):
    """Verdicts, scores and provenance, without paths of the machine."""
    report = json.loads((folder / "report.json").read_text())
    place = STORED / report["plan"]["name"]
    place.mkdir(parents=True, exist_ok=True)
    for name in ("verdicts.csv", "scores.csv"):
        shutil.copy(folder / name, place / name)
    kept = {key: report["provenance"][key] for key in ("model", "checksum", "questions", "device")}
    kept["version"] = report["version"]
    kept["seconds"] = round(sum(cost["scoring"] + cost["compressing"] + cost.get("training", 0) for cost in report["costs"]))
    kept["models"], kept["variants"] = len(report["costs"]), len(report["variants"])
    (place / "provenance.json").write_text(json.dumps(kept, indent=2) + "\n")


def rows(name, table):
    with open(STORED / name / f"{table}.csv", newline="") as file:
        return list(csv.DictReader(file))


def percent(text):
    return f"{float(text) * 100:+.0f} %" if text else ""


def verdicts(name):
    lines = ["| claim | verdict | effect (95 %) | why |", "|---|---|---|---|"]
    for row in rows(name, "verdicts"):
        if row["series"] == "random" and row["claim"] != "random_pruning_loses_more":
            continue
        effect = f"{percent(row['effect'])} ({percent(row['low'])} to {percent(row['high'])})" if row["effect"] else ""
        claim = CLAIMS[row["claim"]]
        if ", " in row["series"]:
            method, mode = row["series"].rsplit(", ", 1)
            claim = f"{method}, {mode}: {claim}"
        lines.append(f"| {claim} | **{row['outcome'].replace('_', ' ')}** | {effect} | {row['reason']} |")
    return lines


def drops(name):
    """Dense accuracy, and what pruning by magnitude takes, level by level."""
    scores = rows(name, "scores")
    strengths = sorted({float(row["strength"]) for row in scores if row["series"] == "magnitude"})
    lines = ["| task | dense | " + " | ".join(f"{s:.0%} pruned" for s in strengths) + " |"]
    lines.append("|---" * (2 + len(strengths)) + "|")
    for variant in dict.fromkeys(row["variant"] for row in scores):
        own = [row for row in scores if row["variant"] == variant]
        dense = next(row for row in own if row["series"] == "dense")
        lost = {float(row["strength"]): row["relative_drop"] for row in own if row["series"] == "magnitude"}
        floor = dense["standing"] == "floor"
        cells = ["guesses" if floor else percent(lost.get(strength, "")) for strength in strengths]
        lines.append(f"| {variant} | {float(dense['accuracy']):.0%} | " + " | ".join(cells) + " |")
    return lines


def repairs(name):
    """What pruning by magnitude takes before training, and what is still missing after it, in each way to train."""
    scores = rows(name, "scores")
    modes = list(dict.fromkeys(row["series"] for row in scores if row["series"].startswith("magnitude, ")))
    if not modes:
        return []
    lost = {(row["variant"], row["series"], float(row["strength"])): row["relative_drop"] for row in scores}
    strengths = sorted({strength for _, series, strength in lost if series == "magnitude"})
    header = " | ".join(mode.removeprefix("magnitude, ") for mode in modes)
    lines = ["", "Before training, and after it:", "", f"| task | pruned | before | {header} |", "|---" * (3 + len(modes)) + "|"]
    floors = {row["variant"] for row in scores if row["standing"] == "floor"}
    for variant in dict.fromkeys(row["variant"] for row in scores):
        for strength in strengths if variant not in floors else []:
            cells = [percent(lost.get((variant, series, strength), "")) for series in ["magnitude", *modes]]
            lines.append(f"| {variant} | {strength:.0%} | " + " | ".join(cells) + " |")
    return lines


def section(name):
    if not (STORED / name / "provenance.json").exists():
        return ["*Has not run to the end here.*"]
    kept = json.loads((STORED / name / "provenance.json").read_text())
    minutes = kept["seconds"] / 60
    about = f"{kept['models']} models on {kept['variants']} task variants, {minutes:.1f} minutes of computing."
    return [*verdicts(name), "", "Lost of what the dense model has above chance:", "", *drops(name), *repairs(name), "", about]


def page():
    def filled(mark):
        return f"<!-- {mark[1]} -->\n" + "\n".join(section(mark[1])) + "\n<!-- end -->"

    return re.sub(r"<!-- ([\w-]+) -->\n.*?<!-- end -->", filled, PAGE.read_text(), flags=re.S)


def main():
    if sys.argv[1:2] == ["store"]:
        for folder in sys.argv[2:]:
            store(pathlib.Path(folder))
    if sys.argv[1:2] == ["check"]:
        sys.exit(0 if page() == PAGE.read_text() else f"{PAGE}: run {sys.argv[0]}")
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
