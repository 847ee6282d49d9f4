import pytest

from fastslow.report.comparison import comparing
from tests.report.comparison import synthetic


@pytest.fixture(scope="package")
def directory(tmp_path_factory):
    return synthetic.write_many(tmp_path_factory.mktemp("runs"), seeds=3)


@pytest.fixture(scope="package")
def comparison(directory):
    return comparing.compare([str(directory / "*")], baseline="slow_only")


@pytest.fixture(scope="package")
def ordered(tmp_path_factory):
    folder = synthetic.write_many(tmp_path_factory.mktemp("orders"), seeds=3, orders=True)
    return comparing.compare([str(folder / "*")])
