"""What is found about clients, and who is told."""
