"""Forward passes over images that are not trained, which leave no trace."""
