"""Who runs ranges: each file here gives `execute(run, ranges, ...)`, an iterator over results in order of completion."""
