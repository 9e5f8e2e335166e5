"""What people do, one file a subject: functions over a `Chat`."""
