"""What the package passes on: contracts, columns, and everything else that must stay as it was made."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from infra import PROJECT_FOLDER
from referral_delivery.agreement.attributes import CATALOGUE
from referral_delivery.agreement.column import Column
from referral_delivery.agreement.contract import Contract
from tests.support import contract

FUNCTIONS = PROJECT_FOLDER / "functions"
# Filled in while a file is read, or while the clients are looked after.
GROWS = {"ClientFile", "Round", "_Client"}


def classes() -> Iterator[type]:
    """Each class of the package, of every module."""
    for path in sorted((FUNCTIONS / "referral_delivery").rglob("*.py")):
        module = import_module(".".join(path.relative_to(FUNCTIONS).with_suffix("").parts).removesuffix(".__init__"))
        for each in vars(module).values():
            if isinstance(each, type) and each.__module__ == module.__name__:
                yield each


DATA: list[Any] = [each for each in classes() if is_dataclass(each) and each.__name__ not in GROWS]
MODELS = [each for each in classes() if issubclass(each, BaseModel)]


@pytest.mark.parametrize("kind", DATA, ids=lambda kind: kind.__name__)
def test_data_cannot_be_changed(kind: Any) -> None:
    assert kind.__dataclass_params__.frozen


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_model_cannot_be_changed(model: type[BaseModel]) -> None:
    assert model.model_config["frozen"]


@pytest.mark.parametrize(
    "model", [each for each in MODELS if ".agreement." in each.__module__], ids=lambda model: model.__name__
)
def test_what_was_agreed_holds_no_field_that_is_not_known(model: type[BaseModel]) -> None:
    assert model.model_config["extra"] == "forbid"


def test_a_column_takes_its_attribute_from_its_name_unless_it_says_another() -> None:
    assert Column.model_validate("email") == Column.model_validate({"name": "email"})
    assert Column.model_validate({"name": "mail", "from": "email"}).source == "email"
    with pytest.raises(ValidationError, match="source\n  Extra inputs are not permitted"):
        Column.model_validate({"name": "mail", "from": "email", "source": "email"})


def test_a_columns_header_has_at_most_64_characters() -> None:
    assert Column.model_validate({"name": "x" * 64, "from": "email"}).name == "x" * 64
    with pytest.raises(ValidationError, match="expected a column's header: at most 64 letters, digits, blanks"):
        Column.model_validate({"name": "x" * 65, "from": "email"})


def test_a_contract_survives_the_way_through_json() -> None:
    agreed = contract(attributes=["email", {"name": "hash", "from": "email", "transform": "sha256"}])
    assert Contract.model_validate_json(agreed.model_dump_json()) == agreed
    assert agreed.model_dump()["attributes"][0] == {"name": "email", "from": "email"}


def test_a_contract_has_a_column_at_least() -> None:
    with pytest.raises(ValidationError, match="attributes\n  Tuple should have at least 1 item"):
        contract(attributes=[])


def test_a_contract_is_kept_under_the_same_hash_by_every_version() -> None:
    agreed = contract(attributes=["email", {"name": "hash", "from": "email", "transform": "sha256"}])
    assert agreed.hash == "ac9af50665ce1a89"


def test_a_recalled_column_has_the_type_that_it_had_whatever_the_catalogue_says_today() -> None:
    plain = {"name": "age", "from": "age", "transform": None}
    assert Column.recalled(plain | {"type": "text"}).type == "text"
    assert Column.recalled(plain).type == CATALOGUE["age"].type == "integer"
    assert Column.recalled(plain | {"from": "gone"}).type is None


def test_a_contract_of_a_later_version_is_recalled_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    plain = contract().to_plain()
    plain["attributes"][0]["transform"] = "rot13"
    plain["file"]["compression"] = "zstd"
    assert Contract.recalled(plain).to_plain() == plain
    assert not recwarn.list
