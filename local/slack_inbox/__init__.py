"""A local Slack: accepts what Slack accepts, refuses what it refuses, and shows the channel."""
