"""From delivered rows to clean ones: what is set aside, what is edited, what is imputed, and the reason of each."""
