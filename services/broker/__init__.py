"""How processes reach Redis: connections, scripts, what is heard, and the step that ends entries."""
