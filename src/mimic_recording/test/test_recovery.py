import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer
from rosbags.rosbag2 import Reader

from mimic_recording import BagError, Episode, recover_copy, recover_directory, recover_partial
from mimic_recording.bag import data_file, partial_folder
from mimic_recording.scan import scan_file

CUTS = 20


def message_ends(path):
    """Return the end [B] of each message in an uncompressed file, in order, and its log time."""
    scan = scan_file(path, messages=True)
    return [(entry[5] + entry[6], entry[2]) for entry in scan.entries]


def leave_partial(bench, raw, name='a'):
    """Make the folder that a killed recorder leaves."""
    folder = partial_folder(bench.directory, name)
    folder.mkdir(parents=True)
    data_file(folder, name).write_bytes(raw)
    (folder / 'reserve').write_bytes(bytes(1000))
    return folder


def check_whole(path, log_times):
    """Everything expected is there, for our reader and for two others."""
    with Episode(path) as episode:
        assert [m.log_time for m in episode.messages()] == sorted(log_times)
        assert episode.problem == ''
        assert episode.custom['recovered'] == 'true'
        assert episode.custom['task'] == 'pick' or not log_times
    with Reader(path) as reader:
        assert reader.message_count == len(log_times)
        assert sum(1 for _ in reader.messages()) == len(log_times)
    with next(path.glob('*_0.mcap')).open('rb') as stream:
        reader = make_reader(stream, validate_crcs=True)
        assert reader.get_summary().statistics.message_count == len(log_times)
        assert sum(1 for _ in reader.iter_messages()) == len(log_times)


@pytest.mark.parametrize('seed', range(CUTS))
def test_a_cut_at_any_byte_loses_only_what_is_behind_it(bench, rows, seed):
    """Down to the message: also of the chunk that is cut."""
    whole = bench.episode(rows, chunk_bytes=150_000)
    raw = (whole / 'a_0.mcap').read_bytes()
    cut = int(np.random.default_rng(seed).integers(2_000, len(raw)))
    expected = [t for end, t in message_ends(whole / 'a_0.mcap') if end <= cut]
    shutil.rmtree(whole)
    folder = leave_partial(bench, raw[:cut])
    recovered = recover_partial(folder)
    assert recovered.path == whole and not folder.exists()
    assert recovered.messages == len(expected)
    assert not (whole / 'reserve').exists()
    check_whole(whole, expected)


@pytest.mark.parametrize('compression', ['lz4', 'zstd'])
def test_a_cut_compressed_file_keeps_its_complete_chunks(bench, rows, compression):
    whole = bench.episode(rows, chunk_bytes=150_000, compression=compression)
    file = whole / 'a_0.mcap'
    raw = file.read_bytes()
    scan = scan_file(file)
    for seed in range(5):
        cut = int(np.random.default_rng(seed).integers(10_000, len(raw)))
        last = [c for c in scan.contents.chunks if c.chunk_start_offset + c.chunk_length <= cut]
        folder = leave_partial(bench, raw[:cut], f'x{seed}')
        recovered = recover_partial(folder)
        with Episode(recovered.path) as episode:
            times = [m.log_time for m in episode.messages()]
        bound = max((c.message_end_time for c in last), default=0)
        assert set(times) == {row[2] for row in rows if row[2] <= bound}


def test_a_finished_file_whose_folder_was_not_renamed(bench, rows):
    whole = bench.episode(rows)
    raw = (whole / 'a_0.mcap').read_bytes()
    shutil.rmtree(whole)
    recover_partial(leave_partial(bench, raw))
    assert (whole / 'a_0.mcap').read_bytes() == raw  # not touched
    check_whole(whole, [row[2] for row in rows])


def test_recovery_is_repeatable(bench, rows):
    """A recovery that was killed itself is recovered."""
    whole = bench.episode(rows, chunk_bytes=150_000)
    raw = (whole / 'a_0.mcap').read_bytes()
    shutil.rmtree(whole)
    recovered = recover_partial(leave_partial(bench, raw[: len(raw) // 2]))
    once = (recovered.path / 'a_0.mcap').read_bytes()
    count = recovered.messages
    shutil.rmtree(recovered.path)
    for cut in (len(once) - 1, len(once) - 300, len(raw) // 2):
        again = recover_partial(leave_partial(bench, once[:cut]))
        assert abs(again.messages - count) <= (1 if cut < len(once) - 300 else 0)
        shutil.rmtree(again.path)


@pytest.mark.parametrize('damage', ['zeros', 'noise', 'overwritten'])
def test_a_damaged_end_is_cut_off(bench, rows, damage):
    """A lost page, not only a lost end."""
    whole = bench.episode(rows, chunk_bytes=150_000)
    raw = bytearray((whole / 'a_0.mcap').read_bytes())
    ends = message_ends(whole / 'a_0.mcap')
    shutil.rmtree(whole)
    at = 1_500_000
    filler = {
        'zeros': bytes(len(raw) - at),
        'noise': np.random.default_rng(0)
        .integers(0, 255, len(raw) - at, dtype=np.uint8)
        .tobytes(),
        'overwritten': b'\xff' * (len(raw) - at),
    }[damage]
    raw[at:] = filler
    recovered = recover_partial(leave_partial(bench, raw))
    certain = sum(1 for end, _ in ends if end <= at - 200_000)  # chunks before the damaged one
    assert certain <= recovered.messages <= len(ends)
    with Reader(recovered.path) as reader:
        assert reader.message_count == recovered.messages


def test_what_holds_nothing_is_kept_aside(bench):
    for name, raw in (('empty', b''), ('noise', os.urandom(5000)), ('magic', b'\x89MCAP0\r\n')):
        folder = leave_partial(bench, raw, name)
        if not raw:
            assert recover_partial(folder) is None  # may be one that is just being made
        os.utime(folder, (0, 0))
        with pytest.raises(BagError, match='kept as'):
            recover_partial(folder)
        assert (bench.directory / f'.{name}.partial.unrecoverable').is_dir()
    folder = partial_folder(bench.directory, 'none')
    folder.mkdir()
    os.utime(folder, (0, 0))
    with pytest.raises(BagError, match='holds no data'):
        recover_partial(folder)


def test_a_living_recorder_is_left_alone(bench, rows):
    writer = bench.writer()
    channel = writer.add_topic(bench.topic('/a', 'sensor_msgs/msg/Image'))
    writer.write(channel, 1, 1, rows[0][3])
    assert recover_directory(bench.directory) == ([], [])
    writer.close()
    assert writer.wait(10).state == 'saved'


def test_a_taken_name_is_not_overwritten(bench, rows):
    whole = bench.episode(rows)
    raw = (whole / 'a_0.mcap').read_bytes()
    recovered = recover_partial(leave_partial(bench, raw[:-500]))
    assert recovered.path.name == 'a_2' and (recovered.path / 'a_2_0.mcap').exists()
    check_whole(recovered.path, [row[2] for row in rows])
    assert (whole / 'a_0.mcap').read_bytes() == raw


KILLED = """
import sys, time
from pathlib import Path
for entry in {path!r}:
    sys.path.insert(0, entry)
from mimic_recording import Definitions, EpisodeInfo, EpisodeWriter, Topic, WriterOptions
writer = EpisodeWriter(Path({directory!r}), EpisodeInfo('a', 'pick'),
                       WriterOptions(flush_period=0.1, min_free_bytes=1 << 20))
channel = writer.add_topic(Topic('/a', Definitions({prefixes!r}).find('sensor_msgs/msg/Image')))
i = 0
while True:
    i += 1
    writer.write(channel, 10**18 + i, 10**18 + i, b'\\0\\1\\0\\0' + bytes(50_000), i)
    print(i, writer.progress.messages, flush=True)
    time.sleep(0.002)
"""


def test_sigkill_loses_at_most_what_was_not_flushed(bench, definitions):
    script = KILLED.format(
        path=[p for p in sys.path if p],
        directory=str(bench.directory),
        prefixes=[str(p) for p in definitions._prefixes],
    )
    process = subprocess.Popen([sys.executable, '-c', script], stdout=subprocess.PIPE, text=True)
    begun = [process.stdout.readline()]
    while int(begun[-1].split()[1]) < 200:
        begun.append(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    lines = [*begun, *process.stdout.read().splitlines()]
    process.wait(10)
    written = max(int(line.split()[1]) for line in lines if len(line.split()) == 2)
    assert written > 50
    done, failed = recover_directory(bench.directory)
    assert failed == [] and len(done) == 1
    assert done[0].messages >= written
    with Episode(done[0].path) as episode:
        assert [m.sequence for m in episode.messages()] == list(range(1, done[0].messages + 1))
        assert 'killed' in episode.custom['end']


def test_a_copy_is_made_of_a_damaged_bag_and_the_bag_stays(bench, rows):
    whole = bench.episode(rows, chunk_bytes=150_000)
    file = whole / 'a_0.mcap'
    raw = file.read_bytes()
    cut = raw[: len(raw) * 2 // 3]
    expected = [t for end, t in message_ends(file) if end <= len(cut)]
    file.write_bytes(cut)
    with Episode(whole) as episode:  # readable up to the cut as it is
        assert [m.log_time for m in episode.messages()] == expected
        assert 'cut' in episode.problem
    recovered = recover_copy(whole)
    assert recovered.path.name == 'a_recovered'
    check_whole(recovered.path, expected)
    assert file.read_bytes() == cut
    alone = recover_copy(file)
    assert alone.path.parent == whole and alone.messages == len(expected)


@pytest.mark.parametrize('chunking', [True, False])
@pytest.mark.parametrize('compression', [CompressionType.NONE, CompressionType.ZSTD])
def test_files_of_other_recorders_are_recovered(tmp_path, chunking, compression):
    """Schemas and channels inside chunks, or no chunks at all."""
    path = tmp_path / 'x.mcap'
    with path.open('wb') as stream:
        writer = Writer(stream, chunk_size=20_000, compression=compression, use_chunking=chunking)
        writer.start('ros2')
        schema = writer.register_schema('std_msgs/msg/String', 'ros2msg', b'string data\n')
        channel = writer.register_channel('/s', 'cdr', schema)
        for i in range(100):
            text = f'{i:05d}'.encode() + os.urandom(2000) + b'\0'
            data = b'\0\1\0\0' + len(text).to_bytes(4, 'little') + text
            writer.add_message(channel, 10**18 + i, data, 10**18 + i)
        writer.finish()
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    recovered = recover_copy(path)
    assert 30 < recovered.messages < 60
    with Episode(recovered.path) as episode:
        assert [m.log_time - 10**18 for m in episode.messages()] == list(range(recovered.messages))
