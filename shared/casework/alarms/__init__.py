"""One feature of every agency: alarms."""
