"""A published name: models are imported from `zato.common.marshal_.api`. They are in `zato.common.models`."""
