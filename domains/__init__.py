"""The lite domains, one file each, found by the file's name.

Each file offers one `dabs.data.domain.Domain`, called `LITE`. `paper/` has the domains of the paper's suites; the other
folders hold what domains share.
"""
