"""What the calls for Python hand on."""

from __future__ import annotations

from support.fake_job import fake_spec

from automtl.public import calls
from automtl.search.estimate import most_reruns
from automtl.spec.schema import Spec


def test_the_time_that_is_left_holds_no_confirmation(monkeypatch, tmp_path):
    """`search` confirms nothing, whatever the spec says of it."""
    seen = []
    plain = fake_spec().to_dict() | {"confirm": {"seeds": 3}}
    spec = Spec.from_dict(plain)
    monkeypatch.setattr(calls, "progress", seen.append)
    monkeypatch.setattr(calls, "run_search", lambda searched, *_, **__: seen.append(searched))
    monkeypatch.setattr(calls, "Study", lambda run: run)
    calls.search(spec, out=tmp_path)
    of_progress, searched = seen
    assert most_reruns(searched) > 0
    assert most_reruns(of_progress) == 0
