"""One file per domain, found by its name; each file offers one `dabs.data.domain.Domain` for each of its suites."""
