"""Requests, good and hostile: scores, or an error that says what is wrong. Never a crash."""

import asyncio
import json
import logging
import time

import jsonschema
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from support.service import Service, asking

from automtl.export.bundle import Bundle
from automtl.export.predict import predict_file
from automtl.serving.app import Limits, make_app
from automtl.threads import single_threaded


def message(answer):
    return answer.json()["error"]["message"]


# ---- scores --------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_scores_are_those_of_predict_bit_for_bit(engine, shop, rows, tmp_path):
    predict_file(shop / "knee", shop / "rows.parquet", tmp_path / "out.parquet", engine=engine)
    from_file = pl.read_parquet(tmp_path / "out.parquet")
    bundle = Bundle.load(shop / "knee", engine=engine)
    service, start = Service(make_app(bundle, limits=Limits())), 0
    for num_rows in (1, 2, 7, 100, 128, 129, 1000):  # from any row on, with any neighbours
        part = rows[start : start + num_rows]
        with single_threaded():
            answer = service.score({"rows": part.select(bundle.encoder.columns).to_dicts()})
        assert answer.status_code == 200
        scores = pl.DataFrame(answer.json()["scores"]).cast(pl.Float32)
        assert_frame_equal(scores, from_file[start : start + num_rows], check_exact=True)
        start += num_rows


def test_columns_are_rows_the_other_way_round(served, inputs):
    columns = {name: [row[name] for row in inputs] for name in inputs[0]}
    service = served()
    by_rows, by_columns = service.score({"rows": inputs}), service.score({"columns": columns})
    assert by_rows.json() == by_columns.json()
    assert len(by_rows.json()["scores"]) == len(inputs)


def test_no_rows_have_no_scores(served):
    assert served().score({"rows": []}).json() == {"scores": []}


def test_a_value_means_the_same_in_every_type(served, inputs):
    row = inputs[0]
    as_text = row | {"user_id": str(row["user_id"]), "item_id": float(row["item_id"])}
    service = served()
    mixed = service.score({"rows": [row, as_text]}).json()["scores"]
    assert mixed[0] == mixed[1] == service.score({"rows": [row]}).json()["scores"][0]


def test_what_is_missing_is_null_or_left_out_if_that_is_allowed(served, inputs):
    known = [{name: value for name, value in row.items() if name != "x0"} for row in inputs]
    answer = served().score({"rows": known})
    assert answer.status_code == 422
    assert "column 'x0': is not there; null is a missing value" in message(answer)
    loose = served(missing_ok=True)
    nulls = [row | {"x0": None} for row in known]
    assert loose.score({"rows": known}).json() == served().score({"rows": nulls}).json()
    columns = {name: [row[name] for row in known] for name in known[0]}
    assert loose.score({"columns": columns}).json() == loose.score({"rows": known}).json()


# ---- what the service says of itself -------------------------------------------------------


def test_health_and_schema(served, bundle, inputs):
    service = served(max_rows=7)
    health = service("GET", "/health").json()
    assert (health["status"], health["bundle"], health["engine"]) == ("ok", "knee", "torch")
    assert health["checksum"].startswith("sha256:")
    schema = service("GET", "/schema").json()
    jsonschema.validate({"rows": inputs}, schema["request"])
    jsonschema.validate(service.score({"rows": inputs}).json(), schema["response"])
    refused = service.score({"rows": inputs * 2})
    assert refused.status_code == 413
    jsonschema.validate(refused.json(), schema["error"])
    for wrong in ({"rows": inputs * 2}, {"rows": [inputs[0] | {"x0": "tall"}]}, {"rows": [{}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema["request"])


def test_openapi_describes_what_is_there(served, inputs):
    service = served()
    described = service("GET", "/openapi.json").json()
    assert (described["openapi"], set(described["info"])) == ("3.1.0", {"title", "version"})
    for path, methods in described["paths"].items():
        for method, told in methods.items():
            answer = service(method.upper(), path, json={"rows": inputs})
            content = told["responses"][str(answer.status_code)]["content"]
            schema = content[answer.headers["content-type"]]["schema"]
            jsonschema.validate(answer.json(), schema)
    score = described["paths"]["/score"]["post"]
    jsonschema.validate(
        {"rows": inputs}, score["requestBody"]["content"]["application/json"]["schema"]
    )
    for code in (400, 408, 413, 415, 422, 503):
        assert "error" in str(score["responses"][str(code)])


@pytest.mark.parametrize(("method", "path"), [("GET", "/score"), ("POST", "/"), ("GET", "/docs")])
def test_other_addresses_are_told_what_there_is(served, method, path):
    answer = served()(method, path)
    assert answer.status_code in (404, 405)
    assert "there are POST /score, GET /health and GET /schema" in message(answer)


# ---- what is no request --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "rule"),
    [
        (b"", 400, "no JSON in UTF-8"),
        (b'{"rows": [', 400, "no JSON in UTF-8"),
        (b"\xff\xfe", 400, "no JSON in UTF-8"),
        (b'{"rows": [{"x0": NaN}]}', 400, "no JSON in UTF-8"),
        (b'{"rows": [{"x0": Infinity}]}', 400, "no JSON in UTF-8"),
        (b'{"rows": ' + b"[" * 100_000, 400, "no JSON in UTF-8"),
        (b"[1, 2]", 422, "the body is a list of 2"),
        (b"7", 422, "the body is 7"),
        (b"{}", 422, "the keys none"),
        (b'{"row": []}', 422, 'the keys "row"; write {"rows"'),
        (b'{"rows": [], "columns": {}}', 422, 'the keys "rows", "columns"'),
        (b'{"rows": {}}', 422, "a list of objects is needed"),
        (b'{"rows": [[1]]}', 422, "row 0 (counted from 0): a list of 1 is not an object"),
        (b'{"rows": [null]}', 422, "row 0 (counted from 0): null is not an object"),
        (b'{"columns": []}', 422, "an object of lists is needed"),
        (b'{"columns": {"x0": 1}}', 422, "column 'x0': 1 is not a list of values"),
    ],
)
def test_a_body_that_is_no_request(served, body, status, rule):
    answer = served().score(body)
    assert (answer.status_code, rule in message(answer)) == (status, True), message(answer)


@pytest.mark.parametrize(
    ("column", "text", "rule"),
    [
        ("x0", '"tall"', '"tall" is not a number; write one without quotes, or null'),
        ("x0", '"1.5"', '"1.5" is not a number; write one without quotes, or null'),
        ("x0", "1e999", "is not finite"),
        ("x0", "[1]", "a list of 1 is not a number"),
        ("x0", str(10**30), "has more than 64 bits"),
        ("user_id", str(2**64), "has more than 64 bits"),
        ("user_id", str(-(2**63) - 1), "has more than 64 bits"),
        ("user_id", '{"a": 1}', "an object of 1 is not a category"),
        ("history", '"1|2"', '"1|2" is not a list of ids'),
        ("history", "[[1]]", "a list of 1 stands in its list"),
        ("history", f"[1, {2**70}]", "stands in its list and has more than 64 bits"),
    ],
)
def test_a_value_that_does_not_fit_is_named(served, inputs, column, text, rule):
    rows = json.dumps({"rows": [*inputs, inputs[0] | {column: "HERE"}]})
    answer = served().score(rows.replace('"HERE"', text).encode())
    assert answer.status_code == 422
    assert f"row {len(inputs)} (counted from 0), column {column!r}: " in message(answer)
    assert rule in message(answer)
    (problem,) = answer.json()["error"]["problems"]
    assert (problem["row"], problem["column"]) == (len(inputs), column)


def test_every_column_with_a_problem_is_told_at_once(served, inputs):
    answer = served().score({"rows": [inputs[0] | {"x0": "a", "x1": True, "user_id": []}]})
    assert [one["column"] for one in answer.json()["error"]["problems"]] == ["user_id", "x0"]
    assert message(answer).endswith("; 1 more problems")


@pytest.mark.parametrize("value", [2**64 - 1, 2**63, -(2**63), 0, "", "é\0🐛", 1.5, True, None])
def test_unusual_ids_are_ids(served, inputs, value):
    answer = served().score({"rows": [inputs[0] | {"user_id": value}]})
    assert (answer.status_code, len(answer.json()["scores"])) == (200, 1)


def test_columns_of_several_lengths(served, inputs):
    columns = {name: [row[name] for row in inputs] for name in inputs[0]} | {"x1": [0.5]}
    answer = served().score({"columns": columns})
    assert "column 'x1': has 1 values, 'user_id' has 5; all need as many" in message(answer)
    answer = served(missing_ok=True).score({"columns": {"other": [1]}})
    assert "none of the columns is one of the model's" in message(answer)


def test_other_types_of_content(served, inputs):
    service = served()
    assert (
        service.score({"rows": inputs}, kind="application/json; charset=utf-8").status_code == 200
    )
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = service.score({"rows": inputs}, kind=kind)
        assert answer.status_code == 415
        assert "send JSON, as application/json" in message(answer)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert service("POST", "/score", content=b"x", headers=headers).status_code == 415


# ---- limits --------------------------------------------------------------------------------


def test_a_million_rows_are_too_many(served):
    answer = served().score(b'{"rows": [' + b"{}," * 999_999 + b"{}]}")
    assert answer.status_code == 413
    assert "1,000,000 rows, at most 10,000 in a request (--max-rows)" in message(answer)


def test_a_large_body_is_refused_before_it_is_read_and_while_it_comes(bundle):
    app = make_app(bundle, limits=Limits(max_body_bytes=1000))
    sent = 0

    async def parts():
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b"x" * 100

    async def asked(content, **headers):
        async with asking(app) as client:
            headers = {"content-type": "application/json", **headers}
            return await client.post("/score", content=content, headers=headers)

    chunked = asyncio.run(asked(parts()))
    assert (chunked.status_code, sent) == (413, 11)
    told = asyncio.run(asked(b"x" * 2000))
    assert "more than 1,000 bytes (--max-body-mb)" in message(told)
    assert told.status_code == 413


def test_more_than_may_wait_are_told_to_come_again(bundle, inputs, monkeypatch):
    limits = Limits(threads=1, queue=1)
    app = make_app(bundle, limits=limits)
    monkeypatch.setattr("automtl.serving.scorer.score_rows", _slowly)

    async def asked():
        async with asking(app) as client:
            return await asyncio.gather(
                *(client.post("/score", json={"rows": inputs}) for _ in range(5))
            )

    answers = asyncio.run(asked())
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503, 503]
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert "2 requests are in work already" in message(refused)
    assert asyncio.run(asked())[0].status_code == 200  # and then there is room again


def _slowly(bundle, inputs):
    time.sleep(0.3)
    return bundle.score(inputs)


def test_our_mistakes_are_logged_without_values_and_told_without_a_trace(
    bundle, inputs, monkeypatch, caplog
):
    def broken(bundle, inputs):
        raise KeyError("secret of user 7")

    monkeypatch.setattr("automtl.serving.scorer.score_rows", broken)
    app = make_app(bundle, limits=Limits())

    async def asked():
        async with asking(app) as client:
            return await client.post("/score", json={"rows": inputs})

    with caplog.at_level(logging.INFO):
        answer = asyncio.run(asked())
    assert answer.status_code == 500
    assert "should not happen" in message(answer)
    assert "KeyError in" in caplog.text
    for said in (caplog.text, answer.text):
        assert "secret" not in said


# ---- anything ------------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.integers(-9, 9)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
COLUMNS = ("user_id", "item_id", "context", "x0", "x1", "history")


def answered(service, body):
    answer = service.score(body)
    assert answer.status_code in (200, 400, 413, 422), answer.text
    assert answer.status_code == 200 or message(answer)
    return answer


FEW = settings(
    max_examples=40,  # each goes through the whole application
    suppress_health_check=[HealthCheck.too_slow],
)
ROWS = st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS, VALUES)), min_size=1, max_size=3
)


@FEW
@given(rows=ROWS)
def test_any_values_are_scored_or_refused(served, rows):
    body = json.dumps({"rows": rows}).encode()
    answer = answered(served(missing_ok=True), body)
    if answer.status_code == 200:
        assert len(answer.json()["scores"]) == len(rows)


@FEW
@given(body=st.binary(max_size=50) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_answered(served, body):
    answered(served(), body)
