"""Dead letters as those who look after them meet them: the operators' command, and their page."""
