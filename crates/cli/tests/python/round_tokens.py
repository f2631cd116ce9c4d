"""What compressed-tensors rounds the inputs of linears to, token by token.

    round_tokens.py INPUTS.json    {"bits": …, "rows": [[…], …]}; the rounded rows as JSON
"""

import json
import sys

import torch
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import fake_quantize
from compressed_tensors.quantization.utils import compute_dynamic_scales_and_zp

inputs = json.load(open(sys.argv[1]))
rows = torch.tensor(inputs["rows"], dtype=torch.float32)[None]
arguments = QuantizationArgs(num_bits=inputs["bits"], type="int", symmetric=True, strategy="token", dynamic=True)
scale, zero_point = compute_dynamic_scales_and_zp(rows, arguments, torch.nn.Module())
print(json.dumps(fake_quantize(rows, scale, zero_point, arguments)[0].tolist()))
