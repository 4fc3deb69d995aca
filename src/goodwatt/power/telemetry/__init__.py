"""What sensors show of a job, and what may be concluded from it."""
