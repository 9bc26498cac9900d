"""What a work directory holds, read into runs."""
