"""Episodes: recording, recovery, reading, reports, replay."""

from mimic_recording.bag import EpisodeInfo
from mimic_recording.definitions import Definition, Definitions
from mimic_recording.drivers import Drive
from mimic_recording.errors import BagError, DiskFullError, RecordingError
from mimic_recording.qos import OfferedQos
from mimic_recording.reader import Episode, Message, TopicInfo
from mimic_recording.recorder import EpisodeState, Recorder
from mimic_recording.recovery import recover_copy, recover_directory, recover_partial
from mimic_recording.replay import CommandTrack, Deviation, check_track, load_track
from mimic_recording.report import EpisodeReport, make_report, write_report
from mimic_recording.writer import EpisodeWriter, Outcome, Topic, WriterOptions

__all__ = [
    'BagError',
    'CommandTrack',
    'Definition',
    'Definitions',
    'Deviation',
    'DiskFullError',
    'Drive',
    'Episode',
    'EpisodeInfo',
    'EpisodeReport',
    'EpisodeState',
    'EpisodeWriter',
    'Message',
    'OfferedQos',
    'Outcome',
    'Recorder',
    'RecordingError',
    'Topic',
    'TopicInfo',
    'WriterOptions',
    'check_track',
    'load_track',
    'make_report',
    'recover_copy',
    'recover_directory',
    'recover_partial',
    'write_report',
]
