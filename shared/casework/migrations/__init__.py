"""The schema's history: one Alembic environment, a `shared` branch here and one branch for each agency."""
