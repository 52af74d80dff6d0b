"""Reading CloudWatch: alarms as they are, and the minutes behind them. Never judges."""
