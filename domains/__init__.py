"""One file a domain; each offers one `dabs.data.domain.Domain` a suite. A file dropped in here is found by its name."""
