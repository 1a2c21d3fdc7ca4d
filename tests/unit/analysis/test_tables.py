"""The frames behind the report, by name and as files."""

import pandas as pd
import pytest
from support.study import make_study

from automtl.analysis.frames import trials_frame
from automtl.analysis.tables import frames, write_frames
from automtl.errors import RunError


def test_every_frame_has_rows_and_a_name():
    found = frames(make_study(60))
    assert {"trials", "evaluations", "hypervolume", "transfer", "importance"} <= set(found)
    assert "confirmed" not in found, "nothing was confirmed"
    assert all(len(frame) for frame in found.values())


def test_a_study_without_a_trial_has_none():
    assert frames(make_study(0, num_failed=0)) == {}


def test_they_are_written_as_files_that_read_back(tmp_path):
    study = make_study(30)
    paths = write_frames(study, tmp_path / "frames")
    assert {path.stem for path in paths} == set(frames(study))
    read = pd.read_csv(tmp_path / "frames" / "trials.csv")
    assert read["trial"].tolist() == trials_frame(study)["trial"].tolist()
    assert write_frames(study, tmp_path / "frames") == paths, "older files are replaced"


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"the frames cannot be written .* choose another --frames"):
        write_frames(make_study(8), tmp_path / "file" / "frames")
