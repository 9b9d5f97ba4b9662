"""Everything that can go wrong in the engine.

::

    EngineError
    ├── UnsupportedWeightsError     weights of a kind that cannot be served
    ├── UnsupportedSettingError     a dtype, quantization or device that cannot be served here
    ├── NotFiniteError              the weights answer with NaN or infinity in this dtype
    ├── InsufficientMemoryError     weights or cache do not fit the device
    ├── PromptTooLongError          prompt and completion exceed the context
    ├── UnsupportedPromptError      the chat template refuses the turns
    └── GenerationError
        ├── RequestFailedError      this request failed, the engine goes on
        └── EngineStoppedError      the generation loop has ended; the process must be restarted
"""

from __future__ import annotations

from workers.weights.errors import WeightsError


class EngineError(WeightsError):
    """Root of all engine errors; the message says what is wrong and what to do."""


class UnsupportedWeightsError(EngineError):
    """The weights are of a kind that no engine of ours serves; no setting and no other start would help."""


class UnsupportedSettingError(EngineError):
    """A combination of settings that this machine or these weights cannot serve."""


class NotFiniteError(EngineError):
    """The weights overflow in the chosen dtype, so everything they say would be garbage."""


class InsufficientMemoryError(EngineError):
    """The device is too small for the weights or for the KV cache."""


class PromptTooLongError(EngineError):
    """The prompt and the tokens it asks for do not fit the context."""


class UnsupportedPromptError(EngineError):
    """The weights' chat template cannot express the turns of the prompt."""


class GenerationError(EngineError):
    """A request was accepted and then could not be finished."""


class RequestFailedError(GenerationError):
    """One request failed; the engine still serves the others."""


class EngineStoppedError(GenerationError):
    """The generation loop has ended: this process serves no more requests."""
