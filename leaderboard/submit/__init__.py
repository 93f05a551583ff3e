"""What a submission must be, and checks of what is committed."""
