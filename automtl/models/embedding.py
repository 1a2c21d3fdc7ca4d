"""All embedding tables of one width in one parameter: one gather a batch and width.

Shapes: B rows, C id columns, F numeric columns, G copies (1, or one a task), c columns of one
lookup, D its width, V its rows, E width of the trunk's input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, embedding

from automtl.models.inputs import Lookup
from automtl.models.layers import GEMM_WIDTH, MLPBank
from automtl.models.numeric import PiecewiseLinear, bucket_ids, edge_matrix
from automtl.models.plan import ModelPlan
from automtl.models.pooling import attention_pool, mean_pool, sum_pool

__all__ = ["EmbeddingStore"]

INITIAL_STD = 0.01


class EmbeddingStore(nn.Module):
    """Ids and numbers of a row -> the trunk's input, once for each of G copies of the tables.

    Single ids are looked up, sequences pooled (id 0 is padding and leaves no trace; an empty
    sequence is the zero vector), numbers cut into bins or passed through (`inputs.py`).

    Training does in three calls what `forward` does in one, so that the tables get no gradient of
    their own size: `rows` says which rows a batch reads, `gather` reads them, `assemble` goes on
    from there, and the gradient of what was gathered updates those rows (`training/tables.py`).
    """

    bucket_edges_FT: Tensor
    bucketed_F: Tensor
    coded_F: Tensor
    scalars_F: Tensor

    def __init__(
        self,
        plan: ModelPlan,
        *,
        pooling: str,
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        inputs = plan.inputs
        self.plan, self.num_copies = inputs, plan.num_copies
        self.pooling, self.dropout = pooling, dropout
        self.weights = nn.ParameterList(
            _table(lookup, plan.num_copies, generator) for lookup in inputs.lookups
        )
        for number, lookup in enumerate(inputs.lookups):
            copies_G11 = torch.arange(plan.num_copies)[:, None, None] * lookup.num_rows
            starts_G1C = (copies_G11 + torch.tensor(lookup.starts)).to(
                _index_type(lookup, plan.num_copies)
            )
            self.register_buffer(f"starts{number}_G1C", starts_G1C, persistent=False)
            sources_C = torch.tensor(lookup.sources)
            self.register_buffer(f"sources{number}_C", sources_C, persistent=False)
        for name, columns in (
            ("bucketed_F", inputs.bucketed),
            ("coded_F", inputs.coded),
            ("scalars_F", inputs.scalars),
        ):
            index_F = torch.tensor(columns, dtype=torch.long)
            self.register_buffer(name, index_F, persistent=False)
        self.register_buffer("bucket_edges_FT", edge_matrix(inputs.bucket_edges), persistent=False)
        self.code = (
            PiecewiseLinear(
                inputs.code_edges,
                width=inputs.code_width,
                num_copies=plan.num_copies,
                generator=generator,
            )
            if inputs.coded
            else None
        )
        self.attention = nn.ModuleList(
            MLPBank(bank, activate=False, generator=generator) for bank in plan.attention
        )

    @property
    def width(self) -> int:
        """Of the input: the plan's, up to a multiple of GEMM_WIDTH; what is added is zero."""
        return -(-self.plan.width // GEMM_WIDTH) * GEMM_WIDTH

    def forward(self, ids_BC: Tensor, numeric_BF: Tensor) -> Tensor:
        """[B, C] ids local to their tables and [B, F] numbers -> [G, B, E]."""
        rows = self.rows(ids_BC, numeric_BF)
        vectors = [embedding(one, w) for one, w in zip(rows, self.weights, strict=True)]
        return self.assemble(vectors, ids_BC, numeric_BF)

    def rows(self, ids_BC: Tensor, numeric_BF: Tensor) -> list[Tensor]:
        """For each width the rows of its parameter that the batch reads, [G, B, c]."""
        if self.plan.bucketed:
            numbers_BF = numeric_BF.index_select(1, self.bucketed_F)
            buckets_BF = bucket_ids(numbers_BF, self.bucket_edges_FT)
            ids_BC = torch.cat([ids_BC, buckets_BF], dim=1)
        return [
            _columns(ids_BC, lookup.sources, getattr(self, f"sources{number}_C"))
            + getattr(self, f"starts{number}_G1C")
            for number, lookup in enumerate(self.plan.lookups)
        ]

    def gather(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """The vectors at `rows`, [G, B, c, D] each: leaves whose gradient can be asked for."""
        with torch.no_grad():
            vectors = [embedding(one, w) for one, w in zip(rows, self.weights, strict=True)]
        return [one.requires_grad_() for one in vectors]

    def assemble(self, vectors: Sequence[Tensor], ids_BC: Tensor, numeric_BF: Tensor) -> Tensor:
        """Gathered vectors, ids (for the padding of sequences) and numbers -> [G, B, E]."""
        parts: list[Tensor] = []
        units = cast("Iterator[MLPBank]", iter(self.attention))
        for lookup, vectors_GBCD in zip(self.plan.lookups, vectors, strict=True):
            lengths = [len(lookup.singles), *(pool.length for pool in lookup.pools)]
            singles_GBCD, *items = torch.split(vectors_GBCD, lengths, dim=2)
            parts.append(singles_GBCD.flatten(2))
            parts += self._pools(lookup, singles_GBCD, items, ids_BC, units)
        if self.dropout and self.training:
            parts = [dropout(part, self.dropout) for part in parts]
        if self.code is not None:
            parts.append(self.code(numeric_BF.index_select(1, self.coded_F)))
        scalars_BF = _columns(numeric_BF, self.plan.scalars, self.scalars_F)
        pad = self.width - self.plan.width
        if pad:
            scalars_BF = nn.functional.pad(scalars_BF, (0, pad))
        parts.append(scalars_BF.expand(self.num_copies, -1, -1))
        return torch.cat(parts, dim=2)

    def _pools(
        self,
        lookup: Lookup,
        singles_GBCD: Tensor,
        items: Sequence[Tensor],
        ids_BC: Tensor,
        units: Iterator[MLPBank],
    ) -> Iterator[Tensor]:
        """Each sequence as one vector, from the vectors of its items [G, B, L, D]."""
        for pool, items_GBLD in zip(lookup.pools, items, strict=True):
            first = lookup.sources[pool.start]
            present_BL = (ids_BC[:, first : first + pool.length] > 0).to(items_GBLD.dtype)
            if pool.target is not None:
                target_GBD = singles_GBCD[:, :, pool.target]
                yield attention_pool(items_GBLD, present_BL, target_GBD, next(units))
            elif self.pooling == "sum":
                yield sum_pool(items_GBLD, present_BL)
            else:
                yield mean_pool(items_GBLD, present_BL)


def _table(lookup: Lookup, num_copies: int, generator: torch.Generator) -> nn.Parameter:
    table_VD = torch.empty(num_copies * lookup.num_rows, lookup.width)
    return nn.Parameter(table_VD.normal_(std=INITIAL_STD, generator=generator))


def _index_type(lookup: Lookup, num_copies: int) -> torch.dtype:
    """Half the bytes to move and to sort, where the rows can be counted in 32 bits."""
    return torch.int32 if num_copies * lookup.num_rows < 2**31 else torch.int64


def _columns(matrix_BC: Tensor, columns: Sequence[int], index_C: Tensor) -> Tensor:
    """The given columns; the matrix itself where that is all of them, in order."""
    if tuple(columns) == tuple(range(matrix_BC.shape[1])):
        return matrix_BC
    return matrix_BC.index_select(1, index_C)
