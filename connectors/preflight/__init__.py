"""What would make a capture fail or hurt, found before anything is created."""
