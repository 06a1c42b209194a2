"""Reports of scored runs: tables with intervals, comparisons, a page with maps and curves."""
