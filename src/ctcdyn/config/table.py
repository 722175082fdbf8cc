"""What all tables of a study share, and the types of their values."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, WithJsonSchema
from pydantic import BeforeValidator as Read

from ctcdyn.config.values import NUMBER_OR_TEXT, days, quantity

Quantity = Annotated[float | str, Read(quantity), WithJsonSchema(NUMBER_OR_TEXT)]
Days = Annotated[float, Read(days), WithJsonSchema(NUMBER_OR_TEXT)]


class Table(BaseModel):
    """A table as a frozen value: unknown keys are errors, no value is converted silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
