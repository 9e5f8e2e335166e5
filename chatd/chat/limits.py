"""Limits: every bound of the chat, with its reason and its precedent.

Lengths of text are in characters (code points) unless the name says bytes; times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

#: One received line.  IRC allows 512 bytes, ssh-chat 1,024 characters, XMPP servers 64 KiB per
#: stanza; 4 KiB holds a paragraph in any script.  A longer line is cut, and its sender is told.
LINE_BYTES = 4096

#: Lines of one user that are queued when they arrive faster than flood control lets them through:
#: one paste of 64 KiB.  Beyond it nothing more is read from the connection.
PASTE_BYTES = 64 * 1024

#: The lines that all guests of one address may send together, as a multiple of what one person may:
#: a household or a small team writes unhindered, and a laptop with a hundred connections is four
#: people.  Established accounts of the address have as much beside it.
LINES_PER_ADDRESS = 4
#: Entries in each table of line budgets, of accounts and of addresses: some 250 bytes each.
LINE_BUDGETS = 10_000

#: Lines of one address that had to wait within so many seconds, from which on that is a flood, of
#: which operators are warned: a class that begins to talk has some tens.  They are warned again of
#: the same address after five minutes.  Addresses that are watched, some 200 bytes each.
FLOOD_LINES = 100
FLOOD_SECONDS = 60.0
FLOOD_WARNING_SECONDS = 5 * 60.0
ADDRESSES_WATCHED = 1000
#: Guests who come in within a minute, from which on they are a wave: a class or two have fewer.  On
#: a server with many people it is a tenth of those who are here, but no more than are counted.
#: After its start a server expects everybody back at once.
WAVE_GUESTS = 100
WAVE_SHARE = 10
WAVE_COUNTED = 2000
WAVE_QUIET_SECONDS = 5 * 60.0

#: A nick.  IRC networks give 9 to 30, ssh-chat 15; names in many scripts need the room.
NICK_LENGTH = 24

#: A room's name; IRC gives 50.
ROOM_LENGTH = 32

#: A topic; IRC networks give 300 to 390.
TOPIC_LENGTH = 300

#: A reason for going away, for leaving or for a kick; IRC networks give 180 to 300.
REASON_LENGTH = 200

#: Rooms that one user may be in; IRC networks give 10 to 120.  Each costs an entry in a room's
#: member table.
ROOMS_PER_PERSON = 50

#: Rooms of the whole server.  An empty room is dropped, so rooms per connection are bounded too.
ROOMS = 200_000

#: Accounts of the whole server, some 1 KB each, and ssh keys of one: laptops, phones, scripts.
ACCOUNTS = 100_000
KEYS_PER_ACCOUNT = 20

#: How old an account is that counts as established: its owner goes before guests where capacity is
#: tight, and is spared by a ban of another person's address and of everybody who came lately.  Who
#: prepares a raid has to do so a day ahead.
ESTABLISHED_SECONDS = 86400
#: How long an account is kept whose owner never said anything and never came back; how many of
#: those are looked at in one turn, once a minute: some 100 us.
UNUSED_SECONDS = 30 * 86400
UNUSED_LOOKED_AT = 200
#: Seconds after which it is stored again that the owner of an account was here.
SEEN_AGAIN_SECONDS = 86400
#: How long a password holds that an operator has set.
RESET_PASSWORD_SECONDS = 86400
#: How old an account is that may own persistent rooms.
ROOM_OWNER_SECONDS = 3600

#: A password: its least number of characters (NIST SP 800-63B asks for 8), and its greatest number
#: of bytes in UTF-8, far more than any phrase that people remember.
PASSWORD_LENGTH = 8
PASSWORD_BYTES = 256

#: Wrong passwords that cost no wait, as people mistype; each one after them doubles the wait.
LOGIN_TRIES = 3
#: How often a prompt asks for a password before the command is given up, as sudo and ssh do.
PASSWORD_PROMPTS = 3
#: Passwords that a session has tried in vain, and that are not posted there any more: those of some
#: commands, as somebody tries who has forgotten which it is.
GUARDED_PASSWORDS = 16
#: Lines that are held back after a command that asks for passwords was refused, as they may have
#: been typed for its prompts; and for how many seconds: as long as lines of one paste take to
#: arrive, and, after wrong passwords, as long as a user may not notice that nothing asks any more.
GUARDED_LINES = 3
TYPED_AHEAD_SECONDS = 5.0
WARY_SECONDS = 60.0

#: The longest wait after wrong passwords: for an address (some hundred guesses a day), and for an
#: account, whose owner has to wait as long as the guesser does when they log in from a new address.
LOGIN_WAIT_OF_ADDRESS = 15 * 60
LOGIN_WAIT_OF_ACCOUNT = 60
#: Seconds without a wrong password after which the earlier ones are forgotten.
LOGIN_FORGOTTEN = 60 * 60
#: Entries in each table of the login throttle: addresses and accounts with wrong passwords, and
#: accounts with known addresses of their owners.  The oldest is dropped first; some 200 bytes each.
THROTTLE_ENTRIES = 10_000
#: Addresses per account from which its owner has logged in: home, work, a phone's networks.
KNOWN_ADDRESSES = 8

#: What an account remembers of itself, to tell its owner: the newest changes of its keys and its
#: password, for how many seconds they are told at a login from a place that is new, and places (a
#: key or the password, and a network) from which its owner has logged in.
ACCOUNT_CHANGES = 10
CHANGES_TOLD_SECONDS = 30 * 86400
LOGIN_PLACES = 16
#: Accounts that are named to the holder of a key which they claim.
CLAIMS_SHOWN = 3

#: Passwords that may be queued to be checked or hashed: one takes some 20 ms, so the last waits
#: half a second.  As many again may be queued from known addresses of the accounts' owners.
PENDING_PASSWORD_CHECKS = 20

#: Private messages that are kept for the owner of an account while they are offline.
OFFLINE_MESSAGES = 50
#: Of those, messages of one sender; of a guest; and of all guests of one address prefix, who may be
#: one user under many nicks.  Whoever has more to say waits until those are read.
OFFLINE_FROM_SENDER = 5
OFFLINE_FROM_GUEST = 2
OFFLINE_FROM_GUESTS_OF_ADDRESS = 4
#: And the bytes of their texts in UTF-8: fifty usual messages, or a dozen long ones.
OFFLINE_BYTES = 64 * 1024

#: Persistent rooms that one account may own.
PERSISTENT_ROOMS = 20

#: Nicks that one user may ignore; IRC gives 15 to 60.
IGNORED = 100

#: Invitations that one room remembers: so many of guests, and as many of accounts.
ROOM_INVITATIONS = 200
#: Voices that one room remembers: of guests and of accounts.
ROOM_VOICES = 200
#: Rooms that one user is invited into.
INVITATIONS = 100

#: Rooms that have a ban or a mute of one user's nick, which follows them when they change it.
NAMED_IN_BANS = 1000

#: Former members for whom a room in slow mode remembers when they last spoke.
FORMER_SPEAKERS = 1000

#: Bans, and mutes, of a room; IRC networks give 50 to 200.  Bans of the whole server: a list of
#: open proxies has some thousands.
BANS = 200
MUTES = 200
SERVER_BANS = 10_000

#: How long a ban of a person covers their address: others have it too, or have it next, and most
#: people who come back do so the same day.
BAN_ADDRESS_SECONDS = 86400
#: What one ban covers: an account, a nick, and the keys and addresses of somebody who comes back.
BAN_MARKS = 20
#: Others here from the same address beyond which a ban of one person leaves their address out: a
#: class or an office behind one router, not a handful of screens.
SHARED_ADDRESS = 3

#: People that one ban of those who came lately covers: a raid, not everybody.
RAID_BANS = 500

#: The longest ban or mute that is not for good: ten years.
BAN_SECONDS = 3650 * 86400

#: The key of a room, without which only invited users may join.
KEY_LENGTH = 64

#: Entries of the audit log, the newest of which are kept; some 300 bytes each.
AUDIT_ENTRIES = 10_000

#: Entries that /audit shows by default, and at most.
AUDIT_SHOWN = 20
AUDIT_SHOWN_AT_MOST = 200

#: Combining marks on one character; Unicode's own stream-safe format (UAX 15) allows 30, living
#: scripts need at most about 5.
MARKS_PER_CHARACTER = 8

#: Events that a room's log keeps for listeners that are behind, the bytes of their text in one
#: style, and the multiple of that for all styles together.  A listener that is further behind
#: misses events, and is told how many.  While no listener is behind, nothing is kept.
LOG_EVENTS = 2000
LOG_BYTES = 256 * 1024
LOG_STYLES = 16

#: Events that a room collects until the end of the reactor's turn; with more it flushes now.
FLUSH_EVENTS = 500

#: Members that are sent something in one turn of the reactor.  The others follow in later turns, so
#: that input is read in between.  500 sends take some 2 ms.
SLICE = 500
#: What rendering costs beside it, as a number of sends: an event, and characters of its text that
#: take as long as one send.  A room may have members with a hundred styles.
RENDERED_EVENT = 5
RENDERED_CHARACTERS = 100

#: Bytes that one member is handed at a time; about what a send buffer of the kernel holds.
CHUNK_BYTES = 64 * 1024

#: Bytes for one user alone (answers, private messages) that are pending while their connection
#: takes nothing.  Further private messages are refused to their senders.
PERSONAL_BYTES = 64 * 1024

#: Bytes that all connections together may have pending beyond that; of those with the most, as many
#: are then ended as it takes.  One answer, such as much history, may have a megabyte, and somebody
#: who asks for it on hundreds of connections and reads nothing wants to use up the memory.
UNREAD_BYTES = 64 * 1024 * 1024

#: Events of a room that the memory store keeps for /history.
HISTORY_EVENTS = 500
#: Its bytes for one room, and for all; one emoji makes a string take four bytes a character.
HISTORY_BYTES = 1024 * 1024
HISTORY_BYTES_IN_ALL = 64 * 1024 * 1024

#: Message ids that a store remembers, so that a message that is posted twice is kept once.
MESSAGE_IDS = 10_000

#: Messages that /history shows by default, and at most.
HISTORY_SHOWN = 20
HISTORY_SHOWN_AT_MOST = 200

#: How far back the pages of /history go, in messages.
HISTORY_PAGED = 10_000

#: How long a user may /edit or /delete their last message.  Discord and Matrix set no end to it,
#: but what a terminal has shown cannot be taken back.
EDIT_SECONDS = 10 * 60

#: Messages that a room with a bound of its own may keep at most: counting them, which is done when
#: the bound is set, takes some milliseconds.
ROOM_HISTORY = 100_000

#: Accounts on a page of /server accounts, and pages that may be asked for.
ACCOUNTS_SHOWN = 20
ACCOUNT_PAGES = ACCOUNTS // ACCOUNTS_SHOWN

#: Results on a page of /search, pages that may be asked for, and words of one search.
SEARCH_SHOWN = 20
SEARCH_PAGES = 1000
SEARCH_WORDS = 16

#: Searches in progress, and how many of them may be those of guests, so that accounts find room
#: when many search.  One user has one in progress, an address a few: a household, not a flood.
SEARCHES = 20
SEARCHES_OF_GUESTS = 15
SEARCHES_PER_ADDRESS = 3
#: Seconds that a search in a file may take, where a hard one takes a tenth in a million messages;
#: and seconds that it may have waited for others before it begins, after which users have given up.
SEARCH_SECONDS = 2.0
SEARCH_WAIT_SECONDS = 10.0

#: Events that the memory store scans for one search, newest first: some 20 ms in all.
SEARCHED_EVENTS = 10_000

#: Seconds for which a session is kept after its connection is lost, and detached sessions that are
#: kept, in all and from one address.  A laptop that changes networks needs some ten seconds, a
#: train in a tunnel a minute.
DETACHED_SECONDS = 120
DETACHED_SESSIONS = 1000
DETACHED_PER_ADDRESS = 50

#: Detached sessions that are kept when a server takes over those of one that stops: as many as the
#: other may have had users.
DETACHED_TAKEN_OVER = 20_000

#: Private messages that a session remembers, in case they turn out not to have arrived: as many as
#: may have been waiting for the user and were shown together.
PRIVATE_REMEMBERED = OFFLINE_MESSAGES

#: Rooms for which an account remembers how far its owner has read.
BOOKMARKS = 200

#: Messages of one room that are shown when a session is resumed; the others are counted.
REPLAYED = 500

#: Seconds without an owed answer after which a connection counts as dead when its user reconnects.
DEAD_SECONDS = 3.0

#: Seconds of silence after which another server of the cluster counts as gone, which is as long as
#: its lease lasts; and seconds after which it is asked again for a snapshot that was incomplete.
SILENT_SECONDS = 30.0
RESYNC_SECONDS = 10.0

#: Seconds without an acknowledgement from the cluster after which this server is out of touch with
#: the others: two heartbeats have not been accepted.
OUT_OF_TOUCH_SECONDS = 10.0

#: Seconds between two liveness checks, which run every second, beyond which this process stood
#: still, or its machine was suspended.
CLOCK_JUMP_SECONDS = 10.0

#: States of people and rooms in one message between servers, and its bytes: NATS takes 1 MB, of
#: which the last room may need half, with all its bans and mutes.
BATCH_STATES = 500
BATCH_BYTES = 256 * 1024

#: People whose state a server compares every few seconds with what it has sent to the others,
#: although every change is sent immediately: some 10 ms of its time.
CHECKED_AT_ONCE = 2000
#: The display name of a server: that of a host (RFC 1035: 253).
DISPLAY_NAME_LENGTH = 253

#: People who have moved to another server and whose new server is remembered: remote calls for them
#: that still arrive here were sent before the others knew, some milliseconds ago.
MIGRATIONS_REMEMBERED = 1000

#: Names that one answer lists; the others are only counted.
LISTED = 200

#: People, or rooms, that are considered for one completion, the newest of them: half a millisecond.
#: And choices that one completion offers.
COMPLETION_CANDIDATES = 5000
COMPLETIONS = 100

#: The longest pause that slow mode may ask for between two messages: six hours, as on Twitch's
#: and Discord's scale.
SLOW_SECONDS = 6 * 60 * 60


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast something may be done, such as sending lines: a burst, then ``per_second``.

    IRC daemons allow 5 to 10 lines at once, then one every two seconds (RFC 1459, 8.10).
    """

    burst: int = 10
    per_second: float = 2.0


#: New passwords from one address: a school class that registers together, then one in ten seconds.
#: Each takes as long as a check, and most create an account that stays.
NEW_PASSWORDS = Rate(30, 0.1)
#: New accounts from one address, whatever proves them: a class at once, then as many a day.
NEW_ACCOUNTS = Rate(30, 30 / 86400)
