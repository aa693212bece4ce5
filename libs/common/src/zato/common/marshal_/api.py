"""What published services import from here; see `zato.common.models`."""

from dataclasses import dataclass

from zato.common.errors import ElementIsNotAList, ElementMissing
from zato.common.models import Model, ModelCtx

__all__ = ["ElementIsNotAList", "ElementMissing", "Model", "ModelCtx", "dataclass"]
