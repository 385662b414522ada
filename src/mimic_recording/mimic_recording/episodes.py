"""Command line: `episodes list | info | report | recover`. Needs no ROS."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mimic_core.errors import MimicError
from mimic_recording.bag import METADATA_FILE, name_of_partial, write_json
from mimic_recording.reader import Episode
from mimic_recording.recovery import Recovered, recover_copy, recover_directory, recover_partial
from mimic_recording.report import REPORT_HTML, make_report, write_report
from mimic_recording.report_page import text

Print = Callable[[str], None]


def list_episodes(directory: Path, out: Print) -> int:
    """Print one line for each episode in a folder."""
    if not directory.is_dir():
        raise MimicError(f'there is no folder {directory}')
    for folder in sorted(p for p in directory.iterdir() if p.is_dir()):
        if name_of_partial(folder) is not None:
            out(f'{folder.name}: incomplete (being recorded, or killed: episodes recover)')
        elif (folder / METADATA_FILE).exists():
            with Episode(folder) as episode:
                end = episode.custom.get('end', episode.problem)
                size = episode.file.stat().st_size / 1e6
                out(
                    f'{folder.name}: {episode.duration:.1f} s, {episode.message_count} messages, '
                    f'{size:.1f} MB, {end} {episode.task}'.rstrip()
                )
    return 0


def show_info(path: Path, out: Print) -> int:
    """Print what an episode holds."""
    with Episode(path) as episode:
        out(f'{episode.name}: {episode.duration:.3f} s, {episode.message_count} messages')
        for key, value in episode.custom.items():
            out(f'  {key}: {value}')
        if episode.problem:
            out(f'  problem: {episode.problem}')
        for topic in sorted(episode.topics.values(), key=lambda t: t.name):
            out(f'  {topic.name}  {topic.type}  {topic.count}')
    return 0


def report(path: Path, json_file: Path | None, out: Print) -> int:
    """Write and print the report of an episode; code 1 when it has flags."""
    if path.is_dir():
        result = write_report(path)
    else:
        with Episode(path) as episode:
            result = make_report(episode)
    out(text(result))
    if path.is_dir():
        out(f'page: {path / REPORT_HTML}')
    if json_file is not None:
        write_json(json_file, result.as_map())
    return 1 if result.flags else 0


def recover(path: Path, out: Print) -> int:
    """Recover one episode, one file, or all that a dead recorder left in a folder."""
    done: list[Recovered] = []
    failed: list[str] = []
    if not path.exists():
        raise MimicError(f'there is no {path}')
    if path.is_dir() and name_of_partial(path) is not None:
        one = recover_partial(path)
        if one is None:
            raise MimicError(f'{path} is being recorded')
        done.append(one)
    elif path.is_file() or any(path.glob('*.mcap')):
        with Episode(path) as episode:
            whole = not episode.problem and (path.is_file() or bool(episode.metadata))
        if whole:
            out(f'{path} is whole')
            return 0
        done.append(recover_copy(path))
    else:
        done, failed = recover_directory(path)
        if not done and not failed:
            out(f'nothing to recover in {path}')
    for episode_done in done:
        out(
            f'{episode_done.path}: {episode_done.messages} messages, '
            f'{episode_done.lost_bytes} bytes cut off ({episode_done.problem})'
        )
    for why in failed:
        out(f'failed: {why}')
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog='episodes', description='Look after episodes.')
    commands = parser.add_subparsers(dest='command', required=True)
    for name, what, help_text in (
        ('list', 'folder of episodes', 'one line for each episode'),
        ('info', 'episode or .mcap file', 'what it holds'),
        ('report', 'episode or .mcap file', 'rates, gaps, losses, latency; code 1 with flags'),
        ('recover', 'folder, episode or .mcap file', 'make whole what was cut or killed'),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument('path', type=Path, help=what)
        if name == 'report':
            command.add_argument('--json', type=Path, help='also write it here')
    given = parser.parse_args(arguments)

    def out(line: str) -> None:
        sys.stdout.write(line + '\n')

    try:
        if given.command == 'list':
            return list_episodes(given.path, out)
        if given.command == 'info':
            return show_info(given.path, out)
        if given.command == 'report':
            return report(given.path, given.json, out)
        return recover(given.path, out)
    except BrokenPipeError:  # e.g. into `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (MimicError, OSError) as error:
        sys.stderr.write(f'episodes: {error}\n')
        return 2


if __name__ == '__main__':
    sys.exit(main())
