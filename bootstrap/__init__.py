"""The process: which adapters stand behind the ports, settings, logs, commands."""
