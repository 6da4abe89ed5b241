"""What a model takes for what: gold and predicted spans and relations, aligned and counted."""
