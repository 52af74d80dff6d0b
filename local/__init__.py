"""AWS and Slack on one machine: the emulator's life, the strict model of what it lacks, the inbox."""
