"""Sections of docs/performance.md, one file each: see ../record.py."""
