"""What a recorded run says of its criterion: figures, table, pictures."""
