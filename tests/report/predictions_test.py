import dataclasses

import numpy as np
import pytest

from fastslow import types
from fastslow.evaluation import evaluator
from fastslow.report import predictions

WRONG = types.Score(0.0, "expected 1")


def test_predictions_come_back_as_they_were_written(tmp_path):
    example = types.Example("e7", "Is it ü\ud800?\u2028", "1")
    graded = [
        evaluator.Graded(example, 0, "yes\n", WRONG),
        evaluator.Graded(example, 1, "1", types.Score(1.0, "correct")),
    ]
    predictions.write(tmp_path, 4, {"tomi": graded, "crepe": []})
    assert predictions.read(tmp_path, 4, "tomi") == [
        {
            "id": "e7",
            "sample": sample,
            "input": example.input,
            "target": "1",
            "prediction": prediction,
            "score": score,
            "feedback": feedback,
        }
        for sample, prediction, score, feedback in [
            (0, "yes\n", 0.0, "expected 1"),
            (1, "1", 1.0, "correct"),
        ]
    ]
    assert predictions.read(tmp_path, 4, "crepe") == []
    assert (tmp_path / "predictions" / "4" / "tomi.jsonl").exists()


def test_a_vector_example_is_written_without_its_input(tmp_path):
    @dataclasses.dataclass
    class Vector:
        input: np.ndarray
        target: np.int64

    example = Vector(np.zeros(64), np.int64(3))
    predictions.write(tmp_path, 0, {"digits": [evaluator.Graded(example, 0, np.int32(5), WRONG)]})
    (line,) = predictions.read(tmp_path, 0, "digits")
    assert "input" not in line
    assert (line["id"], line["target"], line["prediction"]) == (0, 3, 5)


@pytest.mark.parametrize("names", [["a/b", "a_b", "a b"], ["..", "../x"], ["x" * 300, "x" * 301]])
def test_any_task_name_gets_a_file_of_its_own_inside_the_run(tmp_path, names):
    folder = tmp_path / "predictions" / "0"
    paths = {predictions.path_of(tmp_path, 0, name) for name in names}
    assert len(paths) == len(names)
    predictions.write(tmp_path, 0, {name: [] for name in names})
    assert set(folder.iterdir()) == paths
