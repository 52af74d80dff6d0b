"""A storm: many alarms at once, some of them twice, and quotas that are for everybody."""
