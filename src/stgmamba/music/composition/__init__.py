"""Songs composed and synthesised here, whose beats, downbeats, metre and sections are known exactly."""
