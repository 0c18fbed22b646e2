"""`hubblewatch doctor`: looks at everything the service needs, and says what to do."""
