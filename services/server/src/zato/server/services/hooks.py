"""The hooks of a service, in the order they run. What one raises is logged, and the next one runs."""

from typing import Any


class Hooks:
    """Define those that you need."""

    @staticmethod
    def before_add_to_store(logger: Any) -> bool:
        """Runs when the file is deployed. The service is only taken up when this returns True."""
        return True

    @staticmethod
    def after_add_to_store(logger: Any) -> None:
        """Runs when the service was taken up."""

    def accept(self) -> bool:
        """Return False to not run at all: the client gets 400, with nothing in it."""
        return True

    def before_job(self) -> None:
        """Runs first when the scheduler invokes the service."""

    def before_one_time_job(self) -> None: ...

    def before_interval_based_job(self) -> None: ...

    def before_cron_style_job(self) -> None: ...

    def before_handle(self) -> None: ...

    def validate_input(self) -> None:
        """Runs right before the handler. What it raises is the answer."""

    def validate_output(self) -> None:
        """Runs right after the handler. What it raises is the answer."""

    def after_handle(self) -> None:
        """Runs after the handler, unless that raised something; so do all below."""

    def after_job(self) -> None: ...

    def after_one_time_job(self) -> None: ...

    def after_interval_based_job(self) -> None: ...

    def after_cron_style_job(self) -> None: ...

    def finalize_handle(self) -> None:
        """Runs last; knows `processing_time`."""
