"""The fast channel: learning by changing text (instructions, demonstrations, lessons)."""
