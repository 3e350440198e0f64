"""Damaged and hostile files of every kind the program reads, through its command line, under limits."""
