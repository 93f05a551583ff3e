"""Text in seven languages: the messages of horizon 27.0.0 and Django 5.2 and the names of emoji, with translations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dabs.data.domain import PRETRAIN, TRAIN, VALIDATION, Card, Classes, Domain, Rows, Task, Workspace
from dabs.domains.sources.wheels import Wheel, read_member
from dabs.domains.text.catalogues import plain, read_catalogues, used_in
from dabs.domains.text.rows import (
    LANGUAGES,
    MOST,
    Text,
    assign_sides,
    packed_rows,
    shuffled_task,
    strictest_sides,
    task_rows,
)
from dabs.domains.text.tokenize import train_bpe
from dabs.specs import Tokens

LENGTH, VOCABULARY = 32, 8000
HORIZON_FOLDERS = {"fr": "fr", "es": "es", "de": "de", "zh": "zh_Hans", "ja": "ja", "ko": "ko_KR"}
DJANGO_FOLDERS = HORIZON_FOLDERS | {"ko": "ko"}


def _panels(*names: str, service: str = "-") -> str:
    """Paths of the named panels of the dashboard, and of the client of a service, as a regular expression."""
    either = "|".join(names)
    in_dashboards = rf"/dashboards/\w+/(?:static/dashboard/\w+/)?(?:workflow/)?(?:{either})/"
    return rf"{in_dashboards}|/static/app/core/(?:{either})/|openstack-service-api/{service}\."


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
# messages that are used here too belong to no component
_ELSEWHERE = {"": r"^(openstack_dashboard/(dashboards|usage|static|templates|api)|horizon|openstack_auth)/"}
PAGE = 40  # messages that make a page where no source folder tells which belong together

# groups' shares for test and validation: of messages of a component, and of all others
COMPONENT_SHARES, OTHER_SHARES = (0.45, 0.1), (0.1, 0.04)
PASSES = {TRAIN: 6, VALIDATION: 1}  # over the messages of each page, every time in another order
PRETRAIN_ROWS = {TRAIN: 20000, VALIDATION: 700}  # at most
_LATIN, _HAN, _HANGUL = r"[a-zß-öø-ÿœ]{4,}", r"[一-鿿]{2,4}", r"[가-힣]{2,4}"
# a word that `language` shows; Japanese only in kanji, so that the script does not tell it from Chinese
WORDS = {"en": _LATIN, "fr": _LATIN, "es": _LATIN, "de": _LATIN, "zh": _HAN, "ja": _HAN, "ko": _HANGUL}
WORDLESS = "message:"  # the group of messages that are all values and signs


class Message(NamedTuple):
    """A message or an emoji's name: its translations by language, its component if it has one, its group, its pages."""

    texts: dict[str, str]
    component: str
    group: str
    pages: tuple[str, ...] = ()


def group_of(message: str) -> str:
    """The words of an English message without case, values and plural endings: messages that differ only in these
    ("Delete Volume", "Delete Volumes") are one group."""
    words = [word.rstrip("s") for word in re.findall(r"[a-z]+", plain(message).lower())]
    return WORDLESS + " ".join(words)[:80]


def read_messages(horizon: Path, django: Path) -> list[Message]:
    """All messages of both wheels with the translations there are, sorted by their English text."""
    found: dict[str, dict[str, str]] = {}
    for wheel, folders in ((horizon, HORIZON_FOLDERS), (django, DJANGO_FOLDERS)):
        for language, folder in folders.items():
            for message, translation in read_catalogues(wheel, folder).items():
                texts = found.setdefault(message, {"en": plain(message)})
                texts.setdefault(language, plain(translation))
    ids = sorted(found)
    components, pages = used_in(horizon, ids, component_of), used_in(horizon, ids, folder_of_page)
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
    """The component that a source file belongs to, "" for parts that serve several, None for files of no interest."""
    return next((name for name, pattern in (COMPONENTS | _ELSEWHERE).items() if re.search(pattern, path)), None)


def folder_of_page(path: str) -> str:
    """The folder of a source file, five levels deep: a panel of the dashboard with its forms, tables and templates."""
    parts = [part for part in path.split("/")[:-1] if part not in ("templates", "workflows")]
    return "/".join(parts[:5])


def read_emoji(wheel: Path) -> list[Message]:
    """Names of emoji in the seven languages, without the variants of skin tone."""

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
            (f"emoji {i // PAGE}",),  # neighbours in Unicode are of a kind: faces, animals, flags
        )
        for i, e in enumerate(sorted(english))
    ]


def _component_task(messages: list[Message], sides: dict[str, str]) -> list[Text]:
    """The messages of one component that all catalogues have, in every language.

    Messages that a translator kept in English count as English only, and those without words are left out.
    """
    names = list(COMPONENTS)
    whole = [m for m in messages if m.component and len(m.texts) == len(LANGUAGES) and m.group != WORDLESS]
    return [
        Text(
            dataset="component",
            side=sides[m.group],
            text=m.texts[language],
            label=names.index(m.component),
            group=m.group,
        )
        for m in whole
        for language in LANGUAGES
        if language == "en" or m.texts[language] != m.texts["en"]
    ]


def _language_task(messages: list[Message], sides: dict[str, str], generator: Any) -> list[Text]:
    """Single words that occur in one language only, as many of each language in every split."""
    where: dict[str, set[str]] = {}
    found: list[tuple[str, str, str]] = []
    for message in messages:
        for language, text in message.texts.items():
            for word in re.findall(WORDS[language], text.lower()):
                where.setdefault(word, set()).add(language)
                found.append((language, word, message.group))
    room = {(language, side): most // len(LANGUAGES) for language in LANGUAGES for side, most in MOST.items()}
    taken: set[str] = set()
    chosen: list[Text] = []
    for i in generator.permutation(len(found)):
        language, word, group = found[i]
        side = sides[group]
        if len(where[word]) == 1 and word not in taken and room[language, side]:
            room[language, side] -= 1
            taken.add(word)
            label = list(LANGUAGES).index(language)
            chosen.append(Text(dataset="language", side=side, text=word, label=label, group=group))
    return chosen


def _documents(messages: list[Message], sides: dict[str, str], side: str, generator: Any) -> list[list[Text]]:
    """The messages of each page in each language, in several random orders, a document each."""
    pages: dict[tuple[str, str], list[Text]] = {}
    for message in messages:
        if sides[message.group] == side and message.group != WORDLESS:
            for language, text in message.texts.items():
                one = Text(dataset=PRETRAIN, side=side, text=text, label=None, group=message.group)
                for page in message.pages:
                    pages.setdefault((page, language), []).append(one)
    return [
        [texts[i] for i in generator.permutation(len(texts))]
        for _, texts in sorted(pages.items())
        for _ in range(PASSES[side])
    ]


def build(workspace: Workspace) -> Iterator[Rows]:
    """Put every message id on a side for all languages and tasks, train the vocabulary, and encode."""
    wheels = workspace.sources
    messages, emoji = read_messages(wheels["horizon"], wheels["Django"]), read_emoji(wheels["emoji"])
    components = {m.group for m in messages if m.component}
    others = {m.group for m in [*messages, *emoji]} - components
    sides = assign_sides(components, *COMPONENT_SHARES, workspace.generator(1, 0))
    sides |= assign_sides(others, *OTHER_SHARES, workspace.generator(1, 1))
    tasks = [_language_task([*messages, *emoji], sides, workspace.generator(2)), _component_task(messages, sides)]
    documents = {
        side: _documents([*messages, *emoji], sides, side, workspace.generator(3, i)) for i, side in enumerate(PASSES)
    }
    tokenizer = train_bpe(sorted({t.text for document in documents[TRAIN] for t in document}), VOCABULARY)
    workspace.files["tokenizer.json"] = tokenizer
    texts = [t for i, task in enumerate(tasks) for t in shuffled_task(task, workspace.generator(4, i))]
    tested = strictest_sides(texts, tokenizer, LENGTH)
    for i, (side, of) in enumerate(documents.items()):
        yield packed_rows(of, tested, tokenizer, LENGTH, PRETRAIN_ROWS[side], workspace.generator(5, i))
    yield from task_rows(texts, tokenizer, LENGTH, DOMAIN.tasks)


_CARD = Card(
    title="Messages of OpenStack's dashboard and of Django, names of emoji, in seven languages",
    origin="recorded",
    licence="horizon: Apache-2.0; Django and emoji: BSD-3-Clause; emoji names: Unicode licence",
    citation="OpenStack Horizon 27.0.0 and its translators; Django 5.2 and its translators; Unicode CLDR",
    source="horizon 27.0.0, Django 5.2 and emoji 2.16.0 from the package index",
    size="14 MB of wheels, 11 MB prepared",
    notes="Translated by people, string by string; pretraining rows join messages of one page of the application. "
    "Messages of a test side are left out in all seven languages.",
)

DOMAIN = Domain(
    name="multilingual_text",
    suite="lite",
    title="Multilingual text",
    specs=(Tokens(length=LENGTH, vocabulary=VOCABULARY),),
    card=_CARD,
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
    steps=500,
)
