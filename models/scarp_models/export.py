"""PyTorch → ONNX: dynamic batch and size, batch norms folded, weights stored as float16."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from .bbunet import BANDS, TERRAIN, BBUnet, Exportable

OPSET = 17
INPUTS = {"pre": len(BANDS), "post": len(BANDS), "dem": len(TERRAIN)}
OUTPUT = "logits"
_SMALL = 256  # tensors with fewer elements (biases, scalars) stay float32


@dataclass(frozen=True)
class Exported:
    """An exported network."""

    path: Path
    sha256: str
    size: int  # bytes
    parameters: int


def export_bbunet(model: BBUnet, path: Path, metadata: dict[str, str], half: bool = True) -> Exported:
    """Writes ``model`` to ``path`` as ONNX.

    Inputs ``pre`` and ``post`` (N,12,H,W) and ``dem`` (N,4,H,W), output ``logits`` (N,1,H,W), N free,
    H and W any multiples of 32. With ``half`` the weights lie in the file as float16, each behind a
    Cast to float32 that ONNX Runtime folds when it loads the file: half the size, float32 arithmetic.
    ``metadata`` goes into the file's custom metadata.
    """
    model = fold_batch_norms(model)
    graph = _trace(model)
    if half:
        store_weights_as_half(graph)
    # Traced names carry the path of the source tree, which is nobody's business.
    for node in graph.graph.node:
        node.doc_string = ""
    graph.doc_string = ""
    graph.producer_name = "scarp"
    helper.set_model_props(graph, metadata)
    onnx.checker.check_model(graph, full_check=True)
    data = graph.SerializeToString()
    path.write_bytes(data)
    return Exported(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        parameters=sum(p.numel() for p in model.parameters()),
    )


def fold_batch_norms(model: BBUnet) -> BBUnet:
    """Gives a copy in which every batch norm is folded into the convolution before it."""
    folded = BBUnet()
    folded.load_state_dict(model.state_dict())
    folded.eval()
    for encoder in (folded.encoder, folded.dem_encoder):
        _fold(encoder, "conv1", "bn1")
        for layer in (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4):
            for block in layer:
                _fold(block, "conv1", "bn1")
                _fold(block, "conv2", "bn2")
                if block.downsample is not None:
                    _fold(block.downsample, "0", "1")
    for fusion in list(folded.fusion_module)[1:]:
        _fold(fusion.fusion, "0", "1")
        _fold(fusion.fusion, "3", "4")
    for block in folded.decoder.blocks:
        _fold(block.conv1, "0", "1")
        _fold(block.conv2, "0", "1")
    return folded


def _fold(parent: nn.Module, conv: str, norm: str) -> None:
    """Replaces ``parent.conv`` and ``parent.norm`` by one convolution and an identity."""
    fused = nn.utils.fuse_conv_bn_eval(getattr(parent, conv), getattr(parent, norm))
    setattr(parent, conv, fused)
    setattr(parent, norm, nn.Identity())


def _trace(model: BBUnet) -> onnx.ModelProto:
    example = tuple(torch.zeros(1, channels, 64, 64) for channels in INPUTS.values())
    buffer = io.BytesIO()
    with torch.no_grad():
        torch.onnx.export(
            Exportable(model).eval(),
            example,
            buffer,
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes={name: {0: "N", 2: "H", 3: "W"} for name in (*INPUTS, OUTPUT)},
            opset_version=OPSET,
            do_constant_folding=True,
            dynamo=False,
        )
    return onnx.load_from_string(buffer.getvalue())


def store_weights_as_half(graph: onnx.ModelProto) -> None:
    """Replaces, in place, each large float32 initializer by a float16 one and a Cast back."""
    kept, casts = [], []
    for weight in graph.graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < _SMALL:
            kept.append(weight)
            continue
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ValueError(f"store weights of {weight.name} as float16: values exceed its range")
        stored = f"{weight.name}.half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(
            helper.make_node("Cast", [stored], [weight.name], name=f"cast {weight.name}", to=TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.graph.node]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
