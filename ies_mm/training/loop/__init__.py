"""How MMEngine's two loops count: epochs, iterations, schedules, batches."""
