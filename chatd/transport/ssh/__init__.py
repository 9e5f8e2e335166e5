"""The way in over SSH.

``protocol`` turns bytes into programs in channels, ``keys`` reads keys, ``exec`` has the commands
of ``ssh host COMMAND``, and `chatd.transport.ssh.shell` connects all of it with the chat.
"""
