"""What the operators' page is told."""
