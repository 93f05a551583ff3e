"""The datasets of the paper: one file a domain, named as in `domains/`, read from the files their publishers give out.

Each file offers a `Domain(suite="paper", parts=(...), encoder="paper", steps=100_000, batch_size=...)`, image sets also
one of the suite "paper32". A part is one dataset (`PRETRAIN` or a task): its sources (`_official.OfficialFiles`,
`_hub.HubTokenizer`), and a builder that yields the rows of its splits in blocks of bounded size. Each part is prepared
by itself, so that a user may have some sets and not others.
"""
