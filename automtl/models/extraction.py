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


class ExtractionLevel(nn.Module):
    """Experts, and gates that mix them: task k's gate sees its own experts and the shared ones.

    A level that is not the last also mixes ALL its experts for the next level's shared experts.
    """

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

    def forward(self, task_GBI: Tensor, shared_BI: Tensor) -> tuple[Tensor, Tensor]:
        """-> the tasks' mixtures [G', B, H] and the shared mixture [B, H].

        Where nothing reads the shared mixture (the last level) it is the unchanged input.
        """
        shared_SBH, task_KTBH = self._run_experts(task_GBI, shared_BI)
        mixed_GBH = self._mix_for_tasks(task_GBI, shared_SBH, task_KTBH)
        if self.shared_gate is None:
            return mixed_GBH, shared_BI
        weights_BN = torch.softmax(self.shared_gate(shared_BI[None])[0], dim=-1)
        all_NBH = torch.cat([shared_SBH, task_KTBH.flatten(0, 1)])
        return mixed_GBH, torch.einsum("bn,nbh->bh", weights_BN, all_NBH)

    def _run_experts(self, task_GBI: Tensor, shared_BI: Tensor) -> tuple[Tensor, Tensor]:
        """-> shared experts [S, B, H] and task experts [K, T, B, H]; S or T may be 0."""
        if self.experts is not None:
            all_NBH = self.experts(task_GBI)
            shared_SBH, task_MBH = all_NBH[: self.num_shared], all_NBH[self.num_shared :]
        else:
            outputs = [
                bank(x)
                for bank, x in (
                    (self.shared_experts, shared_BI[None]),
                    (self.task_experts, task_GBI),
                )
                if bank is not None
            ]
            shared_SBH = outputs[0] if self.num_shared else outputs[0][:0]
            task_MBH = outputs[-1] if self.num_task else outputs[-1][:0]
        num_task = max(self.num_task, 1)
        return shared_SBH, task_MBH.unflatten(0, (task_MBH.shape[0] // num_task, num_task))

    def _mix_for_tasks(self, task_GBI: Tensor, shared_SBH: Tensor, task_KTBH: Tensor) -> Tensor:
        if self.task_gates is None:  # each task sees one expert
            return task_KTBH[:, 0] if self.num_task else shared_SBH
        weights_KBE = torch.softmax(self.task_gates(task_GBI), dim=-1)
        own_KBT = weights_KBE[..., self.num_shared :]
        shared_KBS = weights_KBE[..., : self.num_shared]
        if not self.num_task:
            return torch.einsum("kbs,sbh->kbh", shared_KBS, shared_SBH)
        own_KBH = torch.einsum("kbt,ktbh->kbh", own_KBT, task_KTBH)
        if not self.num_shared:
            return own_KBH
        return own_KBH + torch.einsum("kbs,sbh->kbh", shared_KBS, shared_SBH)
