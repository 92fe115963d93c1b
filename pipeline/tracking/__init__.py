"""From boxes to tracks: association, lives of tracks, events; between the rows and the engine."""
