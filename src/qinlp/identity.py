"""Whether two records are one paper."""
