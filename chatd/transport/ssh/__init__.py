"""SSH way in.

``protocol`` implements the SSH protocol and runs programs in channels, ``keys`` reads keys,
``exec`` has the commands of ``ssh host COMMAND``, and `chatd.transport.ssh.shell` connects them to
the chat.
"""
