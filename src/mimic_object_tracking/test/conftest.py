"""What the tests of this package share: rendered objects whose pose is known."""

import pytest

from benchmarks.object_scenes import ObjectStage, model_of


@pytest.fixture(scope='session')
def box():
    return model_of('box')


@pytest.fixture(scope='session')
def box_stage():
    stage = ObjectStage('box')
    yield stage
    stage.close()
