"""Build the benchmark's rules from the registry and from the standard settings."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from dabs.leaderboard.submit.rules import Rules


def build_rules(suite: str, domains: tuple[str, ...] = ()) -> Rules:
    """Return the rules for submissions to a suite; `domains` are all official ones by default."""
    from dabs.config import OFFICIAL_SEEDS, PROTOCOLS, STANDARD_BETA2, STANDARD_RATE, Training
    from dabs.encoder import PRESETS
    from dabs.evaluation.build_result import protocol_config
    from dabs.leaderboard.submit.rules import Rules
    from dabs.registry import domain_names, find_domain
    from dabs.specs import specs_to_json

    all_domains = [find_domain(name, suite) for name in domains or tuple(domain_names(suite))]
    return Rules(
        suite=suite,
        tasks={domain.name: tuple(task.name for task in domain.tasks) for domain in all_domains},
        metrics={(domain.name, task.name): task.metric for domain in all_domains for task in domain.tasks},
        budgets={
            domain.name: {
                "steps": domain.steps,
                "batch_size": domain.batch_size,
                "accumulate": Training().accumulate,
                "encoder": domain.encoder,
                "lr": STANDARD_RATE[domain.encoder],
                "weight_decay": Training().weight_decay,
                "beta2": STANDARD_BETA2[domain.encoder],
            }
            for domain in all_domains
        },
        encoders={
            domain.name: {**asdict(PRESETS[domain.encoder]), "specs": specs_to_json(domain.specs)}
            for domain in all_domains
        },
        protocols={protocol: protocol_config(protocol, suite) for protocol in PROTOCOLS},
        seeds=OFFICIAL_SEEDS,
    )


def read_labels(suite: str, domain: str, task: str) -> np.ndarray | None:
    """Return the labels of a task's test split, or None if the domain's data is not prepared."""
    from dabs.data.domain import TEST
    from dabs.data.prepared import is_prepared, open_prepared
    from dabs.registry import domain_names, find_domain, plugin_names

    if domain not in domain_names(suite) + plugin_names(suite):
        return None
    found = find_domain(domain, suite)
    if not is_prepared(found) or task not in {t.name for t in found.tasks}:
        return None
    return open_prepared(found, task).columns(TEST, ("label",))["label"]
