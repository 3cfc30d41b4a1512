"""palate learns one person's taste from a few questions and returns their response."""
