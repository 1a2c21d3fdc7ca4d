"""The `space` block of a spec: one block a family with its own knobs, and the knobs of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field

from automtl.config import (
    FAMILIES,
    Dependency,
    EmbeddingOptimizer,
    Family,
    NumericEncoding,
    SequencePooling,
)
from automtl.spec.base import Block
from automtl.spec.domains import Domain, Fixed
from automtl.spec.knob_rule import KnobRule
from automtl.spec.scalars import Columns, Dims, OneOf, Real, Whole

__all__ = ["FAMILY_BLOCKS", "CountKnob", "FamilySpec", "PositiveKnob", "SpaceSpec"]

CountKnob = Annotated[Domain, KnobRule(Whole(low=1))]
PositiveKnob = Annotated[Domain, KnobRule(Real(above=0))]
ShareKnob = Annotated[Domain, KnobRule(Real(low=0, below=1))]
FeaturesKnob = Annotated[Domain, KnobRule(Columns())]


class FamilySpec(Block):
    """One way to share; its knobs are its fields beside `family`."""

    @classmethod
    def knob_names(cls) -> tuple[str, ...]:
        """The knobs that this family has of its own."""
        return tuple(name for name in cls.model_fields if name != "family")

    def knobs(self) -> dict[str, Domain]:
        """Each knob's domain, in the order of the fields."""
        return {name: getattr(self, name) for name in self.knob_names()}

    @classmethod
    def hint_for_unknown(cls, key: str) -> str:
        if owners := [name for name, block in FAMILY_BLOCKS.items() if key in block.model_fields]:
            own = ", ".join(cls.knob_names()) or "none"
            return f"a knob of {', '.join(owners)}; the knobs of this family: {own}"
        if key in SpaceSpec.model_fields:
            return "it holds for all families: write it one level up, under space"
        return super().hint_for_unknown(key)


def _num_shared(what: str) -> Any:
    return Field(description=what, examples=[{"int": [2, 8]}])


class SingleTaskSpec(FamilySpec):
    """A model of its own for every task: the zero line of negative transfer."""

    family: Literal["single_task"]


class SharedEmbeddingSpec(FamilySpec):
    """Shared embeddings, everything else of a task's own (with esmm: the paper's ESMM)."""

    family: Literal["shared_embedding"]


class SharedBottomSpec(FamilySpec):
    """One expert for all tasks."""

    family: Literal["shared_bottom"]


class OmoeSpec(FamilySpec):
    """Several shared experts, mixed by one gate for all tasks."""

    family: Literal["omoe"]
    num_shared_experts: CountKnob = _num_shared("experts that all tasks see")


class MmoeSpec(FamilySpec):
    """Several shared experts, mixed by a gate for each task (Ma et al., KDD 2018)."""

    family: Literal["mmoe"]
    num_shared_experts: CountKnob = _num_shared("experts that all tasks see")
    num_gates: Annotated[Domain, KnobRule(OneOf((1, "per_task")))] = Field(
        Fixed("per_task"), description="per_task, or 1 gate for all tasks (which is omoe)"
    )


class CgcSpec(FamilySpec):
    """Shared experts, and experts of a task's own (Tang et al., RecSys 2020)."""

    family: Literal["cgc"]
    num_shared_experts: CountKnob = _num_shared("experts that all tasks see")
    num_task_experts: CountKnob = _num_shared("experts that only one task sees, for each task")


class PleSpec(FamilySpec):
    """CGC levels on top of each other (Tang et al., RecSys 2020)."""

    family: Literal["ple"]
    num_levels: Annotated[Domain, KnobRule(Whole(low=2))] = Field(
        description="levels of experts; one level is cgc", examples=[{"int": [2, 3]}]
    )
    num_shared_experts: CountKnob = _num_shared("shared experts of each level")
    num_task_experts: CountKnob = _num_shared("experts of each task at each level")


FAMILY_BLOCKS: Mapping[Family, type[FamilySpec]] = {
    "single_task": SingleTaskSpec,
    "shared_embedding": SharedEmbeddingSpec,
    "shared_bottom": SharedBottomSpec,
    "omoe": OmoeSpec,
    "mmoe": MmoeSpec,
    "cgc": CgcSpec,
    "ple": PleSpec,
}
AnyFamilySpec = Annotated[
    SingleTaskSpec
    | SharedEmbeddingSpec
    | SharedBottomSpec
    | OmoeSpec
    | MmoeSpec
    | CgcSpec
    | PleSpec,
    Discriminator("family"),
]


class SpaceSpec(Block):
    """What may vary. A bare value is fixed; {int: ...}, {float: ...} and {choice: ...} are free."""

    embedding_dim: CountKnob = Field(Fixed(16), description="width of every embedding")
    embedding_dims: Mapping[str, CountKnob] = Field(
        {}, description="widths by column, where they differ from embedding_dim"
    )
    embedding_dropout: ShareKnob = Field(
        Fixed(0.0), description="share of embedded inputs dropped while training"
    )
    sequence_pooling: Annotated[Domain, KnobRule(OneOf(get_args(SequencePooling)))] = Field(
        Fixed("mean"),
        description="how a sequence becomes one vector: mean, sum, or attention to the id of the"
        " column whose embeddings it shares",
    )
    numeric_encoding: Annotated[Domain, KnobRule(OneOf(get_args(NumericEncoding)))] = Field(
        Fixed("standard"),
        description="how a number enters: standard, a scalar; buckets, an embedding of its bin;"
        " piecewise_linear, a vector that is linear within each bin",
    )
    drop_features: FeaturesKnob = Field(
        Fixed(()),
        description="features to leave out; {choice: [[], [user_id]]} asks whether they help",
    )
    gate_features: FeaturesKnob = Field(
        Fixed(()),
        description="features that every gate reads beside its input: a domain, a scenario",
    )
    sharing: tuple[AnyFamilySpec, ...] = Field(
        description="the families to search over, one block each",
        examples=[[{"family": "shared_bottom"}]],
    )
    dependency: Annotated[Domain, KnobRule(OneOf(get_args(Dependency)))] = Field(
        Fixed("none"),
        description="none: a task with `given` learns from the rows of its condition;"
        " esmm: from all rows, through the product of probabilities",
    )
    expert_dims: Annotated[Domain, KnobRule(Dims(1))] = Field(
        Fixed((128, 64)), description="layer widths of an expert"
    )
    tower_dims: Annotated[Domain, KnobRule(Dims())] = Field(
        Fixed((32,)), description="layer widths of a task's tower, without its output"
    )
    gate_dims: Annotated[Domain, KnobRule(Dims())] = Field(
        Fixed(()), description="hidden layer widths of a gate; [] is a linear gate"
    )
    dropout: ShareKnob = Field(
        Fixed(0.0), description="share of hidden units dropped while training"
    )
    loss_weights: Mapping[str, PositiveKnob] = Field(
        {}, description="how much a task's loss counts; 1 where left out"
    )
    weighting: Annotated[Domain, KnobRule(OneOf(("fixed", "decay", "uncertainty")))] = Field(
        Fixed("fixed"),
        description="fixed: loss_weights; decay: times loss_decay to the power of epochs;"
        " uncertainty: learned, loss_weights do not apply",
    )
    loss_decay: Mapping[str, PositiveKnob] = Field(
        {}, description="factor an epoch on a task's weight, for weighting: decay; 1 if left out"
    )
    lr: PositiveKnob = Field(Fixed(1e-3), description="learning rate of the dense part (AdamW)")
    embedding_optimizer: Annotated[Domain, KnobRule(OneOf(get_args(EmbeddingOptimizer)))] = Field(
        Fixed("adagrad"),
        description="optimizer of the embeddings: adagrad; rowwise_adagrad, with a single number of"
        " state a row; adam, whose moments change only where a batch reads",
    )
    embedding_lr: PositiveKnob = Field(Fixed(0.05), description="learning rate of the embeddings")
    embedding_l2: Annotated[Domain, KnobRule(Real(low=0))] = Field(
        Fixed(0.0), description="L2 penalty on the embeddings that a batch reads"
    )
    weight_decay: Annotated[Domain, KnobRule(Real(low=0))] = Field(
        Fixed(0.0), description="weight decay of the dense part"
    )
    batch_size: CountKnob = Field(Fixed(1024), description="rows a step")

    @property
    def families(self) -> tuple[Family, ...]:
        """The families named, in the order of the spec."""
        return tuple(block.family for block in self.sharing)

    @classmethod
    def hint_for_unknown(cls, key: str) -> str:
        if key == "epochs":
            return "it belongs under search"
        if owners := [name for name, block in FAMILY_BLOCKS.items() if key in block.model_fields]:
            return f"a knob of {', '.join(owners)}: write it in the block of the family"
        return super().hint_for_unknown(key)


assert tuple(FAMILY_BLOCKS) == FAMILIES
