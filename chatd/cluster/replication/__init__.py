"""What servers tell each other about people and rooms, and what they have heard."""
