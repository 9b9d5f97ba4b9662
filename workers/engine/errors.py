"""Errors of the engine.

::

    EngineError
    ├── UnsupportedWeightsError     weights of a kind that cannot be served
    ├── UnsupportedSettingError     a dtype, quantization or device that cannot be served here
    ├── NotFiniteError              the weights' logits are NaN or infinite in this dtype
    ├── InsufficientMemoryError     weights or cache do not fit the device
    ├── PromptTooLongError          prompt and completion exceed the context
    ├── UnsupportedPromptError      the chat template refuses the turns
    ├── UnsupportedRequestError     the engine's server cannot do what is asked
    └── GenerationError
        ├── RequestFailedError      this request failed, the engine goes on
        ├── ServerUnreachableError  no server of the engine answers
        └── EngineStoppedError      the generation loop has ended; the process must be restarted
"""

from __future__ import annotations

from workers.weights.errors import WeightsError


class EngineError(WeightsError):
    """Root of all engine errors; the message contains the cause and the remedy."""


class UnsupportedWeightsError(EngineError):
    """The weights are of a kind that cannot be served; neither a setting nor a restart would help."""


class UnsupportedSettingError(EngineError):
    """A combination of settings that this machine or these weights cannot serve."""


class NotFiniteError(EngineError):
    """The weights overflow in the chosen dtype, so that their logits are meaningless."""


class InsufficientMemoryError(EngineError):
    """The device is too small for the weights or for the KV cache."""


class PromptTooLongError(EngineError):
    """The prompt and its new tokens do not fit the context."""


class UnsupportedPromptError(EngineError):
    """The weights' chat template cannot express the turns of the prompt."""


class UnsupportedRequestError(EngineError):
    """The engine's server has no way to do what a request asks for."""


class GenerationError(EngineError):
    """A request failed after it was accepted."""


class RequestFailedError(GenerationError):
    """One request failed; the engine still serves the others."""


class ServerUnreachableError(GenerationError):
    """No server of the engine answers, for now; the step is given back without counting an error."""


class EngineStoppedError(GenerationError):
    """The generation loop has ended: this process serves no more requests."""


def get_reason(error: Exception) -> str:
    """Return the first line of a library's error, for a message of ours."""
    return (str(error).splitlines() or [repr(error)])[0]
