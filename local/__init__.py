"""AWS and Slack on one machine: the emulator, the strict model of what it lacks, an inbox."""
