"""Which topics of an episode may be published again, for eyes only."""

from collections.abc import Iterable, Mapping

from mimic_core.topics import TOPICS
from mimic_recording.reader import TopicInfo

_NEVER = {'/clock', '/diagnostics'}  # they belong to the present


def table_name(topic: str) -> str:
    """Return the name in the table of topics of a recorded topic, '' when it is not in it."""
    if topic in TOPICS:
        return topic
    names = (name for name in TOPICS if topic.endswith(f'/{name}'))
    return max(names, key=len, default='')


def may_be_shown(topic: str) -> bool:
    """Return whether a recorded topic can be published without moving anything.

    Commands never can: a robot that runs beside the viewer would follow them.
    """
    name = table_name(topic)
    return bool(name) and name not in _NEVER and TOPICS[name].qos != 'command'


def shown(topics: Mapping[str, TopicInfo]) -> list[str]:
    """Return the topics of an episode that are shown."""
    return sorted(name for name, info in topics.items() if info.count and may_be_shown(name))


def taken(topics: Iterable[str], publishers: Mapping[str, int]) -> list[str]:
    """Return the topics that somebody else publishes, so that both would mix.

    Transforms and the description are the same for all, and stay.
    """
    free = ('/tf', '/tf_static', 'robot_description', 'episode/status')
    return [t for t in topics if publishers.get(t, 0) and table_name(t) not in free]
