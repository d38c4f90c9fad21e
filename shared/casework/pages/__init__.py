"""The room of the pages: what surrounds every page, who visits, the words for codes. Features bring their own templates."""
