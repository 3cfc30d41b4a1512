"""The store's contract, on each database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from databases import postgres_url

from palate.store import Store, open_store
from palate.testing import StoreContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with open_store("memory:") as store:
            yield store

    def second(self) -> Store:
        pytest.skip("what is in memory belongs to one store")


class TestFile(StoreContract):
    url: str

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        self.url = f"sqlite:///{tmp_path}/a folder/store.db?synchronous=normal"
        with open_store(self.url) as store:
            yield store

    def second(self) -> Store:
        return open_store(self.url)


class TestPostgres(StoreContract):
    url: str

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with postgres_url() as self.url, open_store(self.url) as store:
            yield store

    def second(self) -> Store:
        return open_store(self.url)
