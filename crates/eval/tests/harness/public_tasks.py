#!/usr/bin/env python3
"""Renders public task files of lm-evaluation-harness with lm-evaluation-harness, for a test to compare with.

    public_tasks.py DATA OUT       needs lm_eval 0.4.13; DATA is the folder of the project's real data

Puts DATA into the layouts that the tasks' data sets have on the hub, below OUT/sets, and writes OUT/prompts.jsonl:
for each task, as it comes and with shots, the task file and what is asked about its first documents. The task files are
those of the installed package. Where DATA has not the very set, another of the same kind stands in its columns.
"""
import contextlib
import csv
import io
import json
import os
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", OMP_NUM_THREADS="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1")

DOCUMENTS = 25
TRAINING = 200
BLIMP = ["adjunct_island", "principle_A_case_1", "wh_island"]
BIGBENCH = ["movie_recommendation", "date_understanding", "qa_wikidata"]
# Each task with the numbers of shots it is rendered with, beside its own.
TASKS = {
    "sst2": [3], "cola": [2], "rte": [1], "sglue_rte": [], "social_iqa": [2], "commonsense_qa": [2],
    **{f"blimp_{name}": [] for name in BLIMP},
    "lambada_openai": [2], "lambada_standard": [], "lambada_openai_cloze_yaml": [], "asdiv": [2],
    "pile_10k": [], "pile_arxiv": [],
    "gsm8k": [], "gsm8k_cot": [], "gsm8k_cot_zeroshot": [], "super_glue-rte-t5-prompt": [2], "nq_open": [3],
    "triviaqa": [2], **{f"bigbench_{name}_generate_until": [] for name in BIGBENCH},
}


def tsv(path, **options):
    with open(path, newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, **options)


def glue(data):
    for split, file in [("train", "train"), ("validation", "dev")]:
        rows = tsv(data / f"glue/SST-2/{file}.tsv")
        yield "sst2", split, [{"sentence": r.get("sentence") or r["content"], "label": int(r["label"])} for r in rows]
        rows = tsv(data / f"glue/CoLA/{file}.tsv", fieldnames=["source", "label", "mark", "sentence"])
        yield "cola", split, [{"sentence": r["sentence"], "label": int(r["label"])} for r in rows]
        yield "rte", split, entailment(data, file, "sentence1", "sentence2")


def entailment(data, file, first, second):
    rows = tsv(data / f"glue/RTE/{file}.tsv")
    return [{first: r["sentence1"], second: r["sentence2"], "label": int(r["label"] == "not_entailment")} for r in rows]


def super_glue(data):
    for split, file in [("train", "train"), ("validation", "dev")]:
        yield "rte", split, entailment(data, file, "premise", "hypothesis")


def blimp(data):
    for name in BLIMP:
        lines = (data / f"blimp/{name}.jsonl").read_text().splitlines()
        kept = ["sentence_good", "sentence_bad", "UID"]
        yield name, "train", [{key: json.loads(line)[key] for key in kept} for line in lines]


def bigbench_examples(data, name):
    """Of a task, or of all its parts."""
    files = sorted((data / "bigbench" / name).rglob("task.json"))
    return [example for file in files for example in json.loads(file.read_text())["examples"]]


def bigbench(data):
    for name in BIGBENCH:
        rows = []
        for index, example in enumerate(bigbench_examples(data, name)):
            scores = example.get("target_scores", {})
            target = example.get("target") or [choice for choice, score in scores.items() if score == max(scores.values())]
            rows.append({
                "idx": index, "inputs": example["input"], "targets": target if isinstance(target, list) else [target],
                "multiple_choice_targets": list(scores), "multiple_choice_scores": [int(s) for s in scores.values()],
            })
        yield f"{name}_zero_shot", "default", rows


def training_and(split, rows, config="default"):
    yield config, "train", rows[:TRAINING] if len(rows) > 2 * TRAINING else rows[: len(rows) // 2]
    yield config, split, rows[TRAINING:] if len(rows) > 2 * TRAINING else rows[len(rows) // 2 :]


def chosen(example):
    choices = list(example["target_scores"])
    return choices, max(range(len(choices)), key=lambda i: example["target_scores"][choices[i]])


def siqa(data):
    rows = []
    for example in bigbench_examples(data, "social_iqa"):
        choices, right = chosen(example)
        context, _, question = example["input"].strip().rpartition(". ")
        answers = dict(zip(["answerA", "answerB", "answerC"], choices))
        rows.append({"context": f"{context}.", "question": question, **answers, "label": str(right + 1)})
    return training_and("validation", [row for row in rows if "answerC" in row])


def commonsense_qa(data):
    rows = []
    for example in bigbench_examples(data, "riddle_sense"):
        choices, right = chosen(example)
        listed = {"label": list("ABCDE"), "text": choices}
        rows.append({"question": f" {example['input']} ", "choices": listed, "answerKey": "ABCDE"[right]})
    return training_and("validation", rows)


def squad(data):
    """Each question with an answer, and the passages."""
    paragraphs = [p for article in json.loads((data / "squad/dev-v1.1.json").read_text())["data"] for p in article["paragraphs"]]
    questions = [{"question": q["question"], "answers": sorted({a["text"] for a in q["answers"]})}
                 for p in paragraphs for q in p["qas"] if q["answers"]]
    return questions, [p["context"] for p in paragraphs]


def passages(data, *splits, config="default"):
    for split in splits:
        yield config, split, [{"text": passage} for passage in squad(data)[1]]


def gsm8k(data):
    rows = [json.loads(line) for line in (data / "gsm8k/test.jsonl").read_text().splitlines()]
    return training_and("test", rows, "main")


def asdiv(data):
    rows = []
    for _, _, part in gsm8k(data):
        for row in part:
            body, _, question = row["question"].rpartition(". ")
            rows.append({"body": body, "question": question, "answer": row["answer"].split("#### ")[-1] + " (things)"})
    yield "default", "validation", rows


def open_questions(data):
    rows = [{"question": q["question"].rstrip("?"), "answer": q["answers"]} for q in squad(data)[0]]
    return training_and("validation", rows)


def trivia(data):
    rows = [{"question": q["question"].rstrip("?"), "answer": {"aliases": q["answers"], "value": q["answers"][0]}}
            for q in squad(data)[0]]
    return training_and("validation", rows, "rc.nocontext")


SETS = {
    "nyu-mll/glue": glue, "aps/super_glue": super_glue, "nyu-mll/blimp": blimp, "hails/bigbench": bigbench,
    "lighteval/siqa": siqa, "tau/commonsense_qa": commonsense_qa, "openai/gsm8k": gsm8k, "EleutherAI/asdiv": asdiv,
    "EleutherAI/lambada_openai": lambda data: passages(data, "test"),
    "cimec/lambada": lambda data: passages(data, "validation", "test"),
    "NeelNanda/pile-10k": lambda data: passages(data, "train"),
    "EleutherAI/pile": lambda data: passages(data, "train", config="pile_arxiv"),
    "google-research-datasets/nq_open": open_questions, "mandarjoshi/trivia_qa": trivia,
}


def lay_out(data, folder):
    """The data sets as repositories: Parquet files, and a card that says which are of which configuration and split."""
    import pyarrow
    import pyarrow.parquet

    for name, make in SETS.items():
        configs = {}
        for config, split, rows in make(data):
            file = Path(config) / f"{split}-00000-of-00001.parquet"
            (folder / name / config).mkdir(parents=True, exist_ok=True)
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / name / file)
            configs.setdefault(config, []).append((split, file))
        card = ["---", "configs:"]
        for config, files in configs.items():
            card += [f"- config_name: {config}", "  data_files:"]
            card += [line for split, file in files for line in (f"  - split: {split}", f"    path: {file.parent}/{split}-*")]
        (folder / name / "README.md").write_text("\n".join([*card, "---", ""]))


def rendered(task, file, shots):
    """The first documents of a task, one by one."""
    task.build_all_requests(limit=DOCUMENTS, rank=0, world_size=1)
    documents = {}
    for instance in task.instances:
        documents.setdefault(instance.doc_id, []).append(instance)
    for doc, instances in sorted(documents.items()):
        document = instances[0].doc
        settings = instances[0].args[1] if task.OUTPUT_TYPE == "generate_until" else {}
        texts = 1 if task.OUTPUT_TYPE == "generate_until" else None
        choices = task.doc_to_choice(document) if task.config.doc_to_choice is not None else []
        yield {
            "task": task.config.task, "file": file, "set": f"{task.DATASET_PATH}/{task.DATASET_NAME or 'default'}", "shots": shots, "doc": doc,
            "output": task.OUTPUT_TYPE, "requests": [list(instance.args[:texts]) for instance in instances],
            "choices": choices, "target": task.doc_to_target(document), "until": settings.get("until"),
        }


def main():
    data, out = (Path(argument).resolve() for argument in sys.argv[1:3])
    os.environ["HF_HOME"] = str(out / "home")
    sets = out / "sets"
    sets.mkdir(parents=True)
    lay_out(data, sets)
    # A folder of this name stands before the hub's data set.
    os.chdir(sets)
    import logging
    logging.disable(logging.WARNING)
    from lm_eval.tasks import TaskManager

    manager = TaskManager()
    with open(out / "prompts.jsonl", "w") as file, contextlib.redirect_stderr(io.StringIO()):
        for name, counts in TASKS.items():
            for shots in [None, *counts]:
                task = manager.load([name])["tasks"][name]
                if shots is not None:
                    task.set_config(key="num_fewshot", value=shots)
                elif task.get_config("num_fewshot") is None:
                    task.set_config(key="num_fewshot", value=0)
                task.set_fewshot_seed(seed=1234)
                path = manager.task_index[name].yaml_path
                for line in rendered(task, str(path), shots):
                    file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
