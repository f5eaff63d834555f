"""The economy file: one reviewable text for all of an economy, its versions, the test clock."""
