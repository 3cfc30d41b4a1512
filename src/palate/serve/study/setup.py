"""From a study file and its domains to a study in the database."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from palate.errors import ParameterError
from palate.serve.study.log import StudyLog
from palate.serve.study.tasks import chosen_pools, prompts_of, prompts_to_object
from palate.store.sql import SqlStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from palate.pool import Pool
    from palate.serve.study.plan import StudyPlan
    from palate.serve.study.records import Study
    from palate.serve.study.tasks import Domain
    from palate.store import Store


def study_log(store: Store) -> StudyLog:
    """What a store's database records of studies.

    Raises:
        ParameterError: the store keeps its answers in no database.
    """
    if not isinstance(store, SqlStore):
        raise ParameterError("studies need a store in a database, as open_store makes it")
    return StudyLog(store.database)


def set_up(store: Store, plan: StudyPlan, domains: Mapping[str, Domain]) -> Study:
    """Add a study with its pools; where it is there already, nothing changes.

    A study whose file or texts have changed is another one, with its own link and participants.

    Args:
        store: in a database.
        plan: the study file.
        domains: by the names that the plan has for them.

    Raises:
        ParameterError: a domain lacks a prompt, a persona or a baseline that the plan needs; or
            the store keeps its answers in no database.
    """
    log = study_log(store)
    pools = [chosen_pools(domain, domains[domain.name]) for domain in plan.domains]
    played = "persona" in plan.conditions
    # Without ids of the store, which differ each time: what participants read and what asks them.
    read = [
        prompts_of(domain, domains[domain.name], _fingerprints(of_one), played=played)
        for domain, of_one in zip(plan.domains, pools, strict=True)
    ]
    content = json.dumps([plan.to_object(), prompts_to_object(read)], sort_keys=True)
    fingerprint = hashlib.sha256(content.encode()).hexdigest()
    found = log.study_of(fingerprint)
    if found is not None:
        return found
    prompts = [
        prompts_of(
            domain,
            domains[domain.name],
            {str(pool.id): store.add_pool(pool) for pool in of_one},
            played=played,
        )
        for domain, of_one in zip(plan.domains, pools, strict=True)
    ]
    return log.add_study(fingerprint, plan, prompts)


def _fingerprints(pools: list[Pool]) -> dict[str, str]:
    """What is shown of each prompt, and the features that choose it, in short."""
    return {
        str(pool.id): "-".join(
            (pool.content_fingerprint, pool.features_fingerprint, repr(pool.baseline))
        )
        for pool in pools
    }
