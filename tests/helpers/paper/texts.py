"""The paper's text datasets in their official layout, and tiny tokenizers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from dabs.domains.text.languages import LANGUAGES
from tests.helpers.paper.layouts import link


def wikitext(samples: Path, folder: Path) -> None:
    """Real lines of WikiText-2: its test file as train, and its validation file, which WikiText-103 has too."""
    link(samples / "wikitext" / "wikitext-2", folder / "wikitext-103")


def glue(samples: Path, folder: Path) -> None:
    """Real files: all of CoLA, MRPC, STS-B, RTE and WNLI; parts of QNLI, QQP, MNLI and, for speed, SST-2's train."""
    for task in (samples / "glue" / "glue_data").iterdir():
        for file in task.glob("*.tsv"):
            target = folder / "glue_data" / task.name / file.name
            if (task.name, file.name) == ("SST-2", "train.tsv"):
                target.parent.mkdir(parents=True, exist_ok=True)
                lines = file.read_text(encoding="utf-8").split("\n")[:5001]
                target.write_text("\n".join(lines) + "\n", encoding="utf-8")
            else:
                link(file, target)


def mc4(samples: Path, folder: Path) -> None:
    """Real C4 in English; sentences from Wikipedia and Tatoeba stand in for the other languages."""
    link(samples / "mc4" / "multilingual", folder / "multilingual")


def pawsx(samples: Path, folder: Path) -> None:
    """The real rows are all from the official dev set; one half of the sample's is dev, the other the test."""
    for language in LANGUAGES:
        source, target = samples / "pawsx/x-final" / language, folder / "x-final" / language
        name = "train.tsv" if language == "en" else "translated_train.tsv"
        link(source / "translated_train.tsv", target / name)
        head, *rows = (source / "dev_2k.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
        (target / "dev_2k.tsv").write_text("\n".join([head, *rows[: len(rows) // 2]]) + "\n", encoding="utf-8")
        (target / "test_2k.tsv").write_text("\n".join([head, *rows[len(rows) // 2 :]]) + "\n", encoding="utf-8")


LAYOUTS = {"wikitext": wikitext, "glue": glue, "mc4": mc4, "pawsx": pawsx}


def tiny_bert(samples: Path, folder: Path) -> None:
    """Train a WordPiece vocabulary of 3,000 pieces on 400 KB of WikiText, with BERT's special tokens and rules."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=3000, special_tokens=special, show_progress=False)
    text = (samples / "wikitext/wikitext-2/wiki.valid.tokens").read_text(encoding="utf-8")[:400_000]
    tokenizer.train_from_iterator(text.split("\n"), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def tiny_xlm_r(samples: Path, folder: Path) -> None:
    """Train a Unigram vocabulary of 4,000 pieces on the seven languages, with XLM-R's special tokens and rules."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=4000, special_tokens=special, unk_token="<unk>", show_progress=False, initial_alphabet=[]
    )
    texts = []
    for path in sorted((samples / "mc4/multilingual").glob("c4-??-validation.*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts += [json.loads(line)["text"][:500] for line in lines]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))


TOKENIZERS = {"bert-base-uncased": tiny_bert, "xlm-roberta-base": tiny_xlm_r}


def lay_out_text(name: str, samples: Path, folder: Path) -> Path:
    """Make `folder/name`, a text dataset or a tiny tokenizer named like the hub's, unless it exists; return it."""
    target = folder / name
    if not target.exists():
        (LAYOUTS | TOKENIZERS)[name](samples, target)
    return target
