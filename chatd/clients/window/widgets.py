"""Widgets of the window: the conversation's text, the lists, the dialog.

It knows Tk and the appearance; it must not know the model, requests or connections.  Tkinter is
imported where a widget is made, so that these modules can be imported where it is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chatd.clients.window.lines import Kind, Line

if TYPE_CHECKING:
    import tkinter as tk
    from tkinter import ttk

#: Pixels between widgets.
GAP = 6
#: Width of the lists at the side, in characters.
SIDE = 25
#: Size of every font, in points.
FONT_SIZE = 11

_INK, _FAINT, _GROUND = "#1f2328", "#6e7781", "#ffffff"
_EDGE = "#afb8c1"
_COLOURS = {
    Kind.SAID: _INK,
    Kind.OWN: "#0550ae",
    Kind.PRIVATE: "#8250df",
    Kind.NOTICE: _FAINT,
    Kind.ERROR: "#b91c1c",
}


def configure_style(root: tk.Tk) -> None:
    """Set the fonts and the theme of all widgets that are created from now on."""
    from tkinter import font, ttk

    for name in ("TkDefaultFont", "TkTextFont", "TkHeadingFont"):
        font.nametofont(name, root).configure(size=FONT_SIZE)
    style = ttk.Style(root)
    style.theme_use("clam")
    style.configure("Topic.TLabel", font=("TkDefaultFont", FONT_SIZE, "bold"))
    style.configure("Faint.TLabel", foreground=_FAINT)
    root.configure(background=style.lookup("TFrame", "background"))


class LinesWidget:
    """The text of a conversation, which only grows at its end and has at most ``most`` lines."""

    def __init__(self, parent: tk.Misc, most: int) -> None:
        import tkinter as tk
        from tkinter import font, ttk

        self.frame = ttk.Frame(parent)
        self._most = most
        self._text = text = tk.Text(
            self.frame,
            wrap="word",
            state="disabled",
            width=64,
            height=22,
            font="TkTextFont",
            background=_GROUND,
            relief="flat",
            highlightthickness=1,
            highlightbackground=_EDGE,
            highlightcolor=_EDGE,
            padx=GAP,
            pady=GAP,
            spacing1=2,
        )
        bar = ttk.Scrollbar(self.frame, command=text.yview)
        text.configure(yscrollcommand=bar.set)
        text.grid(row=0, column=0, sticky="nsew")
        bar.grid(row=0, column=1, sticky="ns")
        self.frame.rowconfigure(0, weight=1)
        self.frame.columnconfigure(0, weight=1)
        indent = font.nametofont("TkTextFont", parent).measure("00:00  ")
        for kind, colour in _COLOURS.items():
            text.tag_configure(kind.value, foreground=colour, lmargin2=indent)
        text.tag_configure("time", foreground=_FAINT)
        text.bind("<Button-1>", lambda _: text.focus_set())  # so that the text can be copied

    def clear(self) -> None:
        """Remove all lines."""
        self._text.configure(state="normal")
        self._text.delete("1.0", "end")
        self._text.configure(state="disabled")

    def add(self, lines: Sequence[Line]) -> None:
        """Append lines, and show them unless the user has scrolled back."""
        text = self._text
        at_end = text.yview()[1] >= 1.0
        text.configure(state="normal")
        for line in lines:
            text.insert("end", f"{line.time}  ", ("time", line.kind.value))
            text.insert("end", f"{line.text}\n", line.kind.value)
        excess = int(text.index("end-1c").split(".")[0]) - 1 - self._most
        if excess > 0:
            text.delete("1.0", f"{excess + 1}.0")
        text.configure(state="disabled")
        if at_end:
            text.see("end")

    def show_end(self) -> None:
        """Scroll to the last line."""
        self._text.see("end")


class NamesWidget:
    """A list of names with a heading; ``chosen`` is called with the index of a clicked name."""

    def __init__(
        self, parent: tk.Misc, heading: str, height: int, chosen: Callable[[int], None]
    ) -> None:
        import tkinter as tk
        from tkinter import ttk

        self.frame = ttk.Frame(parent)
        self._shown: tuple[list[str], int | None] = ([], None)
        self._list = names = tk.Listbox(
            self.frame,
            width=SIDE,
            height=height,
            exportselection=False,
            activestyle="none",
            font="TkTextFont",
            background=_GROUND,
            relief="flat",
            highlightthickness=1,
            highlightbackground=_EDGE,
            highlightcolor=_EDGE,
        )
        bar = ttk.Scrollbar(self.frame, command=names.yview)
        names.configure(yscrollcommand=bar.set)
        ttk.Label(self.frame, text=heading, style="Topic.TLabel").grid(row=0, column=0, sticky="w")
        names.grid(row=1, column=0, sticky="nsew")
        bar.grid(row=1, column=1, sticky="ns")
        self.frame.rowconfigure(1, weight=1)
        self.frame.columnconfigure(0, weight=1)

        def selected(_: object) -> None:
            for index in names.curselection()[:1]:
                chosen(int(index))

        names.bind("<<ListboxSelect>>", selected)

    def show(self, names: list[str], selected: int | None = None) -> None:
        """Show these names, one of them selected, at the same scroll position."""
        if names != self._shown[0]:
            position = self._list.yview()[0]
            self._list.delete(0, "end")
            self._list.insert("end", *names)
            self._list.yview_moveto(position)
        self._list.selection_clear(0, "end")
        if selected is not None:
            self._list.selection_set(selected)
        self._shown = (list(names), selected)


class Dialog:
    """A dialog window: a sentence, a field unless ``field`` is None, two buttons.

    ``accepted`` is called with the text of the field, ``closed`` when the dialog is dismissed.
    """

    def __init__(
        self,
        root: tk.Tk,
        title: str,
        accept: str,
        accepted: Callable[[str], None],
        closed: Callable[[], None],
        field: str | None = None,
    ) -> None:
        import tkinter as tk
        from tkinter import ttk

        self._top = top = tk.Toplevel(root, padx=3 * GAP, pady=3 * GAP)
        top.withdraw()
        top.title(title)
        top.resizable(False, False)
        top.configure(background=root.cget("background"))
        top.configure(highlightthickness=1, highlightbackground=_EDGE, highlightcolor=_EDGE)
        self._sentence = ttk.Label(top, wraplength=360, justify="left")
        self._sentence.grid(row=0, column=0, columnspan=2, sticky="w", pady=(0, 2 * GAP))
        self._field = ttk.Entry(top, width=36, font="TkTextFont") if field is not None else None
        self._accepted = accepted
        accepts = ttk.Button(top, text=accept, command=self._accept)
        closes = ttk.Button(top, text="Close", command=closed)
        accepts.grid(row=2, column=0, sticky="e", padx=(0, GAP))
        closes.grid(row=2, column=1, sticky="e")
        top.columnconfigure(0, weight=1)
        top.protocol("WM_DELETE_WINDOW", closed)
        top.bind("<Escape>", lambda _: closed())
        top.bind("<Return>", lambda _: self._accept())
        if self._field is not None:
            self._field.insert(0, field or "")
            self._field.grid(row=1, column=0, columnspan=2, sticky="ew", pady=(0, 2 * GAP))
        self._place(root, self._field or accepts)

    def _place(self, root: tk.Tk, first: ttk.Widget) -> None:
        """Show the dialog over the window, with the keyboard focus in its first widget."""
        self._top.update_idletasks()
        left = root.winfo_rootx() + (root.winfo_width() - self._top.winfo_reqwidth()) // 2
        upper = root.winfo_rooty() + root.winfo_height() // 3
        self._top.geometry(f"+{max(0, left)}+{max(0, upper)}")
        self._top.transient(root)
        self._top.deiconify()
        self._top.lift()
        first.focus_set()

    def _accept(self) -> None:
        self._accepted(self._field.get() if self._field is not None else "")

    def say(self, sentence: str) -> None:
        """Set the sentence."""
        self._sentence.configure(text=sentence)

    def close(self) -> None:
        """Close the dialog."""
        self._top.destroy()
