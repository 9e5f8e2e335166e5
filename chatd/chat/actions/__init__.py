"""The actions of users, one file per subject: functions over a `chatd.chat.chat.Chat`."""
