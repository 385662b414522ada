import pickle

from mimic_core.errors import UnknownNameError


def test_an_unknown_name_passes_from_one_process_to_another():
    """As the one argument of the message it would end the pool of processes that it comes from."""
    error = UnknownNameError('task', 'pusch', ('push', 'pick_place'))
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and "Did you mean 'push'?" in str(again)
    assert (again.name, again.known) == ('pusch', ('pick_place', 'push'))
