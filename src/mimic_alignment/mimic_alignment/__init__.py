"""DTW between human and robot trajectories: costs, warps, mappings, retrieval."""

from mimic_alignment.actions import Actions, Normaliser, action_cost, feature_cost
from mimic_alignment.alignment import Alignment, actions_of, align, split
from mimic_alignment.batch import align_actions, warp_pairs
from mimic_alignment.dtw import Warp, warp
from mimic_alignment.features import Encoder, encode, load_encoder, thumbnail
from mimic_alignment.mapping import Mapping
from mimic_alignment.params import AlignmentParams, WarpParams
from mimic_alignment.patterns import PATTERNS, StepPattern
from mimic_alignment.retrieval import Match, find, overlap

__all__ = [
    'PATTERNS',
    'Actions',
    'Alignment',
    'AlignmentParams',
    'Encoder',
    'Mapping',
    'Match',
    'Normaliser',
    'StepPattern',
    'Warp',
    'WarpParams',
    'action_cost',
    'actions_of',
    'align',
    'align_actions',
    'encode',
    'feature_cost',
    'find',
    'load_encoder',
    'overlap',
    'split',
    'thumbnail',
    'warp',
    'warp_pairs',
]
