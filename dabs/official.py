"""The official suites, fixed lists of domains and tasks, and the published rows.

Any other domain is a plug-in: no mean over all domains and no submission includes it.
"""

from __future__ import annotations

OFFICIAL_TASKS: dict[str, dict[str, tuple[str, ...]]] = {
    "lite": {
        "captioned_images": ("category", "subgroup"),
        "chest_xray": ("findings", "heart_size"),
        "english_text": ("question_type", "spam", "genre"),
        "multilingual_text": ("language", "component"),
        "natural_images": ("photograph", "animal"),
        "sensor": ("exercise", "tempo"),
        "speech": ("word", "voice", "language"),
    },
    "open": {
        "captioned_images": ("mismatched_caption", "vqa"),
        "chest_xray": ("chest_mnist", "pneumonia_mnist"),
        "english_text": ("cola", "sst2", "mrpc", "qnli", "rte"),
        "multilingual_text": tuple(f"pawsx_{language}" for language in ("en", "fr", "es", "de", "zh", "ja", "ko")),
        "natural_images": ("cifar10", "dtd", "traffic_sign", "vgg_flower"),
        "sensor": ("pamap2",),
        "speech": ("librispeech", "audio_mnist", "spoken_command"),
    },
    "paper": {
        "captioned_images": ("mismatched_caption", "vqa"),
        "chest_xray": ("chexpert", "chest_xray8"),
        "english_text": (
            *("cola", "sst2", "mrpc", "qqp", "stsb", "mnli_matched", "mnli_mismatched", "qnli", "rte", "wnli"),
        ),
        "multilingual_text": tuple(f"pawsx_{language}" for language in ("en", "fr", "es", "de", "zh", "ja", "ko")),
        "natural_images": ("cifar10", "aircraft", "cu_birds", "dtd", "traffic_sign", "vgg_flower"),
        "sensor": ("pamap2",),
        "speech": (
            *("librispeech", "audio_mnist"),
            *(f"fluent_speech_{field}" for field in ("action", "object", "location")),
            *("google_speech", "voxceleb1"),
        ),
    },
}
"""The tasks of each domain of the official suites, by suite and domain; reading them imports no domain."""
OFFICIAL_TASKS["paper32"] = {
    name: OFFICIAL_TASKS["paper"][name] for name in ("captioned_images", "chest_xray", "natural_images")
}

PUBLISHED_ALGORITHMS = ("contrastive", "emix", "none", "shed")
"""What `dabs run` pretrains if no algorithm is named; other registered ones have to be named."""


def is_official(domain: str, suite: str) -> bool:
    """Return whether a domain is one of an official suite, without importing it; False if there is no such suite."""
    return domain in OFFICIAL_TASKS.get(suite, {})
