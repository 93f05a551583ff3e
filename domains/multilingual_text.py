"""Text in seven languages: the messages of horizon 27.0.0 and Django 5.2 and the names of emoji, with translations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dabs.dataset import PRETRAIN, TRAIN, VALIDATION, Card, Classes, Domain, Rows, Task, Workspace
from dabs.specs import Tokens
from domains._catalogues import plain, read_catalogues, used_in
from domains._text import MOST, Text, assign_sides, sample, shuffled_task, text_rows
from domains._tokenize import train_bpe
from domains._wheels import Wheel, read_member

LENGTH, VOCABULARY = 64, 8000
LANGUAGES = {
    "en": "English",
    "fr": "French",
    "es": "Spanish",
    "de": "German",
    "zh": "Chinese",
    "ja": "Japanese",
    "ko": "Korean",
}
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

# groups' shares for test and validation: of messages of a component, and of all others
COMPONENT_SHARES, OTHER_SHARES = (0.45, 0.1), (0.1, 0.04)
PRETRAIN_MESSAGES, PRETRAIN_EMOJI, PRETRAIN_VALIDATION = 16000, 4000, 700
_LATIN, _HAN, _HANGUL = r"[a-zß-öø-ÿœ]{4,}", r"[一-鿿]{2,4}", r"[가-힣]{2,4}"
# a word that `language` shows; Japanese only in kanji, so that the script does not tell it from Chinese
WORDS = {"en": _LATIN, "fr": _LATIN, "es": _LATIN, "de": _LATIN, "zh": _HAN, "ja": _HAN, "ko": _HANGUL}
WORDLESS = "message:"  # the group of messages that are all values and signs


class Message(NamedTuple):
    """A message or an emoji's name: its translations by language, its component if it has one, its group."""

    texts: dict[str, str]
    component: str
    group: str


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
    used = used_in(horizon, sorted(found), COMPONENTS | _ELSEWHERE)
    return [
        Message(found[message], min(used[message]) if len(used[message]) == 1 else "", group_of(message))
        for message in sorted(found)
    ]


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
        )
        for e in sorted(english)
    ]


def _component_tasks(messages: list[Message], sides: dict[str, str]) -> list[list[Text]]:
    """The same messages in every language: those of one component that all catalogues have.

    A language's task leaves out the few that its translators kept in English, and those without words.
    """
    names = list(COMPONENTS)
    whole = [m for m in messages if m.component and len(m.texts) == len(LANGUAGES) and m.group != WORDLESS]
    return [
        [
            Text(
                dataset=f"component_{language}",
                side=sides[m.group],
                text=m.texts[language],
                label=names.index(m.component),
                group=m.group,
            )
            for m in whole
            if language == "en" or m.texts[language] != m.texts["en"]
        ]
        for language in LANGUAGES
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


def _pretrain(messages: list[Message], emoji: list[Message], sides: dict[str, str], workspace: Workspace) -> list[Text]:
    """Texts of all languages from the training and validation sides, each text by itself."""

    def _texts(source: list[Message], side: str) -> list[Text]:
        return [
            Text(dataset=PRETRAIN, side=side, text=text, label=None, group=m.group)
            for m in source
            if sides[m.group] == side
            for text in m.texts.values()
        ]

    train = sample(_texts(messages, TRAIN), PRETRAIN_MESSAGES, workspace.generator(3, 0))
    train += sample(_texts(emoji, TRAIN), PRETRAIN_EMOJI, workspace.generator(3, 1))
    validation = sample(_texts([*messages, *emoji], VALIDATION), PRETRAIN_VALIDATION, workspace.generator(3, 2))
    return sample(train, len(train), workspace.generator(3, 3)) + validation


def build(workspace: Workspace) -> Iterator[Rows]:
    """Put every message id on a side for all languages and tasks, train the vocabulary, and encode."""
    wheels = workspace.sources
    messages, emoji = read_messages(wheels["horizon"], wheels["Django"]), read_emoji(wheels["emoji"])
    components = {m.group for m in messages if m.component}
    others = {m.group for m in [*messages, *emoji]} - components
    sides = assign_sides(components, *COMPONENT_SHARES, workspace.generator(1, 0))
    sides |= assign_sides(others, *OTHER_SHARES, workspace.generator(1, 1))
    tasks = [_language_task([*messages, *emoji], sides, workspace.generator(2)), *_component_tasks(messages, sides)]
    texts = _pretrain(messages, emoji, sides, workspace)
    tokenizer = train_bpe([t.text for t in texts if t.side == TRAIN], VOCABULARY)
    workspace.files["tokenizer.json"] = tokenizer
    texts += [t for i, task in enumerate(tasks) for t in shuffled_task(task, workspace.generator(4, i))]
    yield from text_rows(texts, tokenizer, LENGTH, DOMAIN.tasks, shortest=3)


_CARD = Card(
    title="Messages of OpenStack's dashboard and of Django, names of emoji, in seven languages",
    origin="recorded",
    licence="horizon: Apache-2.0; Django and emoji: BSD-3-Clause; emoji names: Unicode licence",
    citation="OpenStack Horizon 27.0.0 and its translators; Django 5.2 and its translators; Unicode CLDR",
    source="horizon 27.0.0, Django 5.2 and emoji 2.16.0 from the package index",
    size="14 MB of wheels, 11 MB prepared",
    notes="Translated by people, string by string. Messages of a test side are left out in all seven languages.",
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
            apart="message or emoji",
        ),
        *(
            Task(
                name=f"component_{code}",
                question=f"Which part of the application uses a message, read in {language}?",
                target=Classes(names=tuple(COMPONENTS)),
                metric="accuracy",
                apart="message",
            )
            for code, language in LANGUAGES.items()
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
)
