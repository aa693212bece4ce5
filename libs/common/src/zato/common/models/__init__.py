"""Models: dataclasses that are made from what clients send, checked on the way, and sent back as JSON."""

from zato.common.models.model import Model, ModelCtx
from zato.common.models.plan import model_of_list, plan_of

__all__ = ["Model", "ModelCtx", "model_of_list", "plan_of"]
