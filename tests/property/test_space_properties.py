"""Whatever a spec leaves open and whatever is answered, the configuration is the spec's."""

from hypothesis import given, settings
from hypothesis import strategies as st
from support.spec_dict import changed

from automtl.config import FAMILIES
from automtl.space import Pinned, default_values, fixed_spec, knobs, sample
from automtl.spec.domains import Choice, Domain, FloatRange, IntRange, contains
from automtl.spec.knobs import GATED_FAMILIES, slots
from automtl.spec.load import dump_yaml, parse_document
from automtl.spec.schema import FAMILY_BLOCKS, Spec

DIMS = st.lists(st.integers(1, 256), min_size=1, max_size=3)
COUNTS = st.integers(1, 64)
SHARES = st.sampled_from([0.0, 0.1, 0.5])
FEATURES = st.lists(st.sampled_from(["user", "item", "price"]), unique=True)  # and a sequence


def domains(values, *, key=None):
    """A fixed value, a choice, or (with `key`) a range."""
    choice = st.lists(values, min_size=1, max_size=3, unique_by=repr).map(lambda v: {"choice": v})
    if key is None:
        return values | choice
    pairs = st.tuples(values, values, st.booleans()).filter(lambda pair: pair[0] != pair[1])
    ranges = pairs.map(lambda pair: {key: sorted(pair[:2]), "log": pair[2]})
    return values | choice | ranges


def positive(low, high):
    return domains(st.floats(low, high, allow_subnormal=False), key="float")


@st.composite
def families(draw):
    """Some blocks of different families, in any order."""
    names = draw(st.lists(st.sampled_from(FAMILIES), min_size=1, unique=True))
    blocks = []
    for name in names:
        block = {"family": name}
        for knob in FAMILY_BLOCKS[name].knob_names():
            match knob:
                case "num_gates":
                    block[knob] = draw(domains(st.sampled_from([1, "per_task"])))
                case "num_levels":
                    block[knob] = draw(domains(st.integers(2, 4), key="int"))
                case _:
                    block[knob] = draw(domains(st.integers(1, 8), key="int"))
        blocks.append(block)
    return blocks


def words(*options):
    return domains(st.sampled_from(options))


@st.composite
def specs(draw):
    space = {
        "sharing": draw(families()),
        "dependency": draw(words("none", "esmm")),
        "embedding_dim": draw(domains(COUNTS, key="int")),
        "embedding_dims": draw(
            st.dictionaries(st.sampled_from(["user", "item"]), domains(COUNTS, key="int"))
        ),
        "embedding_dropout": draw(domains(SHARES)),
        "sequence_pooling": draw(words("mean", "sum", "attention")),
        "numeric_encoding": draw(words("standard", "buckets", "piecewise_linear")),
        "drop_features": draw(domains(FEATURES)),
        "gate_features": draw(domains(FEATURES)),
        "expert_dims": draw(domains(DIMS)),
        "tower_dims": draw(domains(st.just([]) | DIMS)),
        "gate_dims": draw(domains(st.just([]) | DIMS)),
        "dropout": draw(domains(SHARES)),
        "weighting": draw(words("fixed", "decay", "uncertainty")),
        "lr": draw(positive(1e-5, 1)),
        "embedding_optimizer": draw(words("adagrad", "rowwise_adagrad", "adam")),
        "embedding_lr": draw(positive(1e-3, 1)),
        "embedding_l2": draw(domains(st.sampled_from([0, 1e-6, 0.1]))),
        "weight_decay": draw(domains(st.floats(1e-6, 0.1), key="float")),
        "batch_size": draw(domains(st.integers(1, 4096), key="int")),
    }
    tasks = st.sampled_from(["click", "buy", "spend"])
    weightings = str(space["weighting"])
    if "fixed" in weightings or "decay" in weightings:
        space["loss_weights"] = draw(st.dictionaries(tasks, positive(0.1, 10)))
    if "decay" in weightings:
        space["loss_decay"] = draw(st.dictionaries(tasks, positive(0.1, 1), min_size=1))
    epochs = draw(positive(0.1, 3))
    return Spec.from_dict(changed({"space": space, "search.epochs": epochs}))


def answer(data, domain: Domain):
    match domain:
        case Choice(options):
            return data.draw(st.sampled_from(options))
        case IntRange(low, high):
            return data.draw(st.integers(low, high))
        case FloatRange(low, high):
            return data.draw(st.floats(low, high))


class Recorder:
    """A sampler that draws anything inside the domain and remembers what it was asked."""

    def __init__(self, data):
        self.data = data
        self.asked = {}

    def __call__(self, name, domain):
        assert name not in self.asked, "a name is asked for once"
        value = answer(self.data, domain)
        assert contains(domain, value)
        self.asked[name] = value
        return value


@settings(max_examples=25, deadline=None)
@given(specs(), st.data())
def test_a_sampled_configuration_survives_being_fixed_written_and_read(spec, data):
    config = sample(spec, Recorder(data))
    raw = fixed_spec(spec, config)
    fixed = Spec.from_dict(parse_document(dump_yaml(raw), "").raw)
    assert sample(fixed, Pinned({})) == config  # without a single question
    assert knobs(fixed) == ()
    assert fixed_spec(fixed, config) == raw


@settings(max_examples=25, deadline=None)
@given(specs(), st.data())
def test_only_free_knobs_that_apply_are_asked_for_in_their_order(spec, data):
    recorder = Recorder(data)
    config = sample(spec, recorder)
    free = [knob.name for knob in knobs(spec)]
    assert len(set(free)) == len(free)
    assert list(recorder.asked) == [name for name in free if name in recorder.asked]
    others = {f"{family}." for family in FAMILIES if family != config.model.family}
    assert not any(name.startswith(tuple(others)) for name in recorder.asked)
    assert config.train.weighting == "decay" or not config.train.loss_decay
    assert config.model.family in GATED_FAMILIES or not config.model.gate_features
    again = sample(spec, lambda name, domain: recorder.asked[name])
    assert again == config  # the answers decide all


@settings(max_examples=25, deadline=None)
@given(specs())
def test_defaults_lie_in_their_domains_and_leave_nothing_open(spec):
    by_name = {slot.name: slot.domain for slot in slots(spec)}
    for family in spec.space.families:
        values = default_values(spec, family, "none")
        for name in values.keys() - {"family", "dependency"}:
            assert contains(by_name[name], values[name])
        config = sample(spec, Pinned(values))
        assert config.model.family == family


@settings(max_examples=25, deadline=None)
@given(specs())
def test_written_out_a_spec_reads_back_to_the_same(spec):
    assert Spec.from_dict(parse_document(dump_yaml(spec.to_dict()), "").raw) == spec
