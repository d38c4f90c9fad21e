"""What every agency does with a case, whatever its kind."""
