"""View: draws the model, and passes the user's actions to it.

It knows Tk and the model; it must not know the protocol, nor a socket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chatd.clients.window.connection import Connection
from chatd.clients.window.conversation import MAX_LINES, Conversation
from chatd.clients.window.model import Model
from chatd.clients.window.status import DialogKind, DialogRequest, Phase
from chatd.clients.window.widgets import GAP, Dialog, LinesWidget, NamesWidget, configure_style

if TYPE_CHECKING:
    import tkinter as tk


class View:
    """The window of one user.

    It remembers how many lines of a conversation are drawn, so that a new line draws one line.
    """

    def __init__(
        self, root: tk.Tk, model: Model, connection: Connection, closed: Callable[[], None]
    ) -> None:
        self._root = root
        self._model = model
        self._connection = connection
        self._dialog: Dialog | None = None
        self._dialog_kind: DialogKind | None = None
        self._drawn: tuple[Conversation | None, int, int] = (None, 0, 0)
        self._members: list[str] = []
        configure_style(root)
        self._build_top()
        self._lines = LinesWidget(root, MAX_LINES)
        self._lines.frame.grid(row=1, column=0, sticky="nsew", padx=GAP)
        self._build_side()
        self._build_fields()
        root.rowconfigure(1, weight=1)
        root.columnconfigure(0, weight=1)
        root.protocol("WM_DELETE_WINDOW", closed)
        root.bind("<Control-q>", lambda _: closed())
        self.refresh()
        root.update_idletasks()
        root.minsize(root.winfo_reqwidth() * 2 // 3, root.winfo_reqheight() * 2 // 3)
        self._message.focus_set()

    def _build_top(self) -> None:
        """Build the top row: the room's name, and the button that disconnects."""
        from tkinter import ttk

        self._heading = ttk.Label(self._root, style="Topic.TLabel", width=10)
        self._heading.grid(row=0, column=0, sticky="ew", padx=GAP, pady=GAP)
        self._switch = ttk.Button(self._root, width=12, command=self._toggle_connection)
        self._switch.grid(row=0, column=1, sticky="ew", padx=(0, GAP), pady=GAP)

    def _build_side(self) -> None:
        """Build the side: the rooms, the field to join one, and the members."""
        from tkinter import ttk

        side = ttk.Frame(self._root)
        side.grid(row=1, column=1, sticky="ns", padx=(0, GAP))
        self._rooms = NamesWidget(side, "Rooms", 6, self._room_chosen)
        self._rooms.frame.grid(row=0, column=0, columnspan=3, sticky="ew")
        self._room = ttk.Entry(side, width=6, font="TkTextFont")
        self._room.grid(row=1, column=0, sticky="ew", pady=GAP)
        self._room.bind("<Return>", lambda _: self._join())
        join = ttk.Button(side, text="Join", width=5, command=self._join)
        join.grid(row=1, column=1, padx=(GAP, 0))
        leave = ttk.Button(side, text="Leave", width=6, command=self._leave)
        leave.grid(row=1, column=2, padx=(GAP, 0))
        self._members_list = NamesWidget(side, "People", 8, self._member_chosen)
        self._members_list.frame.grid(row=2, column=0, columnspan=3, sticky="nsew")
        side.rowconfigure(2, weight=1)
        side.columnconfigure(0, weight=1)

    def _build_fields(self) -> None:
        """Build the bottom: the recipient, the message, and below them the status."""
        from tkinter import ttk

        fields = ttk.Frame(self._root)
        fields.grid(row=2, column=0, columnspan=2, sticky="ew", padx=GAP, pady=GAP)
        ttk.Label(fields, text="To").grid(row=0, column=0, padx=(0, GAP))
        self._to = ttk.Entry(fields, width=14, font="TkTextFont")
        self._to.grid(row=0, column=1)
        ttk.Label(fields, text="Message").grid(row=0, column=2, padx=GAP)
        self._message = ttk.Entry(fields, font="TkTextFont")
        self._message.grid(row=0, column=3, sticky="ew")
        send = ttk.Button(fields, text="Send", width=8, command=self._send)
        send.grid(row=0, column=4, padx=(GAP, 0))
        fields.columnconfigure(3, weight=1)
        for field in (self._to, self._message):
            field.bind("<Return>", lambda _: self._send())
        self._status = ttk.Label(self._root, style="Faint.TLabel", width=10)
        self._status.grid(row=3, column=0, columnspan=2, sticky="ew", padx=GAP, pady=(0, GAP))

    # User actions -------------------------------------------------------------------------

    def _send(self) -> None:
        requests = self._model.type(self._message.get(), self._to.get())
        if requests is not None:
            self._message.delete(0, "end")
        self._message.focus_set()
        self._connection.send(requests or [])

    def _join(self) -> None:
        room = self._room.get().strip()
        self._room.delete(0, "end")
        if room:
            self._connection.send(self._model.join(room))
            self._message.focus_set()

    def _leave(self) -> None:
        self._connection.send(self._model.leave())

    def _room_chosen(self, index: int) -> None:
        names = self._model.rooms.names
        if index < len(names):
            self._model.rooms.show(names[index])
        self._message.focus_set()
        self.refresh()

    def _member_chosen(self, index: int) -> None:
        self._to.delete(0, "end")
        if index < len(self._members):
            self._to.insert(0, self._members[index])
        self._message.focus_set()

    def _toggle_connection(self) -> None:
        """Disconnect, or connect again."""
        if self._model.status.phase in (Phase.OFF, Phase.WAITING):
            self._connection.connect()
        else:
            self._connection.disconnect()

    # Drawing -------------------------------------------------------------------------

    def refresh(self) -> None:
        """Draw what has changed."""
        model, standing = self._model, self._model.status
        room = model.rooms.current
        conversation = model.rooms.shown
        heading = f"{room}: {conversation.topic}" if conversation.topic else room
        self._heading.configure(text=heading or "No room")
        self._status.configure(text=_status(standing.phase, standing.sentence, room))
        waiting = standing.phase in (Phase.OFF, Phase.WAITING)
        self._switch.configure(text="Reconnect" if waiting else "Disconnect")
        self._root.title(_title(model))
        self._draw_lines(conversation)
        self._draw_lists(conversation)
        self._draw_dialog(standing.dialog)

    def _draw_lines(self, conversation: Conversation) -> None:
        """Append the new lines, or redraw all of them if that does not suffice."""
        drawn, changed, ended = self._drawn
        new = conversation.appended - ended
        fresh = drawn is not conversation or changed != conversation.inserted
        if fresh or new > len(conversation.lines):
            self._lines.clear()
            new = len(conversation.lines)
        if new:
            self._lines.add(list(conversation.lines)[-new:])
        if fresh:
            self._lines.show_end()
        self._drawn = (conversation, conversation.inserted, conversation.appended)

    def _draw_lists(self, conversation: Conversation) -> None:
        """Draw the rooms, and the members of the shown one."""
        rooms = self._model.rooms
        labels = [
            f"{name} ({rooms[name].unread})" if rooms[name].unread else name for name in rooms.names
        ]
        self._rooms.show(labels, rooms.names.index(rooms.current) if rooms.current else None)
        self._members = conversation.sorted_members() if self._model.status.is_connected else []
        roles = ((nick, conversation.members[nick]) for nick in self._members)
        people = [nick if role == "member" else f"{nick} ({role})" for nick, role in roles]
        self._members_list.show([*people, "…"] if people and conversation.is_incomplete else people)

    def _draw_dialog(self, asking: DialogRequest | None) -> None:
        """Open the dialog that the status asks for, and close any other."""
        question = asking.kind if asking else None
        if self._dialog is not None and question is not self._dialog_kind:
            self._dialog.close()
            self._dialog = None
        self._dialog_kind = question
        if asking is None:
            return
        if self._dialog is None:
            self._dialog = self._open(asking.kind)
        self._dialog.say(asking.sentence)

    def _open(self, question: DialogKind) -> Dialog:
        if question is DialogKind.NAME:
            return Dialog(
                self._root,
                "chatd: another name",
                "Come in",
                self._renamed,
                self._rename_refused,
                self._model.nick,
            )
        return Dialog(
            self._root,
            "chatd: the server is gone",
            "Reconnect",
            lambda _: self._connection.connect(),
            self._dialog_closed,
        )

    def _renamed(self, nick: str) -> None:
        """Use another nick; the server may have disconnected in the meantime."""
        if nick.strip():
            self._connection.send(self._model.choose_nick(nick))
            self._connection.connect()

    def _rename_refused(self) -> None:
        self._model.status.dismiss()
        self._connection.disconnect()

    def _dialog_closed(self) -> None:
        self._model.status.dismiss()
        self.refresh()


def _title(model: Model) -> str:
    """Return the window's title: nick, room, and unread messages of other rooms."""
    if not model.status.is_connected:
        return "chatd: not connected"
    rooms = model.rooms
    where = f" in {rooms.current}" if rooms.current else ""
    unread = sum(rooms[name].unread for name in rooms.names)
    return f"{model.nick}{where}{f' ({unread})' if unread else ''} - chatd"


def _status(phase: Phase, sentence: str, room: str | None) -> str:
    """Return the status line: the connection, and who receives a message."""
    if phase is not Phase.JOINED:
        return sentence
    if room is None:
        return f"{sentence} You are in no room."
    return f"{sentence} To: one person's name, or nothing for everyone in {room}."
