"""One feature of every agency: case conferences. Who comes hears only what she agreed that this agency hears."""
