"""From the journal to people: incident -> message -> Slack. Never on the path of a rollback."""
