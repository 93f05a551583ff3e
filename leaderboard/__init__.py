"""Tables, comparisons, the site and submissions; only `cli` may load torch."""
