"""What training costs by calculation, and runs of equal cost."""
