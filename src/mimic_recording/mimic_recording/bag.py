"""The folder of an episode: a rosbag2 bag (metadata version 9, MCAP) with one file."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from mimic_recording.errors import BagError, RecordingError
from mimic_recording.mcap_file import Contents
from mimic_recording.qos import profiles_of

METADATA_FILE: Final = 'metadata.yaml'
TOP_KEY: Final = 'rosbag2_bagfile_information'
VERSION: Final = 9
ROS_DISTRO: Final = 'jazzy'
EPISODE_RECORD: Final = 'mimic_episode'  # metadata record of the MCAP file
QOS_KEY: Final = 'offered_qos_profiles'
HASH_KEY: Final = 'topic_type_hash'

_NAME: Final = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,99}')
_TAG: Final = re.compile(r'[\w.-]{1,50}=[^\n]{0,500}')


@dataclass(frozen=True)
class EpisodeInfo:
    """What people say about an episode."""

    name: str
    task: str = ''
    tags: tuple[str, ...] = ()  # 'operator=anna'

    def __post_init__(self) -> None:
        check_name(self.name)
        for tag in self.tags:
            if _TAG.fullmatch(tag) is None:
                raise RecordingError(f"tag '{tag}' is not of the form name=text")

    def as_map(self) -> dict[str, str]:
        """Return the texts that are kept with the bag."""
        tags = {f'tag.{key}': value for key, _, value in (t.partition('=') for t in self.tags)}
        return {'name': self.name, 'task': self.task, **tags}


def check_name(name: str) -> None:
    """Check the name of an episode: it becomes a folder.

    Raises:
        RecordingError: It holds anything but letters, digits, dot, dash and underscore.
    """
    if _NAME.fullmatch(name) is None:
        raise RecordingError(
            f'episode name {name!r} may hold letters, digits, dot, dash and underscore only, '
            'start with a letter or digit, and have at most 100 characters'
        )


def partial_folder(directory: Path, name: str) -> Path:
    """Return where an episode is until it is complete."""
    return directory / f'.{name}.partial'


def name_of_partial(folder: Path) -> str | None:
    """Return the episode's name if this is the folder of an incomplete one."""
    match = re.fullmatch(r'\.(.+)\.partial', folder.name)
    return match.group(1) if match else None


def data_file(folder: Path, name: str) -> Path:
    """Return the file of an episode in its folder."""
    return folder / f'{name}_0.mcap'


def describe(file_name: str, contents: Contents, custom: Mapping[str, str]) -> dict[str, Any]:
    """Return the metadata of a bag as rosbag2 writes them (without the top key)."""
    start = {'nanoseconds_since_epoch': contents.start}
    duration = {'nanoseconds': contents.end - contents.start}
    topics = []
    for channel in contents.channels.values():
        topics.append(
            {
                'topic_metadata': {
                    'name': channel.topic,
                    'type': contents.schemas[channel.schema_id].name,
                    'serialization_format': 'cdr',
                    'offered_qos_profiles': profiles_of(channel.metadata.get(QOS_KEY, '')),
                    'type_description_hash': channel.metadata.get(HASH_KEY, ''),
                },
                'message_count': contents.counts.get(channel.id, 0),
            }
        )
    return {
        'version': VERSION,
        'storage_identifier': 'mcap',
        'duration': duration,
        'starting_time': start,
        'message_count': contents.messages,
        'topics_with_message_count': topics,
        'compression_format': '',
        'compression_mode': '',
        'relative_file_paths': [file_name],
        'files': [
            {
                'path': file_name,
                'starting_time': dict(start),
                'duration': dict(duration),
                'message_count': contents.messages,
            }
        ],
        'custom_data': dict(custom) or None,
        'ros_distro': ROS_DISTRO,
    }


def write_metadata(folder: Path, description: Mapping[str, Any]) -> None:
    """Write metadata.yaml so that it is there as a whole or not at all."""
    text = yaml.safe_dump({TOP_KEY: dict(description)}, sort_keys=False, allow_unicode=True)
    write_text(folder / METADATA_FILE, text)


def read_metadata(folder: Path) -> dict[str, Any]:
    """Return the metadata of a bag folder (without the top key).

    Raises:
        BagError: There are none, or they are not readable.
    """
    path = folder / METADATA_FILE
    try:
        loaded = yaml.safe_load(path.read_text())
        return dict(loaded[TOP_KEY])
    except FileNotFoundError as error:
        raise BagError(f'{folder} is no complete episode: it has no {METADATA_FILE}') from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise BagError(f'{path} is not readable: {error}') from error


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or not at all."""
    draft = path.with_name(f'.{path.name}.draft')
    write_synced(draft, text.encode())
    draft.replace(path)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open('wb') as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that it is there as a whole or not at all; NaN becomes null by the caller."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + '\n')


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a loss of power."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
