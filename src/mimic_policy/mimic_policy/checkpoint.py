"""Checkpoints: a folder of safetensors and JSON, there as a whole or not at all.

    run/step_00001200/checkpoint.json       facts, sizes, and a checksum of each other file
                      weights.safetensors   averaged weights: what a robot runs
                      training.safetensors  what training goes on with

A folder is written under another name and renamed when all of it is on the disk. Nothing is ever
unpickled: a pickle runs whatever code its maker put into it.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as format_tensors
from torch import Tensor

from mimic_core import disk
from mimic_core.errors import ConfigError, MimicError
from mimic_core.params import from_mapping
from mimic_policy.diffusion import Diffusion, DiffusionParams
from mimic_policy.distributed import choose_device
from mimic_policy.facts import DOCUMENT
from mimic_policy.inference import DiffusionPolicy
from mimic_policy.meta import WRIST, PolicyMeta
from mimic_policy.networks.params import NetworkParams
from mimic_policy.networks.policy import PolicyNetwork
from mimic_recording.bag import sync_folder, write_synced

FORMAT: Final = 1
WEIGHTS: Final = 'weights.safetensors'
TRAINING: Final = 'training.safetensors'
_NAME: Final = re.compile(r'step_(\d{8})')
_PART: Final = '.part'
_PICKLE_STARTS: Final = (b'\x80', b'PK\x03\x04')  # of a pickle, and of torch's archive of one
_PICKLE_NAMES: Final = ('.pt', '.pth', '.ckpt', '.pkl', '.pickle', '.bin')


class CheckpointError(MimicError):
    """A checkpoint cannot be written or read; names the file, and the field where there is one."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on the disk, its document read and checked."""

    folder: Path
    document: Mapping[str, Any]

    @property
    def step(self) -> int:
        """Steps of training until here."""
        return int(self.document['step'])

    @property
    def where(self) -> str:
        """The file of the document, for messages."""
        return str(self.folder / DOCUMENT)

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of one file.

        Raises:
            CheckpointError: It is missing, damaged, or a pickle.
        """
        file = self.folder / name
        sums = self.document['files']
        if name not in sums:
            raise CheckpointError(f'{self.where}: files: no {name}')
        try:
            data = file.read_bytes()
        except OSError as error:
            raise CheckpointError(f'{file}: {error.strerror}') from error
        _refuse_pickle(file, data[:8])
        if hashlib.sha256(data).hexdigest() != sums[name]:
            raise CheckpointError(f'{file}: damaged: its checksum is not that of {DOCUMENT}')
        try:
            return parse_tensors(data)
        except SafetensorError as error:
            raise CheckpointError(f'{file}: no safetensors: {error}') from error


def save_checkpoint(
    run: Path,
    step: int,
    document: Mapping[str, Any],
    tensors: Mapping[str, Mapping[str, Tensor]],
    keep: int = 2,
) -> Path:
    """Write the checkpoint of a step; older ones but the last `keep` go.

    Args:
        run: Folder of the training run; made where it is not there.
        step: Of training.
        document: What else the JSON holds.
        tensors: File name -> name -> tensor.
        keep: Checkpoints that stay, this one included; 0: all.

    Raises:
        CheckpointError: The disk is full, or the folder cannot be written. What was there before
            stays as it was.
    """
    folder = run / f'step_{step:08d}'
    part = run / f'.step_{step:08d}{_PART}'
    with writing(part), disk.removed_on_error(part):
        for rest in run.glob(f'.step_*{_PART}'):  # of a run that was killed
            shutil.rmtree(rest)
        part.mkdir(parents=True)
        sums = {}
        for name, values in tensors.items():
            plain = {key: value.detach().cpu().contiguous() for key, value in values.items()}
            data = format_tensors(plain)
            sums[name] = hashlib.sha256(data).hexdigest()
            write_synced(part / name, data)
        whole = {'format': FORMAT, 'step': step, **document, 'files': sums}
        write_synced(part / DOCUMENT, (json.dumps(whole, indent=1) + '\n').encode())
        sync_folder(part)
        if folder.exists():  # the same step, from before a resumed run
            remove_checkpoint(folder)
        part.rename(folder)
        sync_folder(run)
        for old in checkpoints(run)[:-keep] if keep else []:
            remove_checkpoint(old)
    return folder


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint: as a whole too, since it loses its name first."""
    nameless = folder.with_name(f'.{folder.name}_old{_PART}')
    folder.rename(nameless)
    shutil.rmtree(nameless)


def checkpoints(run: Path) -> list[Path]:
    """Return the whole checkpoints of a run, oldest first."""
    found = [path for path in run.glob('step_*') if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: path.name)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read the document of a checkpoint, or of the newest one of a run.

    Raises:
        CheckpointError: There is none, it is damaged, of another format, or a pickle.
    """
    if path.is_file():
        with path.open('rb') as file:
            _refuse_pickle(path, file.read(8))
        raise CheckpointError(f'{path}: a file; a checkpoint is a folder with {DOCUMENT}')
    folder = path
    if not (folder / DOCUMENT).exists():
        found = checkpoints(path)
        if not found:
            raise CheckpointError(f'{path}: no checkpoint: neither {DOCUMENT} nor step_… in it')
        folder = found[-1]
    file_path = folder / DOCUMENT
    try:
        document = json.loads(file_path.read_bytes())
    except OSError as error:
        raise CheckpointError(f'{file_path}: {error.strerror}') from error
    except ValueError as error:
        raise CheckpointError(f'{file_path}: not JSON: {error}') from error
    if not isinstance(document, dict) or document.get('format') != FORMAT:
        have = document.get('format') if isinstance(document, dict) else None
        raise CheckpointError(f'{file_path}: format is {have!r}, this reads {FORMAT}')
    for field, kind in (('step', int), ('files', dict), ('meta', dict), ('network', dict),
                        ('diffusion', dict)):  # fmt: skip
        if not isinstance(document.get(field), kind):
            raise CheckpointError(f'{file_path}: {field} is missing or wrong')
    if isinstance(document['step'], bool) or document['step'] < 0:
        raise CheckpointError(f'{file_path}: step = {document["step"]!r} is no count of steps')
    return Checkpoint(folder, document)


def load_policy(
    path: Path, *, device: str = 'cpu', inference_steps: int | None = None
) -> DiffusionPolicy:
    """Load the policy of a checkpoint.

    Args:
        path: A checkpoint, or a training run: its newest one.
        device: Of torch; 'auto': as `choose_device` finds it.
        inference_steps: Of DDIM; None: as trained.

    Raises:
        CheckpointError: It cannot be read; names the file and the field.
        ConfigError: A field holds what cannot be; names the file and the field. Or there is no
            such device.
    """
    place = choose_device(device)
    checkpoint = read_checkpoint(path)
    meta = PolicyMeta.from_json(checkpoint.document['meta'], checkpoint.where)
    diffusion = dict(checkpoint.document['diffusion'])
    if inference_steps is not None:
        diffusion['inference_steps'] = inference_steps
    with _naming(f'{checkpoint.where}: diffusion'):
        schedule = Diffusion(from_mapping(DiffusionParams, diffusion))
    with _naming(f'{checkpoint.where}: network'):
        network = build_network(from_mapping(NetworkParams, checkpoint.document['network']), meta)
    load_tensors(network, checkpoint.tensors(WEIGHTS), str(checkpoint.folder / WEIGHTS))
    return DiffusionPolicy(meta, network, schedule, place)


def build_network(params: NetworkParams, meta: PolicyMeta) -> PolicyNetwork:
    """Return a network with the sizes of a meta."""
    return PolicyNetwork(
        params,
        action=len(meta.action),
        state=len(meta.state),
        steps=meta.observation_steps,
        wrist=WRIST in meta.cameras,
    )


def network_document(
    meta: PolicyMeta, network: NetworkParams, diffusion: DiffusionParams
) -> dict[str, Any]:
    """Return the fields of a document that `load_policy` reads."""
    return {'meta': meta.to_json(), 'network': asdict(network), 'diffusion': asdict(diffusion)}


def load_tensors(network: torch.nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Set the weights of a network.

    Raises:
        CheckpointError: Names or sizes differ; names the first one, and `where`.
    """
    own = network.state_dict()
    for name in sorted(own.keys() ^ tensors.keys()):
        what = 'is missing' if name in own else 'is unknown'
        raise CheckpointError(f'{where}: {name} {what}')
    for name, value in tensors.items():
        if value.shape != own[name].shape:
            raise CheckpointError(
                f'{where}: {name} is {tuple(value.shape)}, not {tuple(own[name].shape)}'
            )
        if not torch.isfinite(value).all():
            raise CheckpointError(f'{where}: {name} holds values that are not finite')
    network.load_state_dict(dict(tensors))


def _refuse_pickle(file: Path, start: bytes) -> None:
    if start.startswith(_PICKLE_STARTS) or file.suffix in _PICKLE_NAMES:
        raise CheckpointError(
            f'{file}: a pickle, which is never loaded, since it can run any code: '
            f'a checkpoint is a folder of safetensors with {DOCUMENT}'
        )


def writing(what: Path) -> AbstractContextManager[None]:
    """Turn an error of the disk into a CheckpointError that names the file and the reason."""
    return disk.writing(what, CheckpointError)


@contextmanager
def _naming(where: str) -> Iterator[None]:
    try:
        yield
    except (MimicError, TypeError) as error:
        raise ConfigError(f'{where}: {error}') from error
