"""One strict model of CloudWatch with two uses: in process, and behind a loopback front."""
