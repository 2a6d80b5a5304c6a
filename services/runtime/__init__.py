"""What every process has, whatever it does: settings, logs, endpoints, a watchdog, tasks that end."""
