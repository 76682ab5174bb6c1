"""The function's environment as one model; infra/exporter.py sets exactly these."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Names of what the function works on."""

    model_config = ConfigDict(frozen=True)

    lake_bucket: str
    delivery_bucket: str
    ledger_table: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read LAKE_BUCKET and so on; a missing one is a ValidationError that names it."""
        return cls.model_validate(
            {name: environment[name.upper()] for name in cls.model_fields if name.upper() in environment}
        )

    def to_environment(self) -> dict[str, str]:
        """The variables that `from_environment` reads."""
        return {name.upper(): value for name, value in self.model_dump().items()}
