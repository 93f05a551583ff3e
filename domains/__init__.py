"""One file a domain; each offers one `dabs.dataset.Domain` a suite. A file dropped in here is found by its name."""
