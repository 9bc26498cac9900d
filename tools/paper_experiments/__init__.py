"""The figures and tables of the paper: what each trains, reads and draws."""
