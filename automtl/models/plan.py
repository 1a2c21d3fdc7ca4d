"""From a ModelConfig to the shapes of everything that will be built; no torch.

The one place that knows what a family is. `model.py` builds these shapes, `cost.py` counts them.
"""

from __future__ import annotations

from dataclasses import dataclass

from automtl.config import FeatureSchema, ModelConfig
from automtl.models.inputs import InputPlan, Lookup, Pool, plan_inputs

__all__ = ["Bank", "LevelPlan", "ModelPlan", "attending", "plan_model"]

ATTENTION_WIDTH = 36  # hidden units of the unit that scores a sequence's items (Zhou et al. 2018)


@dataclass(frozen=True, slots=True)
class Bank:
    """`num_inputs * per_input` MLPs of the same widths; `per_input` of them read each input.

    `dims` are the widths from input to output, so `len(dims) - 1` layers.
    """

    num_inputs: int
    per_input: int
    dims: tuple[int, ...]

    @property
    def num_mlps(self) -> int:
        return self.num_inputs * self.per_input

    @property
    def num_params(self) -> int:
        layers = zip(self.dims, self.dims[1:], strict=False)
        return self.num_mlps * sum((fan_in + 1) * fan_out for fan_in, fan_out in layers)

    @property
    def flops(self) -> int:
        """Multiplications and additions of one example's forward pass."""
        layers = zip(self.dims, self.dims[1:], strict=False)
        return self.num_mlps * sum(2 * fan_in * fan_out for fan_in, fan_out in layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPlan:
    """One extraction level. None stands for what is not built.

    Gates read their input and, beside it, the features of `ModelPlan.gate_slices`.
    Where task and shared experts read the same input they are ONE bank, `experts`: the shared
    ones first, then task by task. Elsewhere they are `shared_experts` and `task_experts`.
    A gate's outputs are in the same order: shared experts, then task experts.
    """

    num_shared: int
    num_task: int
    experts: Bank | None
    shared_experts: Bank | None
    task_experts: Bank | None
    task_gates: Bank | None
    shared_gate: Bank | None
    num_outputs: int  # distinct outputs for the tasks: 1 where all tasks read the same, else K

    @property
    def banks(self) -> tuple[Bank, ...]:
        every = (
            self.experts,
            self.shared_experts,
            self.task_experts,
            self.task_gates,
            self.shared_gate,
        )
        return tuple(bank for bank in every if bank is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """All shapes of one model: copies of the input, extraction levels, towers.

    `attention` holds, for each pool that attends, the bank that scores its items.
    """

    num_tasks: int
    inputs: InputPlan
    num_copies: int  # of tables and all that makes the input: 1, or K where nothing is shared
    attention: tuple[Bank, ...]
    gate_slices: tuple[tuple[int, int], ...]
    levels: tuple[LevelPlan, ...]
    towers: Bank

    @property
    def embedding_params(self) -> int:
        return self.num_copies * self.inputs.num_embedding_params

    @property
    def dense_params(self) -> int:
        banks = [*self.attention, *(bank for level in self.levels for bank in level.banks)]
        codes = self.num_copies * self.inputs.num_code_params
        return codes + sum(bank.num_params for bank in [*banks, self.towers])

    @property
    def flops(self) -> int:
        """Multiplications and additions of one example's forward pass through the dense part."""
        lengths = [pool.length for lookup in self.inputs.lookups for pool in attending(lookup)]
        pairs = zip(self.attention, lengths, strict=True)
        codes = 2 * self.num_copies * self.inputs.num_code_params
        levels = sum(bank.flops for level in self.levels for bank in level.banks)
        return codes + sum(bank.flops * n for bank, n in pairs) + levels + self.towers.flops


def attending(lookup: Lookup) -> tuple[Pool, ...]:
    """The pools whose items are weighed against a target."""
    return tuple(pool for pool in lookup.pools if pool.target is not None)


def plan_model(config: ModelConfig, features: FeatureSchema, *, num_tasks: int) -> ModelPlan:
    """The shapes of `config` for `num_tasks` tasks over `features` (DESIGN: the ladder).

    single_task and shared_embedding are levels with one expert of each task's own; shared_bottom
    has one shared expert; omoe and mmoe have only shared ones; cgc has both; ple stacks cgc.
    """
    num_shared, num_task, one_gate, num_levels = _experts_of(config)
    inputs = plan_inputs(config, features)
    num_copies = num_tasks if config.family == "single_task" else 1
    kept = [name for name in config.gate_features if name in inputs.slices]
    gate_slices = tuple(inputs.slices[name] for name in kept)
    levels: list[LevelPlan] = []
    width, num_inputs = inputs.width, num_copies
    for index in range(num_levels):
        level = _plan_level(
            config,
            width=width,
            gate_width=width + sum(stop - start for start, stop in gate_slices),
            num_tasks=num_tasks,
            num_inputs=num_inputs,
            num_shared=num_shared,
            num_task=num_task,
            one_input=index == 0 and num_copies == 1,
            one_gate=one_gate,
            is_last=index == num_levels - 1,
        )
        levels.append(level)
        width, num_inputs = config.expert_dims[-1], level.num_outputs
    return ModelPlan(
        num_tasks=num_tasks,
        inputs=inputs,
        num_copies=num_copies,
        attention=tuple(
            Bank(num_copies, 1, (4 * lookup.width, ATTENTION_WIDTH, 1))
            for lookup in inputs.lookups
            for _ in attending(lookup)
        ),
        gate_slices=gate_slices,
        levels=tuple(levels),
        towers=Bank(num_inputs, num_tasks // num_inputs, (width, *config.tower_dims, 1)),
    )


def _experts_of(config: ModelConfig) -> tuple[int, int, bool, int]:
    """(shared experts, experts of each task, one gate for all tasks?, levels) of a family."""
    match config.family:
        case "single_task" | "shared_embedding":
            return 0, 1, False, 1
        case "shared_bottom":
            return 1, 0, False, 1
        case "omoe":
            return config.num_shared_experts, 0, True, 1
        case "mmoe":
            return config.num_shared_experts, 0, config.num_gates == 1, 1
        case "cgc":
            return config.num_shared_experts, config.num_task_experts, False, 1
        case "ple":
            return config.num_shared_experts, config.num_task_experts, False, config.num_levels


def _plan_level(
    config: ModelConfig,
    *,
    width: int,
    gate_width: int,
    num_tasks: int,
    num_inputs: int,
    num_shared: int,
    num_task: int,
    one_input: bool,
    one_gate: bool,
    is_last: bool,
) -> LevelPlan:
    expert_dims = (width, *config.expert_dims)
    seen_by_task, seen_by_all = num_shared + num_task, num_shared + num_tasks * num_task
    num_gates = 1 if one_gate else num_tasks

    def gates(num_inputs: int, per_input: int, num_seen: int) -> Bank | None:
        if num_seen < 2:  # a gate over one expert would get no gradient
            return None
        return Bank(num_inputs, per_input, (gate_width, *config.gate_dims, num_seen))

    task_gates = gates(num_inputs, num_gates // num_inputs, seen_by_task)
    return LevelPlan(
        num_shared=num_shared,
        num_task=num_task,
        experts=Bank(1, seen_by_all, expert_dims) if one_input else None,
        shared_experts=Bank(1, num_shared, expert_dims) if num_shared and not one_input else None,
        task_experts=(
            Bank(num_tasks, num_task, expert_dims) if num_task and not one_input else None
        ),
        task_gates=task_gates,
        shared_gate=None if is_last else gates(1, 1, seen_by_all),
        num_outputs=num_tasks if num_task or (task_gates and not one_gate) else 1,
    )
