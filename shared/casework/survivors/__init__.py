"""One feature of every agency: pages for the person who seeks help, shown at a desk or opened on her own telephone."""
