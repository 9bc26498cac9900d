"""What tools/tournament.py trains, and who goes on."""
