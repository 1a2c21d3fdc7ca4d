"""Saved weights -> a model, trusting nothing about the file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from automtl.config import FeatureSchema, ModelConfig, TaskSchema
from automtl.export.tensors import check_size, damaged, unfit
from automtl.models.model import MultiTaskModel

__all__ = ["load_model"]


def load_model(
    path: Path, config: ModelConfig, features: FeatureSchema, tasks: tuple[TaskSchema, ...]
) -> MultiTaskModel:
    """The model of `config` with the weights in `path`, on the CPU, ready to predict.

    BundleError if the file is damaged, or does not hold exactly this model's float32 parameters.
    Nothing large is built before the file is known to be large enough for it.
    """
    check_size(path, config, features, tasks)
    try:
        state = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise damaged(path, error) from error
    try:
        model = MultiTaskModel(config, features, tasks, generator=torch.Generator())
        _check_tensors(path, state, model.state_dict())
        model.load_state_dict(state)
    except (
        RuntimeError,
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        AssertionError,
    ) as error:
        raise unfit(path, str(error)) from error
    return model.eval()


def _check_tensors(path: Path, found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found or name not in wanted:
            raise unfit(path, f"{name} is {'missing' if name in wanted else 'not part of it'}")
        if (found[name].dtype, found[name].shape) != (wanted[name].dtype, wanted[name].shape):
            raise unfit(
                path,
                f"{name} is {found[name].dtype} {tuple(found[name].shape)}, "
                f"not {wanted[name].dtype} {tuple(wanted[name].shape)}",
            )
        if not torch.isfinite(found[name]).all():
            raise unfit(path, f"{name} holds values that are not finite")
