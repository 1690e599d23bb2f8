"""Figures against peers measured in the same run. See README.md."""
