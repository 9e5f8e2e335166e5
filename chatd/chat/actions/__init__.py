"""The actions of users, one file a subject: functions over a `chatd.chat.chat.Chat`."""
