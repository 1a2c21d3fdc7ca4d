"""ExtractionLevel: the one module that, stacked, is every family of the ladder.

Sources: shared-bottom (Caruana 1997), OMoE and MMoE (Ma et al., KDD 2018, eq. 5-7), CGC and PLE
(Tang et al., RecSys 2020, eq. 1-8).

Shapes: K tasks, G distinct task inputs (1 or K), B rows, I input width, S shared experts,
T experts of each task, N = S + K * T, H expert output width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automtl.models.layers import MLPBank
from automtl.models.plan import Bank, LevelPlan

__all__ = ["ExtractionLevel"]

# torch multiplies batches of matrices with fewer products than this by a plain loop, three times
# slower on the CPU; rows of zeros lift a mixture over it
SMALLEST_PRODUCT = 400


class ExtractionLevel(nn.Module):
    """Experts, and gates that mix them: task k's gate sees its own experts and the shared ones.

    A level that is not the last also mixes ALL its experts for the next level's shared experts.
    """

    is_own_K1K1: Tensor

    def __init__(self, plan: LevelPlan, *, dropout: float, generator: torch.Generator) -> None:
        super().__init__()
        self.num_shared = plan.num_shared
        self.num_task = plan.num_task

        def build(bank: Bank | None, *, is_expert: bool) -> MLPBank | None:
            if bank is None:
                return None
            rate = dropout if is_expert else 0.0
            return MLPBank(bank, activate=is_expert, dropout=rate, generator=generator)

        self.experts = build(plan.experts, is_expert=True)
        self.shared_experts = build(plan.shared_experts, is_expert=True)
        self.task_experts = build(plan.task_experts, is_expert=True)
        self.task_gates = build(plan.task_gates, is_expert=False)
        self.shared_gate = build(plan.shared_gate, is_expert=False)
        num_tasks = plan.task_gates.num_mlps if plan.task_gates else 0
        is_own = torch.eye(num_tasks)[:, None, :, None]
        self.register_buffer("is_own_K1K1", is_own, persistent=False)

    def forward(
        self, task_GBI: Tensor, shared_1BI: Tensor, gate_GBX: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """-> the tasks' mixtures [G', B, H] and the shared mixture [1, B, H].

        Gates read `gate_GBX` beside their input. Where nothing reads the shared mixture (the last
        level) it is the unchanged input.
        """
        experts_NBH = self._run_experts(task_GBI, shared_1BI)
        rows = self.gates(task_GBI, shared_1BI, gate_GBX)
        if not rows:  # each task sees one expert
            return experts_NBH, shared_1BI
        mixed_RBH = _mix(rows, experts_NBH)
        if self.shared_gate is None:
            return mixed_RBH, shared_1BI
        if self.task_gates is None:
            return experts_NBH, mixed_RBH
        task_KBH, shared_1BH = torch.split(mixed_RBH, [len(rows[0]), 1])
        return task_KBH, shared_1BH

    def gates(
        self, task_GBI: Tensor, shared_1BI: Tensor, gate_GBX: Tensor | None = None
    ) -> list[Tensor]:
        """The weights of every expert: those of the tasks' gates [K or 1, B, N] (0 for experts
        that a task does not see), then those of the shared gate [1, B, N]. Gates that are not
        built are left out.
        """
        rows = []
        if self.task_gates is not None:
            scores_KBE = self.task_gates(_beside(task_GBI, gate_GBX))
            rows.append(self._over_all(torch.softmax(scores_KBE, dim=-1)))
        if self.shared_gate is not None:
            scores_1BN = self.shared_gate(_beside(shared_1BI, gate_GBX))
            rows.append(torch.softmax(scores_1BN, dim=-1))
        return rows

    def _run_experts(self, task_GBI: Tensor, shared_1BI: Tensor) -> Tensor:
        """-> all experts [N, B, H]: the shared ones, then task by task."""
        if self.experts is not None:
            all_NBH: Tensor = self.experts(task_GBI)
            return all_NBH
        banks = ((self.shared_experts, shared_1BI), (self.task_experts, task_GBI))
        outputs = [bank(x) for bank, x in banks if bank is not None]
        return torch.cat(outputs) if len(outputs) > 1 else outputs[0]

    def _over_all(self, seen_KBE: Tensor) -> Tensor:
        """Weights over the experts that a task sees -> over all [K, B, N]: 0 for the others'."""
        if not self.num_task:
            return seen_KBE
        shared_KBS, own_KBT = torch.split(seen_KBE, [self.num_shared, self.num_task], dim=-1)
        own_KBM = (own_KBT[:, :, None] * self.is_own_K1K1).flatten(2)
        return torch.cat([shared_KBS, own_KBM], dim=-1)


def _mix(rows: list[Tensor], experts_NBH: Tensor) -> Tensor:
    """Weights [R, B, N], in parts, times experts -> [R, B, H]: one small product a row of B.

    One product for all gates, zeros included, is up to four times as fast as one a gate.
    """
    num_rows, size = sum(len(part) for part in rows), experts_NBH.shape[0] * experts_NBH.shape[2]
    missing = -(-SMALLEST_PRODUCT // size) - num_rows
    if missing > 0:
        rows = [*rows, rows[0].new_zeros(missing, *rows[0].shape[1:])]
    weights_RBN = torch.cat(rows) if len(rows) > 1 else rows[0]
    mixed_BRH = torch.bmm(weights_RBN.transpose(0, 1), experts_NBH.transpose(0, 1))
    mixed_RBH = mixed_BRH.transpose(0, 1)
    return mixed_RBH[:num_rows] if missing > 0 else mixed_RBH


def _beside(x_GBI: Tensor, gate_GBX: Tensor | None) -> Tensor:
    """The input of a gate: the chosen features first, since an input may end in padding."""
    if gate_GBX is None:
        return x_GBI
    return torch.cat([gate_GBX.expand(x_GBI.shape[0], -1, -1), x_GBI], dim=2)
