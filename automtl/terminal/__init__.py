"""What a terminal shows: results as text and tables, and lines that move while something runs."""
