"""Who runs ranges: each file here gives `execute(run, ranges, ...)`, an iterator over results as they are done."""
