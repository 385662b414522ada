"""SAM 2 as a Segmenter, for those who have it: it needs torch, a GPU and weights.

The environment variable MIMIC_SAM2_MODEL names the weights: a model of the Hugging Face hub such
as 'facebook/sam2.1-hiera-tiny', or 'CONFIG:CHECKPOINT' of files on this machine. Nothing is
downloaded unless a model of the hub is named. Its names are those of its README.
"""

import contextlib
import importlib
import os
from typing import Any, Final

import numpy as np

from mimic_core.arrays import BoolArray, Image
from mimic_core.errors import ConfigError, SourceError
from mimic_object_tracking.view import Box

MODEL_VARIABLE: Final = 'MIMIC_SAM2_MODEL'


class Sam2Segmenter:
    """Prompts SAM 2's image predictor with the box in which the object is expected."""

    def __init__(self) -> None:
        """Load the network.

        Raises:
            ConfigError: It is not installed, or no weights are named.
        """
        name = os.environ.get(MODEL_VARIABLE, '')
        if not name:
            raise ConfigError(
                f'segmenter sam2 needs {MODEL_VARIABLE}: a model of the Hugging Face hub or '
                'CONFIG:CHECKPOINT'
            )
        try:
            self._torch: Any = importlib.import_module('torch')
            predictor: Any = importlib.import_module('sam2.sam2_image_predictor')
            build: Any = importlib.import_module('sam2.build_sam')
        except ImportError as error:
            raise ConfigError(
                f'SAM 2 cannot be imported ({error}): install it as its README says, or use '
                'segmenter depth'
            ) from error
        config, _, checkpoint = name.partition(':')
        cls = predictor.SAM2ImagePredictor
        try:
            if checkpoint:
                self._predictor: Any = cls(build.build_sam2(config, checkpoint))
            else:
                self._predictor = cls.from_pretrained(name)
        except (RuntimeError, OSError) as error:  # no such file, no GPU
            raise ConfigError(f'SAM 2 cannot be loaded from {name}: {error}') from error

    def segment(self, color: Image, box: Box) -> BoolArray:
        """See Segmenter.

        Raises:
            SourceError: It failed, as when the memory of the GPU is full.
        """
        top, bottom, left, right = box
        prompt = np.array([left, top, right, bottom], np.float32)  # x and y, as SAM 2 counts
        try:
            with self._torch.inference_mode(), self._precision():
                self._predictor.set_image(np.ascontiguousarray(color))
                masks, _, _ = self._predictor.predict(box=prompt, multimask_output=False)
        except RuntimeError as error:
            raise SourceError(f'SAM 2: {error}') from error
        mask: BoolArray = np.asarray(masks)[0] > 0.5
        return mask

    def _precision(self) -> Any:
        if self._torch.cuda.is_available():
            return self._torch.autocast('cuda', dtype=self._torch.bfloat16)
        return contextlib.nullcontext()
