"""Quality of service as bags write it (metadata version 9: names, not numbers)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

_FOREVER: Final = {'sec': 9223372036, 'nsec': 854775807}


@dataclass(frozen=True)
class OfferedQos:
    """What one publisher offers, as far as a recorder cares; the rest is default."""

    reliability: str = 'reliable'  # reliable or best_effort
    durability: str = 'volatile'  # volatile or transient_local
    history: str = 'unknown'  # discovery does not tell it
    depth: int = 0

    def as_map(self) -> dict[str, Any]:
        """Return the profile as rosbag2 spells it."""
        return {
            'history': self.history,
            'depth': self.depth,
            'reliability': self.reliability,
            'durability': self.durability,
            'deadline': dict(_FOREVER),
            'lifespan': dict(_FOREVER),
            'liveliness': 'automatic',
            'liveliness_lease_duration': dict(_FOREVER),
            'avoid_ros_namespace_conventions': False,
        }


def to_yaml(profiles: Sequence[OfferedQos]) -> str:
    """Return the text of a channel's `offered_qos_profiles`."""
    return yaml.safe_dump([p.as_map() for p in profiles], sort_keys=False) if profiles else ''


def profiles_of(text: str) -> list[dict[str, Any]]:
    """Return the profiles in such a text; empty when there are none or it is not readable."""
    try:
        loaded = yaml.safe_load(text) if text else []
    except yaml.YAMLError:
        return []
    return [p for p in loaded if isinstance(p, dict)] if isinstance(loaded, list) else []


def to_request(offered: Sequence[OfferedQos]) -> tuple[bool, bool]:
    """Return (reliable, transient local) of the strictest subscription that all offers satisfy."""
    return (
        bool(offered) and all(p.reliability == 'reliable' for p in offered),
        bool(offered) and all(p.durability == 'transient_local' for p in offered),
    )
