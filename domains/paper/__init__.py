"""The domains of the paper, one file each, named as in `domains/`.

Each file offers a `Domain(suite="paper", parts=(...), encoder="paper", steps=100_000, batch_size=...)`, and image
domains also one of the suite "paper32". A part is one dataset (`PRETRAIN` or a task) with its sources, such as
`OfficialFiles` or `HubTokenizer`, and a builder that yields the rows of its splits in blocks of bounded size. Each part
is prepared by itself, so a user may have some datasets and not others.
"""
