"""What tests on a GPU begin with."""

import pytest
import torch

__all__ = ["NEEDS_GPU"]

NEEDS_GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]
