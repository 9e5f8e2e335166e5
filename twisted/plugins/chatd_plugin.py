"""What makes ``twistd chatd`` exist."""

from twisted.application.service import ServiceMaker

chatd = ServiceMaker(
    "chatd", "chatd.tap", "One chat server that every client can walk into", "chatd"
)
