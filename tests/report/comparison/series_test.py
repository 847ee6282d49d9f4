import numpy as np

from fastslow.report.comparison import series


def test_between_its_evaluations_a_run_is_on_the_line_between_them():
    places, values = series.align(
        [{0: 0.1, 4: 0.9}, {0: 0.3, 1: np.nan, 2: 0.7, 3: 0.5}, {1: np.nan}]
    )
    assert list(places) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(values[0], [0.1, 0.3, 0.5, 0.7, 0.9])
    np.testing.assert_allclose(values[1], [0.3, 0.5, 0.7, 0.5, np.nan])
    assert np.isnan(values[2]).all()


def test_a_place_that_one_of_several_runs_has_is_left_out_of_a_band(comparison):
    places, values = series.align([{0: 0.1, 2: 0.5}, {0: 0.3, 2: 0.7, 4: 0.9}])
    assert list(places) == [0, 2, 4]
    two, one = (comparison.methods[0]._replace(runs=comparison.methods[0].runs[:n]) for n in (2, 1))
    band = series.band(comparison, two, places, values)
    assert list(band.places) == [0, 2]
    np.testing.assert_allclose(band.mean, [0.2, 0.6])
    alone = series.band(comparison, one, *series.align([{0: 0.1, 4: 0.9}]))
    assert list(alone.mean) == [0.1, 0.9]
    assert np.isnan(alone.low).all()
