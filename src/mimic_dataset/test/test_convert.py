"""Conversion as a whole: skipped, spread, killed, out of room."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mimic_core.errors import ConfigError
from mimic_core.params import info_of
from mimic_dataset import ConvertParams, convert, find_sources, load, make_jobs
from mimic_dataset.cache import CACHE
from mimic_dataset.command import main
from mimic_dataset.convert import PEOPLE_ONLY, convert_one, set_odd_aside
from mimic_dataset.errors import DatasetError
from mimic_dataset.parts import RECORD, part_folder
from mimic_dataset.spread import make_workers, spread

from .synthetic_bags import ROBOT, BagSpec, write_bag
from .synthetic_people import DETECTOR, VIEW, write_video

PARAMS = ConvertParams(task='push', hand=ROBOT[1])


@pytest.fixture(scope='module')
def bags(tmp_path_factory):
    """Four episodes, and one that is damaged."""
    folder = tmp_path_factory.mktemp('bags')
    first = write_bag(folder / 'e1')
    for i in (2, 3, 10):
        shutil.copytree(first, folder / f'e{i}')
    bad = shutil.copytree(first, folder / 'e5')
    file = next(bad.glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:5000])
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every byte of the datasets in a folder, without caches and what is hidden."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob('*'))
        if p.is_file() and not any(x.startswith('.') for x in p.relative_to(folder).parts)
    }


@pytest.fixture(scope='module')
def whole(bags, tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    result = convert(make_jobs(find_sources([bags]), folder, 'robot', PARAMS))
    assert [o.name for o in result.outcomes if not o.error] == ['e1', 'e2', 'e3', 'e10']
    return folder, contents(folder)


def test_a_damaged_episode_does_not_stop_the_others(whole, bags, capsys):
    folder, _ = whole
    assert [e.name for e in load(folder, cache=False).episodes] == ['e1', 'e2', 'e3', 'e10']
    words = ['convert', str(bags), '--task', 'push', '--hand', ROBOT[1], '--out', str(folder)]
    assert main(words) == 1
    text = capsys.readouterr().out
    assert 'refused' in text and '/e5' in text and '4 episodes (0 new), 1 of 5 refused' in text


def test_finished_episodes_are_skipped_unless_something_changed(whole, bags):
    folder, before = whole
    jobs = make_jobs(find_sources([bags]), folder, 'robot', PARAMS)
    again = convert(jobs)
    assert [o.name for o in again.outcomes if o.skipped] == ['e1', 'e2', 'e3', 'e10']
    assert contents(folder) == before
    os.utime(next((bags / 'e2').glob('*.mcap')))
    assert [o.name for o in convert(jobs).outcomes if not o.skipped and not o.error] == ['e2']
    assert contents(folder) == before


def test_what_is_refused_now_leaves_the_dataset_and_comes_back_with_its_source(bags, tmp_path):
    """A dataset never holds what its source no longer says; what was finished is not lost."""
    for name in ('e1', 'e2'):
        shutil.copytree(bags / name, tmp_path / 'bags' / name)
    folder = tmp_path / 'dataset'
    jobs = make_jobs(find_sources([tmp_path / 'bags']), folder, 'robot', PARAMS)
    convert(jobs)
    before = contents(folder)
    file = next((tmp_path / 'bags/e2').glob('*.mcap'))
    good, times = file.read_bytes(), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    file.write_bytes(good[:5000])
    assert [o.name for o in convert(jobs).failed] == ['e2']
    assert [e.name for e in load(folder, cache=False).episodes] == ['e1']
    assert [o.name for o in convert(jobs[1:]).failed] == ['e2']  # nor the next time
    assert [e.name for e in load(folder, cache=False).episodes] == ['e1']
    file.write_bytes(good)
    os.utime(file, ns=times)
    assert all(o.skipped for o in convert(jobs).outcomes)
    assert contents(folder) == before


def test_a_dataset_whose_only_episode_is_refused_now_goes(bags, tmp_path):
    bag, folder = shutil.copytree(bags / 'e1', tmp_path / 'e1'), tmp_path / 'dataset'
    jobs = make_jobs([bag], folder, 'robot', PARAMS)
    convert(jobs)
    file = next(bag.glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:5000])
    result = convert(jobs)
    assert len(result.failed) == 1 and result.datasets == ()
    assert not (folder / 'robot').exists()


def test_processes_and_other_executors_make_the_same_dataset(whole, bags, tmp_path):
    _, wanted = whole
    for name, workers in (('two', make_workers(2)), ('stand-in', ThreadPoolExecutor(2))):
        jobs = make_jobs(find_sources([bags]), tmp_path / name, 'robot', PARAMS)
        result = convert(jobs, workers, 2)
        assert len(result.failed) == 1
        assert contents(tmp_path / name) == wanted


SCRIPT = """
    import sys
    from pathlib import Path
    sys.path[:0] = {paths!r}
    from mimic_dataset import ConvertParams, convert, find_sources, make_jobs
    {before}
    params = ConvertParams(task='push', hand='robotiq_2f85')
    jobs = make_jobs(find_sources([Path(sys.argv[1])]), Path(sys.argv[2]), 'robot', params)
    convert(jobs, done=lambda o: print(o.name, flush=True))
"""


def script(before: str = '') -> str:
    paths = [p for p in sys.path if p]
    return textwrap.dedent(SCRIPT).format(paths=paths, before=before)


def test_after_sigkill_the_rest_is_done_and_the_result_is_the_same(whole, bags, tmp_path):
    _, wanted = whole
    folder = tmp_path / 'killed'
    process = subprocess.Popen(
        [sys.executable, '-c', script(), str(bags), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == 'e1\n'
    deadline = time.monotonic() + 20
    while not list((folder / '.parts/robot').glob('.e2.partial/*.mp4')):  # in the middle of e2
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / '.parts/robot/e1/episode.json').exists()
    assert not (folder / 'robot').exists()
    result = convert(make_jobs(find_sources([bags]), folder, 'robot', PARAMS))
    assert 'e1' in [o.name for o in result.outcomes if o.skipped]
    assert contents(folder) == wanted


def test_a_full_disk_is_said_and_what_is_finished_stays(whole, bags, tmp_path):
    """A limit on the size of files stands for the disk: the kernel refuses the write."""
    _, wanted = whole
    folder = tmp_path / 'full'
    convert(make_jobs([bags / 'e1'], folder, 'robot', PARAMS))
    before = contents(folder)
    # 4 kB is less than any video needs
    limit = 'import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))'
    done = subprocess.run(
        [sys.executable, '-B', '-c', script(limit), str(bags), str(folder)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert 'WriteError' in done.stderr and 'cannot be written' in done.stderr
    assert '/e2' in done.stderr
    assert contents(folder) == before
    assert not list(folder.rglob('*.partial'))
    convert(make_jobs(find_sources([bags]), folder, 'robot', PARAMS))
    assert contents(folder) == wanted


def test_memory_does_not_grow_with_the_length(tmp_path):
    """Four seconds more are 50 MB more of pictures; what is held at once are numbers."""
    peaks = []
    for duration in (4.0, 8.0):
        bag = write_bag(tmp_path / f'b{duration:.0f}', BagSpec(duration=duration, size=(240, 320)))
        jobs = make_jobs([bag], tmp_path / f'd{duration:.0f}', 'robot', PARAMS)
        tracemalloc.start()
        assert not convert(jobs).failed
        peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
    more = 4.0 * 30 * 2 * 240 * 320 * 3 / 2**20  # [MB]
    assert more > 50.0 and peaks[1] - peaks[0] < 3.0, peaks


def test_cameras_of_many_episodes_are_compared_one_at_a_time(bags, tmp_path):
    """Forty episodes of an hour's numbers each: what stays are their records."""
    folder = tmp_path / 'dataset'
    convert(make_jobs([bags / 'e1'], folder, 'robot', PARAMS))
    parts = folder / '.parts/robot'
    for n in range(2, 41):
        shutil.copytree(parts / 'e1', parts / f'e{n}')
    for part in parts.iterdir():
        long = np.resize(np.load(part / 'action.npy'), (36000, 13))
        np.save(part / 'action.npy', long)
        record = json.loads((part / 'episode.json').read_text())
        (part / 'episode.json').write_text(json.dumps(record | {'frames': len(long)}))
    tracemalloc.start()
    assert set_odd_aside(folder, 'robot') == []
    looked = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    one = long.nbytes / 2**20  # [MB]
    assert one > 3.0 and looked < 4 * one, looked


def test_few_jobs_wait_at_once():
    running = []

    class Slow(ThreadPoolExecutor):
        def submit(self, function, /, *arguments):
            running.append(self._work_queue.qsize())
            return super().submit(function, *arguments)

    assert sorted(spread(abs, list(range(-50, 0)), Slow(2), 2)) == list(range(1, 51))
    assert max(running) <= 4


@pytest.mark.parametrize(
    ('names', 'changes', 'words'),
    [
        (('e1', 'e2'), {'hand': 'allegro'}, 'hand: robotiq_2f85 is not allegro'),
        (('e1', 'e2'), {'task': 'flip'}, 'task: push is not flip'),
        (('e1',), {'fps': 15}, 'fps: 10.0 is not 15.0'),
    ],
)
def test_another_hand_in_one_dataset_is_refused_before_anything_is_lost(
    bags, tmp_path, names, changes, words
):
    folder = tmp_path / 'dataset'
    convert(make_jobs([bags / 'e1', bags / 'e2'], folder, 'robot', PARAMS))
    before = contents(folder)
    params = dataclasses.replace(PARAMS, **changes)
    result = convert(make_jobs([bags / name for name in names], folder, 'robot', params))
    assert [outcome.name for outcome in result.failed] == list(names)
    assert f' does not fit, {words}; one dataset' in result.failed[0].error
    assert '--out' in result.failed[0].error
    assert contents(folder) == before


def add_person(folder: Path, source: Path) -> None:
    """Add a finished human episode, of a video, to the first robot episode of a dataset."""
    part = shutil.copytree(folder / '.parts/robot/e1', part_folder(folder, 'human', source.stem))
    values = json.loads((part / RECORD).read_text())
    values |= {'domain': 'human', 'name': source.stem, 'origin': str(source.resolve())}
    (part / RECORD).write_text(json.dumps(values))


def test_another_rate_of_people_alone_or_robots_alone_is_refused(bags, tmp_path):
    """A dataset of two rates cannot be read."""
    folder, video, other = (tmp_path / name for name in ('dataset', 'h1.mp4', '2/h1.mp4'))
    other.parent.mkdir()
    video.touch(), other.touch()
    convert(make_jobs([bags / 'e1'], folder, 'robot', PARAMS))
    before = contents(folder)
    params = dataclasses.replace(PARAMS, fps=15)
    people = make_jobs([video], folder, 'human', params, VIEW)
    workers = ThreadPoolExecutor(1)
    (failed,) = convert(people, workers).failed
    assert f'{folder}/.parts/robot/e1 does not fit, fps: 10.0 is not 15.0' in failed.error
    with pytest.raises(RuntimeError, match='after shutdown'):  # who is not needed is let go
        workers.submit(int)
    add_person(folder, video)
    robots = make_jobs([bags / 'e1'], folder, 'robot', params)
    (failed,) = convert(robots).failed
    assert f'{folder}/.parts/human/h1 does not fit, fps: 10.0 is not 15.0' in failed.error
    assert contents(folder) == before
    assert [o.error for o in convert(robots, later=people).outcomes] == ['']  # of all of them
    params = dataclasses.replace(PARAMS, fps=20)
    robots = make_jobs([bags / 'e1'], folder, 'robot', params)
    people = make_jobs([other], folder, 'human', params, VIEW)  # will be refused, for its name
    assert '/human/h1 does not fit, fps: 10.0' in convert(robots, later=people).failed[0].error


def test_sources_are_found_by_workers_in_another_folder(bags, tmp_path, monkeypatch):
    monkeypatch.chdir(bags)
    jobs = make_jobs([Path('e1')], Path(os.path.relpath(tmp_path)) / 'dataset', 'robot', PARAMS)
    monkeypatch.chdir(tmp_path)  # as those of a cluster that was started elsewhere
    assert convert(jobs).failed == ()
    assert len(load(tmp_path / 'dataset').episodes) == 1


def inodes(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_ino for p in folder.rglob('*') if p.is_file()}


def test_a_dataset_that_would_be_the_same_is_left_with_its_decoded_pictures(bags, tmp_path):
    folder = tmp_path / 'dataset'
    jobs = make_jobs([bags / 'e1', bags / 'e2'], folder, 'robot', PARAMS)
    convert(jobs)
    load(folder)
    before = inodes(folder / 'robot')
    assert any(CACHE in name for name in before)
    assert convert(jobs).datasets == (folder / 'robot',)
    strange = make_jobs([bags / 'e3'], folder, 'robot', dataclasses.replace(PARAMS, task='flip'))
    assert convert(strange).failed
    assert inodes(folder / 'robot') == before
    next((folder / 'robot').rglob('*.mp4')).unlink()
    convert(jobs)  # what is gone comes back
    assert len(load(folder).episodes) == 2
    shutil.rmtree(folder / '.parts/robot/e2')
    convert(jobs[:1])
    assert [e.name for e in load(folder).episodes] == ['e1']


def test_a_line_of_what_is_refused_names_its_file(tmp_path):
    """Also where the error does not: among a hundred videos nobody knows which."""
    video, gone = tmp_path / 'a.mp4', tmp_path / 'gone.mp4'
    video.touch()
    params = dataclasses.replace(PARAMS, detector='no_such_module:Hands')
    for job in make_jobs([video, gone], tmp_path / 'dataset', 'human', params, VIEW):
        assert convert_one(job).error.count(str(job.source)) == 1


def test_wrong_bytes_that_a_decoder_stumbles_over_stop_no_other_video(tmp_path):
    video = write_video(tmp_path / 'a.mp4', duration=0.2)
    content = video.read_bytes()
    assert b'VideoHandler' in content
    video.write_bytes(content.replace(b'VideoHandler', b'Video\x90andler'))  # no UTF-8
    params = dataclasses.replace(PARAMS, detector=DETECTOR)
    (job,) = make_jobs([video], tmp_path / 'dataset', 'human', params, VIEW)
    error = convert_one(job).error
    assert error.startswith(f'{video}: cannot be converted, probably damaged: UnicodeDecodeErr')


def test_a_bag_of_sqlite_is_another_one_when_it_changes(tmp_path):
    file = tmp_path / 'bag/take_0.db3'
    file.parent.mkdir()
    file.write_bytes(b'first take')
    (job,) = make_jobs([file.parent], tmp_path / 'dataset', 'human', PARAMS, VIEW)
    first = job.key()
    file.write_bytes(b'second one')
    os.utime(file, ns=(0, 0))
    assert job.key() != first
    (file.parent / 'take_0.mcap').touch()
    with_mcap = job.key()
    file.unlink()
    assert job.key() == with_mcap


def test_options_of_people_do_not_make_robot_episodes_anew(bags, tmp_path):
    """Nor does the key of a robot episode change that was made with their defaults."""
    fields = {field.name: field for field in dataclasses.fields(ConvertParams)}
    people = [n for n, field in fields.items() if info_of(field).description[:7] == 'People:']
    assert people == list(PEOPLE_ONLY)
    others = {
        'side': 'left', 'max_hands': 2, 'max_gap': 0.45, 'min_share': 0.2, 'bag_camera': 'c',
        'detector': 'a:B', 'use_depth': False, 'hand_length': 0.2,
    }  # fmt: skip
    for name, value in {**others, 'quality': 30}.items():
        params = dataclasses.replace(PARAMS, **{name: value})
        keys = {}
        for domain in ('robot', 'human'):
            jobs = (make_jobs([bags / 'e1'], tmp_path, domain, p, VIEW) for p in (PARAMS, params))
            keys[domain] = len({job.key() for (job,) in jobs})
        assert keys == {'robot': 1 if name in PEOPLE_ONLY else 2, 'human': 2}, name


def test_another_rate_for_all_episodes_makes_them_anew(bags, tmp_path):
    folder = tmp_path / 'dataset'
    for fps in (10, 15):
        params = dataclasses.replace(PARAMS, fps=fps)
        convert(make_jobs([bags / 'e1'], folder, 'robot', params))
        assert load(folder, pictures=False).meta.fps == fps


def test_two_files_of_one_name_are_refused(bags, tmp_path):
    other = shutil.copytree(bags / 'e1', tmp_path / 'e1')
    with pytest.raises(ConfigError, match='would both be episode e1'):
        make_jobs([bags / 'e1', other], tmp_path, 'robot', PARAMS)


def test_another_source_of_the_same_name_does_not_replace_an_episode(bags, tmp_path):
    """Two phones count their videos from 1; the second is told, in another command too."""
    folder = tmp_path / 'dataset'
    convert(make_jobs([bags / 'e1'], folder, 'robot', PARAMS))
    before = contents(folder)
    other = shutil.copytree(bags / 'e1', tmp_path / 'phone2' / 'e1')
    file = next(other.glob('*.mcap'))
    os.utime(file)
    (job,) = make_jobs([other], folder, 'robot', PARAMS)
    whole_file = file.read_bytes()
    for content in (whole_file, whole_file[:5000]):  # nor does one that is damaged
        file.write_bytes(content)
        (failed,) = convert([job]).failed
        assert 'episode e1 is already there, of' in failed.error
        assert str(bags / 'e1') in failed.error and str(other) in failed.error
        assert contents(folder) == before
    file.write_bytes(whole_file)
    record = folder / '.parts/robot/e1' / RECORD
    values = json.loads(record.read_text())
    assert values.pop('origin') == str((bags / 'e1').resolve())
    record.write_text(json.dumps(values))  # as older versions wrote it
    assert convert([job]).failed == ()
    assert json.loads(record.read_text())['origin'] == str(other.resolve())


def test_pictures_of_another_size_leave_their_episode_out_and_no_other(bags, tmp_path):
    odd = write_bag(tmp_path / 'e0', BagSpec(duration=3.0, size=(64, 48)))
    folder, said = tmp_path / 'dataset', []
    jobs = make_jobs([odd, bags / 'e1', bags / 'e2'], folder, 'robot', PARAMS)
    for _ in range(2):  # and again, when all are finished
        result = convert(jobs, done=said.append)
        (failed,) = result.failed
        assert failed.name == 'e0' and str(odd) in failed.error and failed in said
        assert 'pictures of agent 48 x 64' in failed.error
        assert 'most episodes have agent 64 x 48' in failed.error
        assert sorted(o.name for o in result.outcomes) == ['e0', 'e1', 'e2']
        assert [e.name for e in load(folder, cache=False).episodes] == ['e1', 'e2']


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match='there is no'):
        find_sources([tmp_path / 'gone'])
    with pytest.raises(ConfigError, match='neither bags nor videos'):
        find_sources([tmp_path])


def test_ray_is_asked_for_by_name_when_it_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(ConfigError, match='--ray needs Ray'):
        make_workers(2, 'local')


class RayError(Exception):
    """As those of ray.exceptions."""


class RayTaskError(RayError):
    pass


def ray_module(call):
    """A stand-in for ray with its names, whose cluster is a thread; `call` runs a function."""
    ray = types.ModuleType('ray')
    ray.pool, ray.address = ThreadPoolExecutor(2), ''
    ray.exceptions = types.SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def init(address, log_to_driver):
        ray.address = address

    def remote(function):
        def submit(*arguments):
            future = ray.pool.submit(call, function, *arguments)
            return types.SimpleNamespace(future=lambda: future)

        return types.SimpleNamespace(remote=submit)

    ray.cluster_resources = lambda: {'CPU': 6.0, 'memory': 1e9}
    ray.init, ray.remote, ray.shutdown = init, remote, lambda: ray.pool.shutdown(wait=True)
    return ray


def test_ray_workers_run_every_job_and_a_lost_one_is_told(monkeypatch):
    jobs = list(range(-20, 0))
    ray = ray_module(lambda function, *arguments: function(*arguments))
    monkeypatch.setitem(sys.modules, 'ray', ray)
    workers = make_workers(2, 'ray://head:10001')
    assert workers.processors == 6
    assert sorted(spread(abs, jobs, workers, 2)) == list(range(1, 21))
    assert ray.address == 'ray://head:10001' and ray.pool._shutdown

    def lose(function, job):
        if job == -15:
            raise RayError('the node died')
        return function(job)

    monkeypatch.setitem(sys.modules, 'ray', ray_module(lose))
    with pytest.raises(DatasetError, match='a worker died') as told:
        list(spread(abs, jobs, make_workers(2, 'local'), 2))
    assert 'the node died' in str(told.value.__cause__)

    def fail(function, job):
        raise RayTaskError('a fault of the function')

    monkeypatch.setitem(sys.modules, 'ray', ray_module(fail))
    with pytest.raises(RayTaskError):
        list(spread(abs, jobs, make_workers(2, 'local'), 2))


def test_ray_itself_makes_the_same_dataset(tmp_path):
    pytest.importorskip('ray', reason='Ray is optional: pip install ray')
    bags = [write_bag(tmp_path / 'bags' / name) for name in ('a', 'b')]
    here, there = tmp_path / 'here', tmp_path / 'there'
    assert convert(make_jobs(bags, here, 'robot', PARAMS)).failed == ()
    assert (
        convert(make_jobs(bags, there, 'robot', PARAMS), make_workers(2, 'local'), 2).failed == ()
    )
    files = [path.relative_to(here) for path in here.rglob('*') if path.is_file()]
    assert len(files) > 8
    for file in files:
        assert (here / file).read_bytes() == (there / file).read_bytes(), file
