"""All embedding tables in one parameter: one gather a batch, sparse gradients.

Shapes: B rows, C id columns, G embedding copies (1, or one a task), D embedding width,
V rows of all tables, F numeric columns, E width of the output.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from automtl.config import FeatureSchema

__all__ = ["EmbeddingStore"]

INITIAL_STD = 0.01


class EmbeddingStore(nn.Module):
    """Ids and numbers of a row -> the trunk's input, once for each of G copies of the tables.

    Categorical features are looked up, sequences averaged over their items (id 0 is padding and
    leaves no trace; an empty sequence is the zero vector), numeric columns passed through.
    """

    offsets_G1C: Tensor

    def __init__(
        self,
        features: FeatureSchema,
        *,
        embedding_dim: int,
        num_copies: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.num_categorical = len(features.categorical)
        self.sequence_lengths = tuple(feature.max_len for feature in features.sequence)
        self.num_copies = num_copies
        num_rows = features.num_embedding_rows
        table = torch.empty(num_copies * num_rows, embedding_dim)
        self.weight = nn.Parameter(table.normal_(std=INITIAL_STD, generator=generator))

        sizes = [table.num_rows for table in features.tables]
        starts = dict(
            zip(
                (table.name for table in features.tables),
                itertools.accumulate(sizes, initial=0),
                strict=False,
            )
        )
        columns = [starts[feature.table] for feature in features.categorical]
        for sequence in features.sequence:
            columns += [starts[sequence.table]] * sequence.max_len
        copies = torch.arange(num_copies) * num_rows
        offsets_G1C = copies[:, None, None] + torch.tensor(columns, dtype=torch.long)
        self.register_buffer("offsets_G1C", offsets_G1C, persistent=False)

    def forward(self, ids_BC: Tensor, numeric_BF: Tensor) -> Tensor:
        """[B, C] ids local to their tables and [B, F] numbers -> [G, B, E]."""
        num_rows = ids_BC.shape[0]
        rows_GBC = ids_BC + self.offsets_G1C
        vectors_GBCD = nn.functional.embedding(rows_GBC, self.weight, sparse=True)
        parts = [vectors_GBCD[:, :, : self.num_categorical].flatten(2)]
        start = self.num_categorical
        for length in self.sequence_lengths:
            items_GBLD = vectors_GBCD[:, :, start : start + length]
            present_BL1 = (ids_BC[:, start : start + length] > 0).to(items_GBLD.dtype)[..., None]
            total_GBD = (items_GBLD * present_BL1).sum(2)
            parts.append(total_GBD / present_BL1.sum(1).clamp(min=1.0))
            start += length
        parts.append(numeric_BF.expand(self.num_copies, num_rows, -1))
        return torch.cat(parts, dim=2)
