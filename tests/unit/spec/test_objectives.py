"""Names of metrics and costs, and limits on them."""

import pytest

from automtl.config import Constraint, Objective, TaskSchema
from automtl.spec.objectives import known_objectives, parse_constraint, parse_objective
from automtl.spec.problems import BadValueError

TASKS = (
    TaskSchema(name="click"),
    TaskSchema(name="buy", given="click"),
    TaskSchema(name="spend", kind="regression", loss="huber"),
)


def test_every_known_name_parses_to_itself_with_the_direction_of_its_metric():
    parsed = [parse_objective(name, TASKS) for name in known_objectives(TASKS)]
    assert [objective.name for objective in parsed] == list(known_objectives(TASKS))
    directions = {objective.name: objective.direction for objective in parsed}
    assert directions["buy.joint_auc"] == "maximize"
    assert directions["click.logloss"] == directions["spend.rmse"] == "minimize"
    assert directions["params"] == directions["flops"] == "minimize"


def test_a_cost_belongs_to_no_task():
    assert parse_objective("params.dense", TASKS) == Objective(
        name="params.dense", task=None, metric="params.dense", direction="minimize"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clik.auc", "there is no task clik; did you mean click?"),
        ("like.auc", "there is no task like; tasks: click, buy, spend"),
        ("parms", "parms is no metric of a task and no model cost; did you mean params?"),
        ("click", "click is a task, not a metric; write click.auc"),
        ("click.", "nothing is no metric of click; known: auc, logloss"),
        ("click.acu", "acu is no metric of click; did you mean click.auc?"),
        ("spend.auc", "auc is for binary tasks; spend is regression; "
         "write one of spend.mae, spend.rmse"),
        ("click.joint_auc", "joint_auc is for a task with `given`; click is over all impressions "
         "as it is; write click.auc"),
        ("latency", "latency is no metric of a task and no model cost; did you mean latency_ms?"),
        ("speed", "speed is no metric of a task and no model cost; known: click, buy, spend, "
         "params, params.embedding, params.dense, flops, latency_ms"),
    ],
)  # fmt: skip
def test_a_wrong_name_says_what_is_meant(text, message):
    with pytest.raises(BadValueError) as error:
        parse_objective(text, TASKS)
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["params <= 5e6", "params<=5e6", "  params   <=  5_000_000 "])
def test_a_constraint_is_a_name_a_sign_and_a_number(text):
    assert parse_constraint(text, TASKS) == Constraint(name="params", op="<=", bound=5e6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("params < 5", "must be NAME <= NUMBER or NAME >= NUMBER, not params < 5; "
         "write params <= 5"),
        ("params", "must be NAME <= NUMBER or NAME >= NUMBER, not params; write params <= 5e6"),
        ("params <= many", "many is not a number; write params <= 5e6"),
        ("params <= nan", "nan is not a number; write params <= 5e6"),
        ("clck.auc >= 0.7", "there is no task clck; did you mean click?"),
    ],
)  # fmt: skip
def test_a_wrong_constraint_says_how_to_write_it(text, message):
    with pytest.raises(BadValueError) as error:
        parse_constraint(text, TASKS)
    assert str(error.value) == message
