"""One row for each target: its ledger, its incident, who holds it. Conditional writes only."""
