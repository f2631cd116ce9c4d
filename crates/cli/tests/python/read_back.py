"""Log-likelihoods that Transformers gives the requests of a file, with a model that junkdna wrote.

    read_back.py FOLDER|FILE.gguf REQUESTS.jsonl    one JSON list of log-likelihoods a line

Folders in the sparse layouts are expanded by the last release of compressed-tensors that read them, which lies beside the
interpreter's packages (see .ci/python).
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, CompressedTensorsConfig


def main():
    model, tokenizer = load(Path(sys.argv[1]))
    model.eval()
    for line in open(sys.argv[2]):
        request = json.loads(line)
        print(json.dumps([log_likelihood(model, tokenizer, request["context"], text) for text in request["continuations"]]))


def load(path):
    if path.suffix == ".gguf":
        model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
        return model, AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    tokenizer = AutoTokenizer.from_pretrained(path)
    config = json.loads((path / "config.json").read_text())
    sparsity = (config.get("quantization_config") or {}).get("sparsity_config") or {}
    if sparsity:
        with tempfile.TemporaryDirectory() as dense:
            expand(path, Path(dense), config, sparsity)
            return AutoModelForCausalLM.from_pretrained(dense, dtype=torch.float32), tokenizer
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **options(config)), tokenizer


def options(config):
    """Transformers 5.24 makes no room for packed zero points (compressed-tensors leaves them unpacked on the meta device);
    it reads them where it dequantizes at once."""
    groups = (config.get("quantization_config") or {}).get("config_groups") or {}
    if all(group["weights"]["symmetric"] or group["format"] == "int-quantized" for group in groups.values()):
        return {}
    return {"quantization_config": CompressedTensorsConfig(dequantize=True)}


def expand(path, dense, config, sparsity):
    """Writes the folder of floats that a sparse folder stands for, as the older package expands it."""
    import subprocess

    old = Path(sys.prefix) / "compressed-tensors-0.14"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from compressed_tensors.compressors.base import BaseCompressor\n"
        "from compressed_tensors.config import SparsityCompressionConfig\n"
        "from safetensors.torch import save_file\n"
        "import json\n"
        "sparsity = json.loads(sys.argv[4])\n"
        "config = SparsityCompressionConfig.load_from_registry(sparsity['format'], **sparsity)\n"
        "compressor = BaseCompressor.load_from_registry(sparsity['format'], config=config)\n"
        "tensors = {name: value.float().contiguous() for name, value in compressor.decompress(sys.argv[2])}\n"
        "save_file(tensors, sys.argv[3] + '/model.safetensors', metadata={'format': 'pt'})\n"
    )
    command = [sys.executable, "-c", code, str(old), str(path), str(dense), json.dumps(sparsity)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    config = {key: value for key, value in config.items() if key != "quantization_config"}
    (dense / "config.json").write_text(json.dumps(config))


@torch.no_grad()
def log_likelihood(model, tokenizer, context, text):
    encode = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    if context:
        first, ids = len(encode(context)), encode(context + text)
    else:
        # Something has to come before the first token: what lm-evaluation-harness takes for an empty context.
        start = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        first, ids = 1, [start, *encode(text)]
    logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(logits[i - 1, ids[i]].item() for i in range(first, len(ids)))


if __name__ == "__main__":
    main()
