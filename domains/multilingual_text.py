"""Text in seven languages: messages of horizon and Django, names of emoji."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dabs.data.domain import PRETRAIN, TRAIN, VALIDATION, Card, Classes, Domain, Rows, Task, Workspace
from dabs.domains.sources.wheels import Wheel, read_member
from dabs.domains.text.catalogues import find_usage, read_catalogues, visible_text
from dabs.domains.text.languages import LANGUAGES
from dabs.domains.text.texts_to_rows import (
    MAX_TASK_ROWS,
    Text,
    assign_splits,
    packed_rows,
    shuffle_task,
    strictest_splits,
    task_rows,
)
from dabs.domains.text.tokenize import train_bpe
from dabs.specs import Tokens

LENGTH, VOCABULARY = 32, 8000
HORIZON_FOLDERS = {"fr": "fr", "es": "es", "de": "de", "zh": "zh_Hans", "ja": "ja", "ko": "ko_KR"}
DJANGO_FOLDERS = HORIZON_FOLDERS | {"ko": "ko"}


def _panels(*names: str, service: str = "-") -> str:
    """Return a regular expression for the paths of dashboard panels and of the client of a service."""
    any_name = "|".join(names)
    in_dashboards = rf"/dashboards/\w+/(?:static/dashboard/\w+/)?(?:workflow/)?(?:{any_name})/"
    return rf"{in_dashboards}|/static/app/core/(?:{any_name})/|openstack-service-api/{service}\."


COMPONENTS = {
    "instances": _panels("instances", "launch-instance", "server_groups", "key_pairs", "keypairs", service="nova"),
    "hosts": _panels("hypervisors", "aggregates", "flavors", "ngflavors", "info"),
    "volumes": _panels("volumes", "snapshots", "backups", service="cinder"),
    "volume types": _panels("volume_types", "group_types", "volume_groups", "vg_snapshots"),
    "networks": _panels("networks", "trunks", "network_qos", "rbac_policies", "network_topology", service="neutron"),
    "routers": _panels("routers", "floating_ips", "floating_ip_portforwardings", "security_groups"),
    "images": _panels("images", "metadata_defs", service="glance"),
    "identity": _panels(
        *("users", "groups", "roles", "projects", "domains", "identity_providers", "mappings"),
        *("application_credentials", "credentials", "password"),
        service="keystone",
    ),
}
# messages that are also used here belong to no component
_ELSEWHERE = {"": r"^(openstack_dashboard/(dashboards|usage|static|templates|api)|horizon|openstack_auth)/"}
PAGE = 40  # messages in a page, if no source folder says which belong together

# shares of groups for test and for validation: of messages with a component, and of all others
COMPONENT_SHARES, OTHER_SHARES = (0.45, 0.1), (0.1, 0.04)
PASSES = {TRAIN: 6, VALIDATION: 1}  # over the messages of each page, each in another order
MAX_PRETRAIN_ROWS = {TRAIN: 20000, VALIDATION: 700}
_LATIN, _HAN, _HANGUL = r"[a-zß-öø-ÿœ]{4,}", r"[一-鿿]{2,4}", r"[가-힣]{2,4}"
# the words in the task `language`; Japanese only in kanji, so that the script does not distinguish it from Chinese
WORDS = {"en": _LATIN, "fr": _LATIN, "es": _LATIN, "de": _LATIN, "zh": _HAN, "ja": _HAN, "ko": _HANGUL}
WORDLESS = "message:"  # the group of messages that consist of values and signs only


class Message(NamedTuple):
    """A message, or the name of an emoji.

    Attributes:
        texts: its translations by language.
        component: the component that uses it; "" if there is none.
        group: what must not appear in two splits.
        pages: the pages of the application that show it.
    """

    texts: dict[str, str]
    component: str
    group: str
    pages: tuple[str, ...] = ()


def group_of(message: str) -> str:
    """Return the words of an English message without case, values and plural endings.

    Messages that differ only in these, like "Delete Volume" and "Delete Volumes", are one group.
    """
    words = [word.rstrip("s") for word in re.findall(r"[a-z]+", visible_text(message).lower())]
    return WORDLESS + " ".join(words)[:80]


def read_messages(horizon: Path, django: Path) -> list[Message]:
    """Read all messages of both wheels with their translations, sorted by message id."""
    found: dict[str, dict[str, str]] = {}
    for wheel, folders in ((horizon, HORIZON_FOLDERS), (django, DJANGO_FOLDERS)):
        for language, folder in folders.items():
            for message, translation in read_catalogues(wheel, folder).items():
                texts = found.setdefault(message, {"en": visible_text(message)})
                texts.setdefault(language, visible_text(translation))
    ids = sorted(found)
    components, pages = find_usage(horizon, ids, component_of), find_usage(horizon, ids, folder_of_page)
    return [
        Message(
            found[message],
            min(components[message]) if len(components[message]) == 1 else "",
            group_of(message),
            tuple(sorted(pages[message])) or (f"catalogue {i // PAGE}",),
        )
        for i, message in enumerate(ids)
    ]


def component_of(path: str) -> str | None:
    """Return the component of a source file, "" for code that several components share, None for other files."""
    return next((name for name, pattern in (COMPONENTS | _ELSEWHERE).items() if re.search(pattern, path)), None)


def folder_of_page(path: str) -> str:
    """Return the folder of a source file, five levels deep: a panel with its forms, tables and templates."""
    parts = [part for part in path.split("/")[:-1] if part not in ("templates", "workflows")]
    return "/".join(parts[:5])


def read_emoji(wheel: Path) -> list[Message]:
    """Read the names of emoji in the seven languages, without skin-tone variants."""

    def names(member: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(read_member(wheel, f"emoji/unicode_codes/{member}.json"))
        return found

    english = {e: v["en"] for e, v in names("emoji").items() if v["status"] == 2 and not re.search("[🏻-🏿]", e)}
    tables = {"en": english} | {language: names(f"emoji_{language}") for language in HORIZON_FOLDERS}
    return [
        Message(
            {lang: table[e].strip(":").replace("_", " ") for lang, table in tables.items() if e in table},
            "",
            f"emoji:{english[e]}",
            (f"emoji {i // PAGE}",),  # neighbours in Unicode belong together: faces, animals, flags
        )
        for i, e in enumerate(sorted(english))
    ]


def component_texts(messages: list[Message], split_of: dict[str, str]) -> list[Text]:
    """Return the messages of exactly one component that all catalogues have, in every language.

    A message that a translator kept in English is used as English only. Messages without words are left out.
    """
    names = list(COMPONENTS)
    complete = [m for m in messages if m.component and len(m.texts) == len(LANGUAGES) and m.group != WORDLESS]
    return [
        Text(
            dataset="component",
            split=split_of[m.group],
            text=m.texts[language],
            label=names.index(m.component),
            group=m.group,
        )
        for m in complete
        for language in LANGUAGES
        if language == "en" or m.texts[language] != m.texts["en"]
    ]


def language_texts(messages: list[Message], split_of: dict[str, str], generator: Any) -> list[Text]:
    """Return single words that occur in one language only, with equal numbers per language in every split."""
    languages_of: dict[str, set[str]] = {}
    found: list[tuple[str, str, str]] = []
    for message in messages:
        for language, text in message.texts.items():
            for word in re.findall(WORDS[language], text.lower()):
                languages_of.setdefault(word, set()).add(language)
                found.append((language, word, message.group))
    room = {
        (language, split): count // len(LANGUAGES) for language in LANGUAGES for split, count in MAX_TASK_ROWS.items()
    }
    taken: set[str] = set()
    chosen: list[Text] = []
    for i in generator.permutation(len(found)):
        language, word, group = found[i]
        split = split_of[group]
        if len(languages_of[word]) == 1 and word not in taken and room[language, split]:
            room[language, split] -= 1
            taken.add(word)
            label = list(LANGUAGES).index(language)
            chosen.append(Text(dataset="language", split=split, text=word, label=label, group=group))
    return chosen


def page_documents(messages: list[Message], split_of: dict[str, str], split: str, generator: Any) -> list[list[Text]]:
    """Return the messages of each page in each language as documents, one for each of several random orders."""
    pages: dict[tuple[str, str], list[Text]] = {}
    for message in messages:
        if split_of[message.group] == split and message.group != WORDLESS:
            for language, text in message.texts.items():
                one = Text(dataset=PRETRAIN, split=split, text=text, label=None, group=message.group)
                for page in message.pages:
                    pages.setdefault((page, language), []).append(one)
    return [
        [texts[i] for i in generator.permutation(len(texts))]
        for _, texts in sorted(pages.items())
        for _ in range(PASSES[split])
    ]


def build(workspace: Workspace) -> Iterator[Rows]:
    """Assign every message to a split for all languages and tasks, train the vocabulary, and encode."""
    wheels = workspace.sources
    messages, emoji = read_messages(wheels["horizon"], wheels["Django"]), read_emoji(wheels["emoji"])
    components = {m.group for m in messages if m.component}
    others = {m.group for m in [*messages, *emoji]} - components
    split_of = assign_splits(components, *COMPONENT_SHARES, workspace.generator(1, 0))
    split_of |= assign_splits(others, *OTHER_SHARES, workspace.generator(1, 1))
    everything = [*messages, *emoji]
    tasks = [language_texts(everything, split_of, workspace.generator(2)), component_texts(messages, split_of)]
    documents = {
        split: page_documents(everything, split_of, split, workspace.generator(3, i)) for i, split in enumerate(PASSES)
    }
    tokenizer = train_bpe(sorted({t.text for document in documents[TRAIN] for t in document}), VOCABULARY)
    workspace.files["tokenizer.json"] = tokenizer
    texts = [t for i, task in enumerate(tasks) for t in shuffle_task(task, workspace.generator(4, i))]
    strictest = strictest_splits(texts, tokenizer, LENGTH)
    for i, (split, group) in enumerate(documents.items()):
        yield packed_rows(group, strictest, tokenizer, LENGTH, MAX_PRETRAIN_ROWS[split], workspace.generator(5, i))
    yield from task_rows(texts, tokenizer, LENGTH, LITE.tasks)


CARD = Card(
    title="Messages of OpenStack's dashboard and Django, and names of emoji, in seven languages",
    origin="recorded",
    licence="horizon: Apache-2.0; Django and emoji: BSD-3-Clause; emoji names: Unicode licence",
    citation="OpenStack Horizon 27.0.0 and its translators; Django 5.2 and its translators; Unicode CLDR",
    source="horizon 27.0.0, Django 5.2 and emoji 2.16.0 from the package index",
    size="14 MB of wheels, 11 MB prepared",
    notes="Translated by people, string by string; pretraining rows join the messages of one page of the application. "
    "Test messages are left out of pretraining in all seven languages.",
)

LITE = Domain(
    name="multilingual_text",
    suite="lite",
    title="Multilingual text",
    specs=(Tokens(length=LENGTH, vocabulary=VOCABULARY),),
    card=CARD,
    tasks=(
        Task(
            name="language",
            question="Which of seven languages is a single word from?",
            target=Classes(names=tuple(LANGUAGES.values())),
            metric="accuracy",
            split_by="message or emoji",
        ),
        Task(
            name="component",
            question="Which part of the application uses a message, in any of seven languages?",
            target=Classes(names=tuple(COMPONENTS)),
            metric="accuracy",
            split_by="message, in all languages",
        ),
    ),
    sources=(
        Wheel(
            package="horizon",
            version="27.0.0",
            sha256="8a981dae4fb6626e71553aa185f6e429b0b1efb86b04b0a72c3b18ee04f1f990",
        ),
        Wheel(
            package="Django",
            version="5.2",
            sha256="91ceed4e3a6db5aedced65e3c8f963118ea9ba753fc620831c77074e620e7d83",
        ),
        Wheel(
            package="emoji",
            version="2.16.0",
            sha256="c4230d80640def9071599ff56b1b5950fe13a2a94c0da98c5deab12431b24330",
        ),
    ),
    build=build,
    version=2,
    steps=3000,  # after 2,000, ShED had hardly left the constant answer
)
