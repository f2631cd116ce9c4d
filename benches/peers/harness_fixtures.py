#!/usr/bin/env python3
"""Writes what lm-evaluation-harness makes of the task files in crates/eval/tests/harness, for the tests to compare with.

    harness_fixtures.py            needs lm_eval 0.4.13; run anywhere

The model's responses are made up from a hash of the request, which the tests do too.
"""
import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
from lm_eval.api.model import LM  # noqa: E402
from lm_eval.evaluator import evaluate  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402
from lm_eval.utils import make_table  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "crates/eval/tests/harness"


def fnv(text):
    h = 0x811C9DC5
    for byte in text.encode():
        h = (h ^ byte) * 0x01000193 % 2**32
    return h


class MadeUp(LM):
    def loglikelihood(self, requests):
        hashes = [fnv(f"{context}\0{continuation}") for context, continuation in (r.args for r in requests)]
        return [(-(h % 1000) / 100, h % 3 == 0) for h in hashes]

    def loglikelihood_rolling(self, requests):
        return [-(fnv(r.args[0]) % 1000) / 10 for r in requests]

    def generate_until(self, requests):
        def answer(request):
            name, context = request.doc["name"], request.args[0]
            words = context.split()
            return [f" The {name}.", name.upper() + " ", words[fnv(context) % len(words)]][fnv(context) % 3]

        return [answer(request) for request in requests]


def run(names, **options):
    manager = TaskManager(include_path=str(FOLDER), include_defaults=False)
    loaded = manager.load(names)
    for task in loaded["tasks"].values():
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=1234)
    return evaluate(MadeUp(), loaded, bootstrap_iters=1000, **options)


def write(name, text):
    (FOLDER / name).write_text(text)


def groups():
    """The tables and the results of groups within groups, and of one task beside them."""
    results = run(["zoo"])
    kept = ["results", "groups", "group_subtasks", "versions", "n-shot", "higher_is_better", "n-samples"]
    write("groups.json", json.dumps({key: results[key] for key in kept}, indent=1) + "\n")
    write("groups.md", make_table(results) + "\n" + make_table(results, "groups"))


PLAIN = (
    "{% for message in messages %}{{'<|' + message['role'] + '|>\\n' + message['content'] + '<end>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)
STRICT = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {{- raise_exception('no instructions') }}
{%- endif %}
{% for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- '[INST] ' + message['content'].strip() + ' [/INST]' }}
    {%- else %}
        {%- generation %}
        {{- ' ' + message['content'] | trim + eos_token }}
        {%- endgeneration %}
    {%- endif %}
{% endfor %}
"""
WORDY = """{%- set ns = namespace(system='', count=0) %}
{%- for message in messages %}
    {%- if message.role == 'system' %}{% set ns.system = message.content %}{% continue %}{% endif %}
    {%- if ns.count > 40 %}{% break %}{% endif %}
    {%- set ns.count = ns.count + 1 %}
<turn {{ ns.count }} {{ message.role.upper() }}>
    {%- if loop.last and ns.system is defined and ns.system %}
        {{- '\\n' ~ ns.system }}
    {%- endif %}
{{ message.content }}
{{ {'said': message.content, 'n': [ns.count, none, true, 0.5]} | tojson }}
{% endfor %}
{%- if add_generation_prompt %}<turn MODEL{{ ['x', 'é'] | tojson(indent=2) }}>
{% endif %}"""
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def chats():
    """Prompts as conversations: each template with each way to give examples."""
    from jinja2.exceptions import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    cases = []
    manager = TaskManager(include_path=str(FOLDER), include_defaults=False)
    for name, template in [("plain", PLAIN), ("strict", STRICT), ("wordy", WORDY)]:

        def render(messages, add_generation_prompt=True):
            def once(messages):
                options = {"add_generation_prompt": add_generation_prompt, **TOKENS}
                options["continue_final_message"] = not add_generation_prompt
                return render_jinja_template([messages], chat_template=template, **options)[0][0]

            try:
                return once(messages)
            except TemplateError:
                return once([m for m in messages if m["role"] != "system"])

        for task_name in ["choice_first", "choice_random", "contexts", "several", "words"]:
            for multiturn in [True, False]:
                for instruction in [None, "Be brief."]:
                    task = manager.load([task_name])["tasks"][task_name]
                    task.set_fewshot_seed(seed=1234)
                    task.build_all_requests(
                        limit=2, rank=0, world_size=1, system_instruction=instruction, apply_chat_template=True,
                        fewshot_as_multiturn=multiturn, chat_template=render,
                    )
                    requests = [[i.doc_id, *i.args[:1 if task_name == "several" else 2]] for i in task.instances]
                    case = {"template": name, "task": task_name, "multiturn": multiturn, "instruction": instruction}
                    cases.append({**case, "requests": requests})
    templates = {"plain": PLAIN, "strict": STRICT, "wordy": WORDY}
    lines = [json.dumps({"templates": templates, "tokens": TOKENS}, ensure_ascii=False)]
    write("chats.jsonl", "\n".join(lines + [json.dumps(c, ensure_ascii=False) for c in cases]) + "\n")


def texts():
    """BLEU of sacrebleu and ROUGE of rouge_score on made-up answers."""
    import sacrebleu
    from rouge_score.rouge_scorer import RougeScorer

    answers = [
        ("The otter swims, 3.5 km/h, in rivers.", ["An otter swims 3.5 km/h in rivers.", "Otters swim in rivers."]),
        ("a heron &amp; a frog", ["the heron & the frog"]),
        ("", ["nothing was said"]),
        ("Nine-tenths of badgers don't climb trees...", ["Nine - tenths of badgers do not climb trees."]),
        ("the the the the", ["the cat", "the the cat sat on the mat"]),
        ("Über den Wölken -\nund 12-14 Vögel", ["Über den Wolken und 12-14 Vögel!"]),
    ]
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    rouge = [{k: v.fmeasure for k, v in scorer.score(golds[0], answer).items()} for answer, golds in answers]

    def bleu(part):
        most = max(len(golds) for _, golds in part)
        references = [[golds[i] if i < len(golds) else None for _, golds in part] for i in range(most)]
        return sacrebleu.corpus_bleu([answer for answer, _ in part], references).score

    parts = [answers, answers[:1], answers[1:2], answers[3:], answers[2:3], answers[4:5]]
    cases = {"answers": answers, "rouge": rouge, "bleu": [[p, bleu(p)] for p in parts]}
    write("texts.json", json.dumps(cases, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    os.chdir(FOLDER)
    groups()
    chats()
    texts()
