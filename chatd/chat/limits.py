"""Every bound of the chat, with its reason and its precedent.

Lengths of text are in characters (code points) unless the name says bytes; times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

#: One line as it comes in.  IRC allows 512 bytes, ssh-chat 1,024 characters, XMPP servers 64 KiB a
#: stanza; 4 KiB holds a paragraph in any script.  What is longer is cut and its writer told.
LINE_BYTES = 4096

#: Lines of one person that wait for their turn when they come faster than the flood limit
#: passes them: one paste of 64 KiB.  Beyond it nothing more is read from the connection.
PASTE_BYTES = 64 * 1024

#: A nick.  IRC networks give 9 to 30, ssh-chat 15; names in many scripts need the room.
NICK_LENGTH = 24

#: A room's name; IRC gives 50.
ROOM_LENGTH = 32

#: A topic; IRC networks give 300 to 390.
TOPIC_LENGTH = 300

#: A reason for going away, for leaving or for a kick; IRC networks give 180 to 300.
REASON_LENGTH = 200

#: Rooms that one person may be in; IRC networks give 10 to 120.  Each costs a place in a room's
#: member set.
ROOMS_PER_PERSON = 50

#: Rooms of the whole server.  An empty room is gone, so this bounds rooms per connection as well.
ROOMS = 200_000

#: Accounts of the whole server, some 1 KB each, and keys of one: laptops, phones, scripts.
ACCOUNTS = 100_000
KEYS_PER_ACCOUNT = 20

#: A password: at least so many characters (NIST SP 800-63B asks for 8), at most so many bytes of
#: UTF-8, which no phrase that people remember comes near to.
PASSWORD_LENGTH = 8
PASSWORD_BYTES = 256

#: Wrong passwords that cost no wait, for who mistypes; after them each doubles it.
LOGIN_TRIES = 3
#: The longest wait after wrong passwords: for an address (some hundred guesses a day), and for one
#: account, where its owner at a new address has to wait behind whoever guesses.
LOGIN_WAIT_OF_ADDRESS = 15 * 60
LOGIN_WAIT_OF_ACCOUNT = 60
#: After so long without a wrong password those before are forgotten.
LOGIN_FORGOTTEN = 60 * 60
#: Addresses, and accounts, whose wrong passwords are remembered, and accounts whose owners' good
#: addresses are; the oldest is forgotten first.  Some 200 bytes each.
LOGINS_REMEMBERED = 10_000
#: Addresses from which the owner of an account has come: home, work, a phone's networks.
KNOWN_ADDRESSES = 8

#: Passwords that wait to be checked or hashed: one takes some 20 ms, so the last waits half a
#: second.  As many again may wait from addresses that their account's owner is known at.
CHECKS_WAITING = 20

#: Private messages that wait for the owner of an account who is not here.
MAIL = 50

#: Rooms of one account that last although nobody is in them.
LASTING_ROOMS = 20

#: People that one person ignores, and invitations that one room remembers, of those that last as
#: many again; IRC gives 15 to 60.
IGNORED = 100
INVITED = 200

#: Private rooms that one person is invited into, and rooms that hold somebody by their nick alone.
INVITATIONS = 100
HELD_IN = 1000

#: People of whom a room in slow mode remembers when they spoke although they have left.
SPOKE = 1000

#: Bans and mutes that a room has; IRC networks give 50 to 200.  Those of the whole server: a list
#: of open proxies has some thousands.
BANS = 200
MUTED = 200
SERVER_BANS = 10_000

#: The longest that a ban or a mute holds unless it is for good: ten years.
BAN_SECONDS = 3650 * 86400

#: The words that open a room which is kept locked.
KEY_LENGTH = 64

#: Things that moderators and operators did, the last of which are remembered, some 300 bytes each.
AUDITED = 10_000

#: What /audit shows unless told otherwise, and at most.
AUDIT_SHOWN = 20
AUDIT_SHOWN_AT_MOST = 200

#: Combining marks on one character; Unicode's own stream-safe format (UAX 15) allows 30, living
#: scripts need at most about 5.
MARKS_PER_CHARACTER = 8

#: Events that a room's log keeps for those who are behind, their text in one style, and how many
#: times that in all styles.  A reader who is further behind has missed something and is told how
#: much.  Nobody behind: nothing is kept.
LOG_EVENTS = 2000
LOG_BYTES = 256 * 1024
LOG_STYLES = 16

#: Events that may wait in a room for the end of the reactor's turn; more, and it flushes at once.
FLUSH_EVENTS = 500

#: Members that are sent something in one turn of the reactor; more, and the rest has its turn after
#: what came meanwhile was read.  500 sends take some 2 ms.
SLICE = 500

#: Bytes that one member is handed at a time; what a send buffer of the kernel holds as well.
CHUNK_BYTES = 64 * 1024

#: Bytes of a person's own (answers, private messages) that wait while their connection takes
#: nothing.  More private messages are refused to their senders.
PERSONAL_BYTES = 64 * 1024

#: Events of a room that the memory store keeps for /history.
HISTORY_EVENTS = 500
#: Bytes of one room, and of all rooms; an emoji makes a string of four bytes a character.
HISTORY_BYTES = 1024 * 1024
HISTORY_BYTES_IN_ALL = 64 * 1024 * 1024

#: Message ids that a store remembers in order to keep a message that is posted twice only once.
MESSAGE_IDS = 10_000

#: What /history shows unless told otherwise, and at most.
HISTORY_SHOWN = 20
HISTORY_SHOWN_AT_MOST = 200

#: How far back the pages of /history go, in messages.
HISTORY_PAGED = 10_000

#: How long one may /edit or /delete what one said last.  Discord and Matrix set no end to it, but
#: on a terminal what was read cannot be taken back.
EDIT_SECONDS = 10 * 60

#: Messages that a room may keep at most if it has a bound of its own: to count them, which is done
#: when it is set, takes some milliseconds.
ROOM_HISTORY = 100_000

#: Results on a page of /search, pages that may be asked for, and words of one search.
FOUND_SHOWN = 20
SEARCH_PAGES = 1000
SEARCH_WORDS = 16

#: Events that the memory store looks through for one search, the newest: some 20 ms, in which the
#: server does nothing else.
SEARCHED_EVENTS = 10_000

#: Seconds for which somebody whose connection is lost keeps their place, and places that are kept,
#: in all and of one address.  A laptop that changes its network needs some ten seconds, a train in
#: a tunnel a minute.
PLACE_SECONDS = 120
PLACES = 1000
PLACES_PER_ADDRESS = 50

#: Places that are kept when a server takes those of one that ends: as many as people that one may
#: have had.
PLACES_TAKEN = 20_000

#: Private messages that a connection remembers, should it turn out that they did not arrive: all
#: that may have waited for somebody, and were shown at once.
PRIVATE_KEPT = MAIL

#: Rooms of which an account knows how far its owner has read.
BOOKMARKS = 200

#: Messages of one room that are shown to who comes back; the others are counted.
RECALLED = 500

#: Seconds after which a connection that owes an answer counts as dead, for who comes by another.
DEAD_SECONDS = 3.0

#: Seconds for which nothing is heard of another server of a cluster until it counts as gone, which
#: is as long as its lease lasts; and until it is asked again for what did not come whole.
SILENT_SECONDS = 30.0
ASKED_AGAIN_SECONDS = 10.0

#: Seconds without an answer of the cluster after which it is not known here what the others do: two
#: signs of life have not been taken.
OUT_OF_TOUCH_SECONDS = 10.0

#: Seconds between two looks at who is silent, beyond which the clock of this machine was set, or
#: this process stood still: it looks every second.
LEAPT_SECONDS = 10.0

#: States of people and rooms in one message between servers, and its bytes: NATS takes 1 MB, of
#: which the last room may need half, with all its bans and mutes.
BATCH_STATES = 500
BATCH_BYTES = 256 * 1024

#: People whose state a server compares every few seconds with what it has sent to the others,
#: although every change is sent at once: some 10 ms of its time.
CHECKED_AT_ONCE = 2000
#: The name of a server for people: that of a host (RFC 1035: 253).
DISPLAY_NAME_LENGTH = 253

#: People who have gone to another server, and of whom it is remembered to which: remote calls for
#: them that still come here were sent before the others knew, some milliseconds ago.
MIGRATIONS_REMEMBERED = 1000

#: Names that one answer lists; the rest is counted.
LISTED = 200

#: People, or rooms, that are looked at for one completion: half a millisecond.  Of more only these
#: can be completed, the newest of them.  And what one completion offers to go through with Tab.
COMPLETED_FROM = 5000
COMPLETIONS = 100

#: The longest pause that slow mode may ask for between two messages: six hours, as on Twitch's
#: and Discord's scale.
SLOW_SECONDS = 6 * 60 * 60


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast one person may send: a burst of lines, then so many a second.

    IRC daemons allow 5 to 10 lines at once, then one every two seconds (RFC 1459, 8.10).
    """

    burst: int = 10
    a_second: float = 2.0


#: New passwords from one address: a class that registers at once, then one in ten seconds.  Each
#: takes the time of a check, and most are an account that stays.
NEW_PASSWORDS = Rate(30, 0.1)
