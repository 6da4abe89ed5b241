"""How the processes of a job are started, warned and ended."""
