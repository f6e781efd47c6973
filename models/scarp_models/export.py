"""PyTorch → ONNX: dynamic batch and size, batch norms folded, weights stored as float16 or float32."""

from __future__ import annotations

import copy
import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from .networks import Network

OPSET = 17
OUTPUT = "logits"
_SMALL = 256  # tensors with fewer elements (biases, scalars) stay float32


@dataclass(frozen=True)
class Exported:
    """An exported network."""

    path: Path
    sha256: str
    size: int  # bytes
    parameters: int


def export(network: Network, model: nn.Module, path: Path, metadata: dict[str, str], half: bool = True) -> Exported:
    """Writes ``model``, built by ``network``, to ``path`` as ONNX.

    The inputs are called as ``network.inputs`` says, the output ``logits``: N,classes,H,W with N free and H
    and W any multiples of the network's stride. With ``half`` the weights lie in the file as float16, each
    behind a Cast to float32 that ONNX Runtime folds when it loads the file: half the size, float32
    arithmetic. ``metadata`` goes into the file's custom metadata, with the network's name and kind and the
    precision.
    """
    graph = _trace(network, fold_batch_norms(model.eval(), _example(network)))
    parameters = count_weights(graph)
    if half:
        store_weights_as_half(graph)
    facts = {"network": network.name, "kind": network.kind, "precision": "float16 weights" if half else "float32"}
    return save(graph, path, facts | metadata, parameters)


def save(graph: onnx.ModelProto, path: Path, metadata: dict[str, str], parameters: int) -> Exported:
    """Writes a graph with its metadata."""
    # Traced names carry the path of the source tree, which is nobody's business.
    for node in graph.graph.node:
        node.doc_string = ""
    graph.doc_string = ""
    graph.producer_name, graph.producer_version = "scarp", ""
    helper.set_model_props(graph, metadata)
    onnx.checker.check_model(graph, full_check=True)
    data = graph.SerializeToString()
    path.write_bytes(data)
    return Exported(path, hashlib.sha256(data).hexdigest(), len(data), parameters)


def _example(network: Network, size: int = 64) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand(1, len(c), size, size, generator=generator) for c in network.inputs.values())


def fold_batch_norms(model: nn.Module, example: tuple[Tensor, ...]) -> nn.Module:
    """Gives a copy in which batch norms are folded into the convolutions before them.

    Which convolution comes before a batch norm is seen by running the network on ``example``, so the
    network's own code decides, not the names of its members. A ValueError says that folding has changed
    the result, as it would if a convolution's output went elsewhere too.
    """
    folded = copy.deepcopy(model).eval()
    sources: dict[int, nn.Conv2d] = {}
    kept: list[Tensor] = []  # a tensor's id is its own only while it is alive
    pairs: dict[nn.BatchNorm2d, set[nn.Conv2d | None]] = {}

    def leaves(conv: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> None:
        sources[id(output)] = conv
        kept.append(output)

    def enters(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        pairs.setdefault(norm, set()).add(sources.get(id(inputs[0])))

    hooks = [m.register_forward_hook(leaves) for m in folded.modules() if isinstance(m, nn.Conv2d)]
    hooks += [m.register_forward_pre_hook(enters) for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        before = folded(*example).clone()
        for hook in hooks:
            hook.remove()
        for norm, convs in pairs.items():
            (conv,) = convs if len(convs) == 1 else (None,)
            if conv is not None:
                _fold(conv, norm)
        after = folded(*example)
    scale = before.abs().max().clamp_min(1)
    if not torch.allclose(after / scale, before / scale, atol=1e-3):
        raise ValueError("fold batch norms: the result is another one")
    return folded


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Moves what the batch norm does into the convolution, and makes it do nothing."""
    conv.weight, conv.bias = nn.utils.fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    norm.forward = lambda x: x  # type: ignore[method-assign]


class _Traced(nn.Module):
    """Lets the names of weights in the file begin with ``model.``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.model(*inputs)


def _trace(network: Network, model: nn.Module) -> onnx.ModelProto:
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, about sizes that it takes for constants and doesn't
        torch.onnx.export(
            _Traced(model).eval(),
            _example(network),
            buffer,
            input_names=list(network.inputs),
            output_names=[OUTPUT],
            dynamic_axes={name: {0: "N", 2: "H", 3: "W"} for name in (*network.inputs, OUTPUT)},
            opset_version=OPSET,
            do_constant_folding=True,
            dynamo=False,
        )
    return onnx.load_from_string(buffer.getvalue())


def count_weights(graph: onnx.ModelProto) -> int:
    """Number of weights in a graph: what runs, batch norms folded, parts that are never used left out."""
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16)
    return sum(int(np.prod(w.dims)) for w in graph.graph.initializer if w.data_type in floats)


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
    _replace(graph, [*casts, *graph.graph.node], kept)


def restore_weights(graph: onnx.ModelProto) -> None:
    """Undoes :func:`store_weights_as_half`, in place (the rounding stays)."""
    stored = {w.name: w for w in graph.graph.initializer if w.data_type == TensorProto.FLOAT16}
    kept = [w for w in graph.graph.initializer if w.name not in stored]
    nodes = []
    for node in graph.graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            values = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
            kept.append(numpy_helper.from_array(values, node.output[0]))
        else:
            nodes.append(node)
    _replace(graph, nodes, kept)


def _replace(graph: onnx.ModelProto, nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto]) -> None:
    nodes = list(nodes)
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(weights)
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
