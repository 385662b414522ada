"""When enough demonstrations are there, and when it gives up."""

from mimic_recording.collection import Collection


def test_trials_go_on_until_enough_are_kept():
    collection = Collection(wanted=2, seed=7, tries=3)
    seeds = []
    for kept in (False, True, False, True):
        assert collection.failure is None
        seeds.append(collection.next_seed)
        collection.done.append(kept)
    assert seeds == [7, 8, 9, 10]
    assert collection.failure == '' and collection.kept == 2


def test_it_gives_up():
    collection = Collection(wanted=2, seed=0, tries=2, done=[True, False, False])
    assert collection.failure is None
    collection.done.append(False)
    assert collection.failure == '1 of 4 trials succeeded, 2 are wanted'
    collection.done.append(True)  # the last one may still do it
    assert collection.failure == ''
