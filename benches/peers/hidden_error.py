#!/usr/bin/env python3
"""How far an encoder's last hidden states are from another's, as one JSON line: ‖A − B‖ / ‖B‖ over all tokens, and the
mean cosine of the two.

    hidden_error.py DENSE_DIR MODEL_DIR TOKENS.jsonl [--length 256] [--samples N]

Each sequence stands alone. `--samples` takes the first N sequences; default: all.
"""
import json

import torch
from model_runs import add_held_out, held_out, parser_of
from transformers import AutoModel


def main():
    parser = parser_of(__doc__)
    parser.add_argument("dense")
    add_held_out(parser)
    arguments = parser.parse_args()

    sequences = held_out(arguments)
    dense, model = (
        AutoModel.from_pretrained(folder, dtype=torch.float32).eval() for folder in [arguments.dense, arguments.model]
    )
    off, size, cosines = 0.0, 0.0, []
    with torch.inference_mode():
        for ids in sequences:
            expected, found = (encoder(ids[None]).last_hidden_state[0] for encoder in [dense, model])
            off += (found - expected).square().sum().item()
            size += expected.square().sum().item()
            cosines.append(torch.nn.functional.cosine_similarity(found, expected, dim=1).mean().item())
    print(json.dumps({"relative_error": (off / size) ** 0.5, "cosine": sum(cosines) / len(cosines)}))


if __name__ == "__main__":
    main()
