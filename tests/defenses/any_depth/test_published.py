"""A published joblib probe comes through an allow-list; everything else is refused by name and nothing is run."""

import os

import joblib
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from erosion.defenses.any_depth.linear_probe import ProbeSettings
from erosion.defenses.any_depth.published import ForbiddenClass, import_probe

SETTINGS = ProbeSettings(model="tiny", hidden_size=6, span_ids=(1, 2), layer=3)


def fitted():
    rows = np.random.default_rng(0).normal(size=(40, 6))
    return rows, LogisticRegression().fit(rows, rows[:, 0] > 0)


def test_a_published_probe_gives_the_same_probabilities(tmp_path):
    rows, theirs = fitted()
    joblib.dump(theirs, tmp_path / "probe.joblib")
    ours = import_probe(tmp_path / "probe.joblib", SETTINGS)
    expected = torch.tensor(theirs.predict_proba(rows)[:, 1], dtype=torch.float32)
    torch.testing.assert_close(
        ours.probabilities(torch.tensor(rows, dtype=torch.float32)), expected, atol=1e-6, rtol=1e-5
    )


class Runs:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize(
    "wrap", [lambda bad: bad, lambda bad: {"probe": bad}, lambda bad: np.array([bad], dtype=object)]
)
def test_a_file_that_would_run_something_is_refused_and_runs_nothing(tmp_path, wrap):
    mark = tmp_path / "ran"
    joblib.dump(wrap(Runs(f"touch {mark}")), tmp_path / "bad.joblib")
    with pytest.raises(ForbiddenClass, match=r"names posix.system|an array of objects"):
        import_probe(tmp_path / "bad.joblib", SETTINGS)
    assert not mark.exists()


def test_another_class_is_refused_by_name(tmp_path):
    joblib.dump(Ridge(), tmp_path / "ridge.joblib")
    with pytest.raises(ForbiddenClass, match=r"names sklearn.linear_model._ridge.Ridge"):
        import_probe(tmp_path / "ridge.joblib", SETTINGS)


def test_another_hidden_size_is_named(tmp_path):
    joblib.dump(fitted()[1], tmp_path / "probe.joblib")
    with pytest.raises(ValueError, match=r"shape \(1, 6\), allowed one LogisticRegression with \(1, 8\)"):
        import_probe(
            tmp_path / "probe.joblib", ProbeSettings(model="tiny", hidden_size=8, span_ids=(1,), layer=3)
        )


@pytest.mark.parametrize("content", [b"", b"text", b"\x80\x04garbage"])
def test_what_is_no_joblib_file_is_refused(tmp_path, content):
    (tmp_path / "x.joblib").write_bytes(content)
    with pytest.raises(ValueError, match=r"joblib"):
        import_probe(tmp_path / "x.joblib", SETTINGS)
