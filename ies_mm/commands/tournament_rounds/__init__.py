"""What ``ies-mm tournament`` trains, and who goes on."""
